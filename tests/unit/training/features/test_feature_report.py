"""features: measures of coins whose answer is known, a classifier that sees no burst twice, and bad input in one line."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.vision.scale import ScalePlane
from tests.conftest import CROWNS, Opened, draw_disc, needs_training, only_line

needs_training()

import joblib

from coinsorter.training import train_cli
from coinsorter.training.features import baseline, measure
from coinsorter.training.features.measure import FeatureTable, MeasuredCoin

LABELS = ("bit_10", "crown_2", "crown_20")


def no_progress(done: int) -> None:
    pass


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """Simulated frames: three denominations and tokens, two bursts of four pictures each."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    for name in (*LABELS, "token"):
        (folder / name).mkdir()
        for burst in range(2):
            camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
            for number in range(4):
                thing = (
                    coins.make_genuine_coin(rng, name)
                    if name != "token"
                    else coins.make_foreign_object(rng, "token", ("heart", "bars"))
                )
                pixels = camera.render_frame(
                    [(camera.draw_item(thing), *rng.uniform(-30, 30, 2))], 10.0 * number
                )
                cv2.imwrite(
                    str(folder / name / f"x_{1000 + 500 * burst + 6 * number}.png"),
                    pixels[..., ::-1],
                )
    return folder


@pytest.fixture(scope="module")
def described(photographs, tmp_path_factory):
    """A whole report with everything in it, made by the command: its folder and the saved machine."""
    folder = tmp_path_factory.mktemp("described")
    out, svm = folder / "report", folder / "coins.joblib"
    assert (
        train_cli.main(
            [
                "features",
                str(photographs),
                "--bundle",
                str(CROWNS),
                "--svm",
                str(svm),
                "--out",
                str(out),
            ]
        )
        == 0
    )
    return out, svm


def metrics_of(out: Path) -> dict:
    return json.loads((out / "metrics.json").read_text())


# -- one coin -------------------------------------------------------------------------------------------------------------------------


def measured(pixels: np.ndarray, plane: ScalePlane | None = None) -> dict[str, float]:
    circle = measure._outline(pixels, None, crops=False)
    return measure.measures(pixels, circle, measure.STANDARD, plane, sized=True)


def test_a_disc_is_as_large_as_it_is_drawn_all_three_ways():
    """80 px across, and 20 mm at 4 px per mm; what is around all of it includes the blur of its edge."""
    found = measured(draw_disc(160.3, 120.7, 40), ScalePlane(4.0, 0.0, 0.0, 320, 240))
    for name in ("outline", "area", "enclosing"):
        assert found[f"size_{name}_diameter_px"] == pytest.approx(80, rel=0.035)
        assert found[f"size_{name}_diameter_mm"] == pytest.approx(
            found[f"size_{name}_diameter_px"] / 4
        )
    assert found["size_outline_diameter_px"] == pytest.approx(80, rel=0.01)


def test_a_round_disc_is_rounder_than_a_bent_one():
    round_, bent = (
        measured(draw_disc(160, 120, 40)),
        measured(draw_disc(160, 120, 40, ratio=0.8)),
    )
    for name in ("shape_roundness", "shape_circularity"):
        assert bent[name] < round_[name] - 0.005
    assert round_["shape_eccentricity"] < 0.2 and bent["shape_eccentricity"] == pytest.approx(
        0.6, abs=0.05
    )  # sqrt(1 - 0.8 ** 2)
    assert round_["shape_solidity"] > 0.97


def bimetal(turn_deg: float = 0.0) -> np.ndarray:
    """A steel core in a brass ring, with a bar across the core."""
    pixels = np.full((240, 320, 3), 90, np.uint8)
    for radius, colour in ((44, (200, 160, 70)), (29, (170, 172, 175))):
        cv2.circle(pixels, (160 * 16, 120 * 16), radius * 16, colour, -1, cv2.LINE_AA, 4)
    end = 20 * np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])
    ends = [
        np.rint((np.array([160, 120]) + side * end) * 16).astype(int).tolist() for side in (-1, 1)
    ]
    cv2.line(pixels, *ends, (90, 90, 90), 4, cv2.LINE_AA, 4)
    return pixels


def test_two_metals_show_in_core_and_ring():
    found, plain = measured(bimetal()), measured(draw_disc(160, 120, 40))
    assert found["colour_ring_lab_b_mean"] > found["colour_core_lab_b_mean"] + 25
    assert found["colour_core_minus_ring_lab_b"] == pytest.approx(
        found["colour_core_lab_b_mean"] - found["colour_ring_lab_b_mean"]
    )
    assert found["colour_core_to_ring_delta_e"] > 25 > 3 > plain["colour_core_to_ring_delta_e"]
    assert found["profile_ring_1_lab_l"] < found["profile_ring_4_lab_l"]  # the bar is dark


def test_how_a_coin_lies_changes_no_measure_much():
    one, other = (measured(bimetal(turn)) for turn in (0, 37))
    for name in (
        "colour_core_lab_l_mean",
        "profile_ring_2_lab_l",
        "texture_glcm_homogeneity_at_1_px",
    ):
        assert one[name] == pytest.approx(other[name], rel=0.05)


def test_the_light_is_not_measured():
    """A darker picture of coin and belt is the same coin."""
    bright, dim = measured(bimetal()), measured((bimetal() * 0.7).astype(np.uint8))
    assert bright["colour_ring_lab_l_mean"] == pytest.approx(dim["colour_ring_lab_l_mean"], abs=1.5)


def test_texture_and_edges_tell_a_struck_coin_from_a_blank():
    blank = draw_disc(160, 120, 40)
    struck = blank.copy()
    for y in range(95, 150, 6):
        cv2.line(struck, (140, y), (180, y), (60, 60, 60), 2)
    plain, ruled = measured(blank), measured(struck)
    assert ruled["texture_glcm_contrast_at_1_px"] > 5 * plain["texture_glcm_contrast_at_1_px"]
    assert ruled["edge_density_share"] > 0.1 > 0.01 > plain["edge_density_share"]
    assert (
        ruled["edge_orientation_entropy_bits"] < plain["edge_orientation_entropy_bits"] - 0.5
    )  # all lines point one way
    assert plain["edge_orientation_entropy_bits"] <= np.log2(measure.ORIENTATIONS)
    assert sum(ruled[f"texture_lbp_{n}_share"] for n in range(10)) == pytest.approx(1)


# -- the table and what is made of it --------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_per_coin_and_units_in_its_names(described, photographs):
    out, _ = described
    rows = list(csv.DictReader((out / "features.csv").open()))
    assert len(rows) == 32 and {row["label"] for row in rows} == {*LABELS, "token"}
    assert all((photographs / row["path"]).is_file() for row in rows)
    assert (
        len({row["group"] for row in rows})
        == len({(row["group"], row["label"]) for row in rows})
        == 8
    )
    diameters = [
        float(row["size_outline_diameter_mm"]) for row in rows if row["label"] == "crown_20"
    ]
    assert np.median(diameters) == pytest.approx(27.5, rel=0.02)
    assert all(row["one_class_score"] for row in rows)


def test_the_report_opens_and_holds_the_figures(described):
    out, svm = described
    result, opened = metrics_of(out), Opened(out / "report.html")
    pictures = {f"{name}.png" for name in ("coins", "distributions", "confusion", "importance")}
    assert {path.name for path in out.iterdir()} == {
        "features.csv",
        "metrics.json",
        "report.html",
    } | pictures
    assert len(opened.sources) == 4 and not opened.links and str(svm) in opened.words
    assert result["baseline"]["answers"]["right"]["of"] == 24  # tokens are foreign to the bundle
    assert f"{100 * result['baseline']['answers']['balanced_accuracy']:.1f}" in opened.words
    assert result["baseline"]["answers"]["balanced_accuracy"] > 0.9 and result["baseline"][
        "how"
    ].startswith("2 parts of whole bursts")
    assert set(result["baseline"]["families"]) == {
        "size",
        "shape",
        "colour",
        "profile",
        "texture",
        "edge",
    }
    assert result["per_label"] == dict.fromkeys(sorted([*LABELS, "token"]), 8)


def test_where_mm_are_known_pixels_are_in_the_table_and_not_in_the_forest(described):
    result = metrics_of(described[0])
    assert (
        "size_outline_diameter_px" in result["measures"]
        and "size_outline_diameter_px" not in result["used"]
    )
    assert "size_outline_diameter_mm" in result["used"]


def test_the_saved_machine_scores_a_table_as_the_table_says(described):
    """Foreign coins are scored by the machine that is saved; genuine ones by one that did not see their burst."""
    out, svm = described
    rows = list(csv.DictReader((out / "features.csv").open()))
    tokens = [row for row in rows if row["label"] == "token"]
    values = np.array([[float(row[name]) for name in metrics_of(out)["used"]] for row in tokens])
    assert joblib.load(svm).decision_function(values) == pytest.approx(
        [float(row["one_class_score"]) for row in tokens], rel=0.02, abs=1e-4
    )
    assert (
        metrics_of(out)["one_class"]["foreign"] == 8
        and metrics_of(out)["one_class"]["outside"]["of"] == 24
    )


def test_a_forest_trained_on_one_folder_is_judged_on_another(command, photographs, tmp_path):
    """The other folder holds one label that the first has not: it counts nowhere in the forest's figures."""
    split(photographs, tmp_path, ("bit_10", "crown_20"), (*LABELS,))
    status, said, _ = command(
        "features", tmp_path / "one", "--test", tmp_path / "two", "--out", tmp_path / "report"
    )
    result = metrics_of(tmp_path / "report")
    assert status == 0 and "judged on" in said and result["baseline"]["answers"]["right"]["of"] == 8
    assert len(list(csv.DictReader((tmp_path / "report" / "features-test.csv").open()))) == 12
    assert result["baseline"]["answers"]["right"]["share"] == 1.0


def split(photographs: Path, to: Path, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """The first burst of some labels to `one`, the second of others to `two`."""
    for name, labels, burst in (("one", first, "x_10"), ("two", second, "x_15")):
        for label in labels:
            (to / name / label).mkdir(parents=True)
            for path in (photographs / label).glob(f"{burst}*"):
                (to / name / label / path.name).write_bytes(path.read_bytes())


def test_ready_crops_tell_no_size(command, tmp_path):
    for label, colour in (("brass", (200, 160, 70)), ("steel", (170, 172, 175))):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(4):
            pixels = (
                np.random.default_rng(number)
                .normal(140, 3, (90, 90, 3))
                .clip(0, 255)
                .astype(np.uint8)
            )
            cv2.circle(pixels, (45, 45), 43, colour, -1, cv2.LINE_AA)
            cv2.imwrite(str(tmp_path / "data" / label / f"{number}.png"), pixels[..., ::-1])
    status, _, _ = command(
        "features", tmp_path / "data", "--crops", "--burst-s", 0, "--out", tmp_path / "report"
    )
    result = metrics_of(tmp_path / "report")
    assert status == 0 and not any(name.startswith("size_") for name in result["measures"])
    assert (
        result["baseline"]["answers"]["right"]["share"] == 1.0 and result["data"]["crops"] is True
    )


def table(groups: list[int], labels: list[str], spread: float = 0.0) -> FeatureTable:
    """One telling measure and one of noise; `spread` makes the telling one a property of the burst and not of the label."""
    rng = np.random.default_rng(0)
    rows = []
    for group, label in zip(groups, labels):
        told = spread * np.random.default_rng(group).normal() if spread else float(ord(label[0]))
        rows.append(
            MeasuredCoin(
                Path(f"{label}/{len(rows)}.png"),
                label,
                group,
                {"size_told_mm": told + rng.normal(0, 0.01), "edge_noise": rng.normal()},
            )
        )
    return FeatureTable(tuple(rows), {}, {})


def test_what_only_the_burst_gives_away_is_worth_nothing():
    """Each burst has its own value, the same for all its pictures: a random split would be right every time."""
    groups = np.repeat(np.arange(12), 8).tolist()
    labels = ["ab"[group % 2] for group in groups]
    leaky, honest = table(groups, labels, spread=5.0), table(groups, labels)
    accuracy = [
        baseline.cross_validated(t, t.coins, 5, no_progress).answers.right.share
        for t in (leaky, honest)
    ]
    assert accuracy[0] < 0.75 and accuracy[1] == 1.0


def test_importance_is_what_is_lost_without_a_measure():
    groups = np.repeat(np.arange(12), 8).tolist()
    two = table(groups, ["ab"[group % 2] for group in groups])
    found = baseline.cross_validated(two, two.coins, 5, no_progress)
    assert found.importance["size_told_mm"] > 0.3 > 0.05 > abs(found.importance["edge_noise"])
    assert list(found.families) == ["size", "edge"] and found.telling[0] == "size_told_mm"


def test_the_one_class_machine_knows_its_own_and_not_another():
    labels = ["a"] * 40 + ["z"] * 10
    groups = [n // 4 for n in range(50)]
    both = table(groups, labels)
    machine, scores = baseline.scored(both, [label == "a" for label in labels])
    found = baseline.judged_by_score(scores, [label == "a" for label in labels])
    assert found.auroc == 1.0 and found.foreign == 10 and found.outside.of == 40
    assert machine.decision_function(both.values()).shape == (50,)


# -- bad input ------------------------------------------------------------------------------------------------------------------------


def copied(photographs: Path, to: Path, labels: tuple[str, ...]) -> Path:
    for label in labels:
        (to / label).mkdir(parents=True)
        for path in (photographs / label).iterdir():
            (to / label / path.name).write_bytes(path.read_bytes())
    return to


def test_one_class_only_has_a_table_and_no_classifier(command, photographs, tmp_path):
    copied(photographs, tmp_path / "data", ("crown_2",))
    status, said, _ = command(
        "features",
        tmp_path / "data",
        "--out",
        tmp_path / "report",
        "--svm",
        tmp_path / "one.joblib",
    )
    result = metrics_of(tmp_path / "report")
    assert (
        status == 0
        and "no classifier: fewer than two labels" in said
        and result["baseline"] is None
        and result["coins"] == 8
    )
    assert result["one_class"]["auroc"] is None and (tmp_path / "one.joblib").is_file()
    assert "nothing to tell apart" in Opened(tmp_path / "report" / "report.html").words


def test_labels_of_one_burst_only_are_named_and_nothing_is_judged_on_what_was_seen(
    command, photographs, tmp_path
):
    split(photographs, tmp_path, ("bit_10", "crown_20"), ())
    status, said, _ = command("features", tmp_path / "one", "--out", tmp_path / "report")
    assert (
        status == 0
        and "all pictures of bit_10, crown_20 are one burst" in said
        and metrics_of(tmp_path / "report")["baseline"] is None
    )


def test_an_unreadable_picture_is_named_and_counted_and_the_rest_goes_on(
    command, photographs, tmp_path
):
    copied(photographs, tmp_path / "data", ("bit_10", "crown_20"))
    (tmp_path / "data" / "bit_10" / "bad_1.png").write_bytes(b"no picture")
    cv2.imwrite(
        str(tmp_path / "data" / "bit_10" / "empty_2.png"), np.full((480, 640, 3), 90, np.uint8)
    )
    status, said, _ = command("features", tmp_path / "data", "--out", tmp_path / "report")
    result = metrics_of(tmp_path / "report")
    assert status == 0 and "2 pictures left out" in said and result["coins"] == 16
    assert result["left_out"] == {"bit_10/bad_1.png": "unreadable", "bit_10/empty_2.png": "0 coins"}
    assert "bad_1.png" in Opened(tmp_path / "report" / "report.html").words


@pytest.mark.parametrize(
    "make, arguments, complaint",
    [
        (lambda data: None, [], "holds no pictures"),
        (lambda data: data.rmdir(), [], "no such folder"),
        (
            lambda data: cv2.imwrite(str(data / "a.png"), np.full((480, 640, 3), 90, np.uint8)),
            [],
            "none of its 1 pictures can be measured (0 coins)",
        ),
        (
            lambda data: cv2.imwrite(str(data / "a.png"), draw_disc(160, 120, 40)),
            ["--svm", "x.joblib"],
            "no picture lies in a folder of its own",
        ),
        (
            lambda data: cv2.imwrite(str(data / "a.png"), draw_disc(160, 120, 40)),
            ["--svm", "nowhere/x.joblib"],
            "name a file with --svm",
        ),
        (
            lambda data: cv2.imwrite(str(data / "a.png"), draw_disc(320, 240, 40, 640, 480)),
            ["--bundle", str(CROWNS)],
            "no folder is named as a label",
        ),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_leaves_nothing_behind(
    command, tmp_path, monkeypatch, make, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    status, out, err = command(
        "features", tmp_path / "data", "--out", tmp_path / "report", *arguments
    )
    assert status == 66 and complaint in only_line(err) and not out
    assert not [path for path in tmp_path.iterdir() if path.name != "data"]


def test_an_output_that_is_a_file_is_refused_before_any_work(command, photographs, tmp_path):
    (tmp_path / "out").write_text("precious")
    status, _, err = command("features", photographs, "--out", tmp_path / "out")
    assert (
        status == 66
        and "is a file" in only_line(err)
        and (tmp_path / "out").read_text() == "precious"
    )


def test_a_bundle_that_is_none_is_named(command, photographs, tmp_path):
    status, _, err = command(
        "features", photographs, "--bundle", tmp_path / "none", "--out", tmp_path / "out"
    )
    assert status == 78 and "no such bundle" in only_line(err)


def test_a_gap_that_is_no_number_of_seconds_is_wrong_usage(command, capsys, photographs):
    with pytest.raises(SystemExit) as stop:
        command("features", photographs, "--burst-s", "-1")
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err
