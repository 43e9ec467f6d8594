"""feature_report: a table and a report made by the command, and bad input in one line."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import CROWNS, Opened, draw_disc, needs_training, only_line

needs_training()

import joblib

from coinsorter.files.owned_folder import MARKER
from coinsorter.training import train_cli
from tests.unit.training.features.conftest import LABELS

FAMILIES = {"size", "shape", "colour", "profile", "texture", "edge"}


@pytest.fixture(scope="module")
def report(photographs, tmp_path_factory) -> tuple[Path, Path]:
    """A report with everything in it, made by the command: its folder and the saved SVM."""
    folder = tmp_path_factory.mktemp("described")
    out, svm = folder / "report", folder / "coins.joblib"
    words = ["features", photographs, "--bundle", CROWNS, "--svm", svm, "--out", out]
    assert train_cli.main([str(word) for word in words]) == 0
    return out, svm


def read_metrics(out: Path) -> dict:
    return json.loads((out / "metrics.json").read_text())


def read_table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def copy_burst(photographs: Path, to: Path, burst: str, *labels: str) -> Path:
    for label in labels:
        (to / label).mkdir(parents=True)
        for path in (photographs / label).glob(f"{burst}*"):
            shutil.copy(path, to / label)
    return to


def test_the_report_opens_and_holds_the_figures(report):
    out, svm = report
    result, opened = read_metrics(out), Opened(out / "report.html")
    figures = {f"{name}.png" for name in ("coins", "distributions", "confusion", "importance")}
    names = {path.name for path in out.iterdir()}
    assert names == {"features.csv", "metrics.json", "report.html", MARKER} | figures
    assert len(opened.sources) == 4
    assert not opened.links
    assert str(svm) in opened.words
    balanced = result["baseline"]["answers"]["balanced_accuracy"]
    assert f"{100 * balanced:.1f}" in opened.words


def test_foreign_coins_are_in_the_table_and_not_in_the_forest(report):
    result = read_metrics(report[0])
    baseline = result["baseline"]
    assert result["per_label"] == dict.fromkeys(sorted([*LABELS, "token"]), 8)
    assert baseline["answers"]["right"]["of"] == 24
    assert baseline["answers"]["balanced_accuracy"] > 0.9
    assert baseline["how"].startswith("2 parts of whole bursts")
    assert set(baseline["families"]) == FAMILIES


def test_where_mm_are_known_pixels_are_in_the_table_and_not_in_the_forest(report):
    result = read_metrics(report[0])
    assert "size_outline_diameter_px" in result["measures"]
    assert "size_outline_diameter_px" not in result["used"]


def test_the_saved_svm_gives_the_scores_of_foreign_coins(report):
    """Coins of its own labels are scored by an SVM that has not seen their burst."""
    out, svm = report
    result = read_metrics(out)
    rows = read_table(out / "features.csv")
    tokens = [row for row in rows if row["label"] == "token"]
    values = np.array([[float(row[name]) for name in result["used"]] for row in tokens])
    scores = [float(row["one_class_score"]) for row in tokens]
    assert all(row["one_class_score"] for row in rows)
    assert joblib.load(svm).decision_function(values) == pytest.approx(scores, rel=0.02, abs=1e-4)
    assert result["one_class"]["foreign"] == 8
    assert result["one_class"]["outside"]["of"] == 24


def test_a_forest_trained_on_one_folder_is_evaluated_on_another(command, photographs, tmp_path):
    """The other folder holds one label that the first has not: it counts nowhere."""
    train = copy_burst(photographs, tmp_path / "one", "x_10", "bit_10", "crown_20")
    test = copy_burst(photographs, tmp_path / "two", "x_15", *LABELS)
    out, svm = tmp_path / "report", tmp_path / "one.joblib"
    status, text, _ = command("features", train, "--test", test, "--svm", svm, "--out", out)
    result = read_metrics(out)
    assert status == 0
    assert f"judged on {test}" in text
    assert result["baseline"]["answers"]["right"]["of"] == 8
    assert result["baseline"]["answers"]["right"]["share"] == 1.0
    rows = read_table(out / "features-test.csv")
    assert len(rows) == 12
    assert all(row["one_class_score"] for row in rows)
    assert result["one_class"]["foreign"] == 4


def test_ready_crops_tell_no_size(command, tmp_path):
    for label, colour in (("brass", (200, 160, 70)), ("steel", (170, 172, 175))):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(4):
            noise = np.random.default_rng(number).normal(140, 3, (90, 90, 3))
            pixels = noise.clip(0, 255).astype(np.uint8)
            cv2.circle(pixels, (45, 45), 43, colour, -1, cv2.LINE_AA)
            cv2.imwrite(str(tmp_path / "data" / label / f"{number}.png"), pixels[..., ::-1])
    out = tmp_path / "report"
    status, _, _ = command("features", tmp_path / "data", "--crops", "--burst-s", 0, "--out", out)
    result = read_metrics(out)
    assert status == 0
    assert not any(name.startswith("size_") for name in result["measures"])
    assert result["baseline"]["answers"]["right"]["share"] == 1.0
    assert result["data"]["crops"] is True


def test_of_one_label_there_is_a_table_and_no_classifier(command, photographs, tmp_path):
    shutil.copytree(photographs / "crown_2", tmp_path / "data" / "crown_2")
    out, svm = tmp_path / "report", tmp_path / "one.joblib"
    status, text, _ = command("features", tmp_path / "data", "--out", out, "--svm", svm)
    result = read_metrics(out)
    assert status == 0
    assert "no classifier: fewer than two labels" in text
    assert result["baseline"] is None
    assert result["coins"] == 8
    assert result["one_class"]["auroc"] is None
    assert svm.is_file()
    assert "nothing to tell apart" in Opened(out / "report.html").words


def test_labels_of_one_burst_only_are_named_and_nothing_is_evaluated_on_what_was_seen(
    command, photographs, tmp_path
):
    data = copy_burst(photographs, tmp_path / "one", "x_10", "bit_10", "crown_20")
    status, text, _ = command("features", data, "--out", tmp_path / "report")
    assert status == 0
    assert "bit_10, crown_20 are one burst" in text
    assert read_metrics(tmp_path / "report")["baseline"] is None


def test_an_unreadable_image_is_named_and_counted_and_the_rest_goes_on(
    command, photographs, tmp_path
):
    data = copy_burst(photographs, tmp_path / "data", "x_10", "bit_10", "crown_20")
    (data / "bit_10" / "bad_1.png").write_bytes(b"no image")
    status, text, _ = command("features", data, "--out", tmp_path / "report")
    result = read_metrics(tmp_path / "report")
    assert status == 0
    assert "1 images left out" in text
    assert result["coins"] == 8
    assert result["left_out"] == {"bit_10/bad_1.png": "unreadable"}
    assert "bad_1.png" in Opened(tmp_path / "report" / "report.html").words


def write_disc(folder: Path, width: int, height: int) -> None:
    pixels = draw_disc(width / 2, height / 2, 40, width, height)
    cv2.imwrite(str(folder / "a.png"), pixels)


@pytest.mark.parametrize(
    "make, arguments, complaint",
    [
        (lambda data: None, [], "holds no "),
        (lambda data: data.rmdir(), [], "no such folder"),
        (
            lambda data: write_disc(data, 320, 240),
            ["--svm", "x.joblib"],
            "lies in a folder of its own",
        ),
        (
            lambda data: write_disc(data, 320, 240),
            ["--svm", "nowhere/x.joblib"],
            "name a file with --svm",
        ),
        (
            lambda data: write_disc(data, 640, 480),
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
    words = ["features", tmp_path / "data", "--out", tmp_path / "report", *arguments]
    status, out, err = command(*words)
    assert status == 66
    assert complaint in only_line(err)
    assert not out
    assert not [path for path in tmp_path.iterdir() if path.name != "data"]


def test_an_output_that_is_a_file_is_refused_before_any_work(command, photographs, tmp_path):
    (tmp_path / "out").write_text("precious")
    status, _, err = command("features", photographs, "--out", tmp_path / "out")
    assert status == 66
    assert "is a file" in only_line(err)
    assert (tmp_path / "out").read_text() == "precious"


def test_a_bundle_that_does_not_exist_is_named(command, photographs, tmp_path):
    none, out = tmp_path / "none", tmp_path / "out"
    status, _, err = command("features", photographs, "--bundle", none, "--out", out)
    assert status == 78
    assert "no such bundle" in only_line(err)


def test_a_gap_that_is_no_number_of_seconds_is_wrong_usage(command, capsys, photographs):
    with pytest.raises(SystemExit) as stop:
        command("features", photographs, "--burst-s", "-1")
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err
