"""evaluate: figures that were worked out by hand, a report that opens, and bad input in one line."""

import json
import re
from dataclasses import replace
from math import inf
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.errors import InputError
from coinsorter.recognition import runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Frame
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.sorting.assembly import build_search
from coinsorter.vision import crop
from coinsorter.vision.crop import FILL, CropSpec
from coinsorter.vision.detect import find_circles
from tests.conftest import CROWNS, Opened, needs_training, only_line

needs_training()

from coinsorter.training import html_report
from coinsorter.training.dataset import quality
from coinsorter.training.evaluation import damage, metrics, ood, plots, predictions, rotation
from coinsorter.training.evaluation.evaluate import worst
from coinsorter.training.evaluation.predictions import Prediction, Predictor

LABELS = ("one", "two", "three")
LIMITS = dict.fromkeys(LABELS, 3.0)
NO_CROP = np.full((64, 64, 3), FILL, np.uint8)


def record(
    label: str | None,
    predicted: str,
    confidence: float = 0.9,
    anomaly: float = 1.0,
    accepted: bool = True,
    reason: str = "unsure",
) -> Prediction:
    said = "sorted" if accepted else reason
    return Prediction(
        Path(f"{label}/x.png"),
        label,
        predicted,
        np.zeros(3),
        confidence,
        confidence,
        anomaly,
        20.0,
        accepted,
        said,
        NO_CROP,
    )


# Eight genuine coins, six of them called rightly: four ones (one called two, one with no coin found), three twos and a three;
# two foreign things, one of them let in.
BY_HAND = [
    record("one", "one", 0.99, 0.5),
    record("one", "one", 0.60, 5.0, accepted=False, reason="anomaly"),
    record("one", "two", 0.80, 1.0),
    record("one", "", 0.0, float("inf"), accepted=False, reason="no-coin"),
    record("two", "two", 0.95, 0.7),
    record("two", "two", 0.90, 1.5),
    record("two", "two", 0.55, 2.0, accepted=False),
    record("three", "three", 0.98, 0.2),
    record("token", "three", 0.97, 2.5),
    record("washer", "one", 0.50, 9.0, accepted=False, reason="anomaly"),
    record(None, "one", 0.99, 0.1),
]


@pytest.fixture(scope="module")
def by_hand():
    return metrics.measure(BY_HAND, LABELS, LIMITS)


def test_pictures_are_counted_by_what_they_show(by_hand):
    assert (
        by_hand.pictures,
        by_hand.genuine,
        by_hand.foreign,
        by_hand.unlabelled,
        by_hand.no_coin,
    ) == (11, 8, 2, 1, 1)
    assert by_hand.foreign_folders == {"token": (1, 1), "washer": (1, 0)}


def test_with_every_coin_answered_a_coin_not_found_is_a_wrong_answer(by_hand):
    answers = by_hand.all_answered
    assert (answers.right.count, answers.right.of) == (6, 8)
    assert answers.per_label["one"] == metrics.LabelScore(
        4, precision=1.0, recall=0.5, f1=pytest.approx(2 / 3)
    )
    assert answers.per_label["two"] == metrics.LabelScore(
        3, precision=0.75, recall=1.0, f1=pytest.approx(6 / 7)
    )
    assert answers.balanced_accuracy == pytest.approx((0.5 + 1 + 1) / 3)
    assert answers.macro_precision == pytest.approx((1 + 0.75 + 1) / 3)
    assert answers.macro_f1 == pytest.approx((2 / 3 + 6 / 7 + 1) / 3)
    assert answers.confusion.rows == LABELS and answers.confusion.columns == (*LABELS, "(no coin)")
    assert answers.confusion.counts == ((2, 1, 0, 1), (0, 3, 0, 0), (0, 0, 1, 0))
    assert answers.confusion.mistakes() == [("one", "two", 1), ("one", "(no coin)", 1)]


def test_the_machine_is_blamed_for_wrong_labels_and_for_foreign_things_let_in(by_hand):
    machine = by_hand.machine
    assert machine.accepted == 6 and (
        machine.genuine_accepted.count,
        machine.genuine_accepted.of,
    ) == (5, 8)
    assert (machine.false_accepts.count, machine.false_accepts.of) == (2, 6)
    assert (machine.wrong_labels.count, machine.wrong_labels.of) == (1, 5)
    assert (machine.foreign_accepted.count, machine.foreign_accepted.of) == (1, 2)
    assert machine.rejected == {"anomaly": 1, "no-coin": 1, "unsure": 1}
    assert machine.answers.per_label["three"].precision == 0.5  # the token lies in its bin
    assert machine.answers.confusion.rows == (
        *LABELS,
        "(foreign)",
    ) and machine.answers.confusion.counts[-1] == (0, 0, 1, 1)


def test_the_anomaly_score_is_judged_by_itself_and_only_where_a_coin_was_found(by_hand):
    """Of seven genuine scores one is beyond 3; of two foreign ones one. 13 of 14 pairs of a genuine and a foreign coin are in order."""
    anomaly = by_hand.anomaly
    assert (anomaly.tpr.count, anomaly.tpr.of) == (6, 7) and (
        anomaly.tnr.count,
        anomaly.tnr.of,
    ) == (1, 2)
    assert anomaly.auroc == pytest.approx(13 / 14)
    assert anomaly.caught_at_5 == 0.5
    assert anomaly.roc.x[0] == anomaly.roc.y[0] == 0 and anomaly.roc.x[-1] == anomaly.roc.y[-1] == 1


def test_risk_is_told_for_the_surest_coins_first(by_hand):
    """Surest first: three right (coverage 3/8), right at 0.90 (4/8), wrong at 0.80 (risk 1/5), then right, right, and none found."""
    found = by_hand.risk_coverage
    assert found.curve.x == pytest.approx([k / 8 for k in range(1, 9)])
    assert found.curve.y == pytest.approx([0, 0, 0, 0, 1 / 5, 1 / 6, 1 / 7, 2 / 8])
    assert found.area == pytest.approx((1 / 5 + 1 / 6 + 1 / 7 + 1 / 4) / 8)
    assert found.coverage_at == {"0.0001": 0.5, "0.001": 0.5, "0.01": 0.5}


def test_reliability_is_told_by_tenths_of_confidence():
    found = metrics.reliability(
        np.array([0.9, 0.81, 0.95, 1.0, 0.0]), np.array([True, False, True, True, False])
    )
    assert [(b.low, b.right.count, b.right.of) for b in found.bins] == [
        (0.0, 0, 1),
        (0.8, 1, 2),
        (0.9, 2, 2),
    ]
    assert found.bins[1].confidence == pytest.approx(0.855)
    assert found.expected_error == pytest.approx((0 + 2 * (0.855 - 0.5) + 2 * (1 - 0.975)) / 5)


@pytest.mark.parametrize(
    "count, of, low, high, at_most",
    [
        (0, 10, 0.0, 0.3085, 0.2589),
        (1, 862, 0.00003, 0.00645, 0.00549),
        (5, 10, 0.1871, 0.8129, 0.7776),
        (10, 10, 0.6915, 1.0, 1.0),
        (0, 0, None, None, None),
    ],
)
def test_a_share_comes_with_clopper_and_pearsons_bounds(count, of, low, high, at_most):
    """The first, third and fourth intervals stand in textbooks; no error in n proves 1 - 0.05 ** (1 / n)."""
    share = metrics.Proportion.counted(count, of)
    assert [share.low_95, share.high_95, share.at_most_95] == (
        pytest.approx([low, high, at_most], abs=1e-4) if of else [None] * 3
    )


def test_figures_of_nothing_are_none_and_not_zero():
    nothing = metrics.measure([record("one", "one")], LABELS, LIMITS)
    assert (
        nothing.anomaly.auroc is None
        and nothing.anomaly.tnr.share is None
        and nothing.machine.foreign_accepted.share is None
    )
    assert nothing.all_answered.per_label["two"] == metrics.LabelScore(0, None, None, None)
    assert nothing.all_answered.balanced_accuracy == 1.0
    assert metrics.risk_coverage(np.empty(0), np.empty(0, bool)).area is None


COINS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans()), min_size=1, max_size=60
)


@given(COINS)
def test_at_full_coverage_the_risk_is_the_share_of_all_coins_that_is_wrong(drawn):
    confidence, right = np.array([c for c, _ in drawn]), np.array([r for _, r in drawn])
    found = metrics.risk_coverage(confidence, right)
    assert found.curve.x[-1] == 1.0 and found.curve.y[-1] == pytest.approx(1 - right.mean())
    assert list(found.curve.x) == sorted(found.curve.x) and 0 <= found.area <= 1


@given(COINS, st.randoms(use_true_random=False))
def test_the_order_in_which_coins_come_does_not_matter(drawn, random):
    mixed = drawn.copy()
    random.shuffle(mixed)
    one, other = (
        metrics.risk_coverage(np.array([c for c, _ in coins]), np.array([r for _, r in coins]))
        for coins in (drawn, mixed)
    )
    assert one == other


SCORES = st.lists(st.integers(0, 30).map(float), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_auroc_is_symmetric_and_blind_to_any_rising_scale(genuine, foreign):
    there, back = metrics.auroc(genuine, foreign), metrics.auroc(foreign, genuine)
    assert there == pytest.approx(1 - back)
    assert there == pytest.approx(
        metrics.auroc([np.exp(v) for v in genuine], [np.exp(v) for v in foreign])
    )
    assert metrics.auroc(genuine, genuine) == pytest.approx(0.5)


@given(st.integers(0, 50), st.integers(1, 200))
def test_a_bound_is_above_the_share_and_falls_as_coins_are_added(count, more):
    fewer, greater = (
        metrics.Proportion.counted(count, count + 10),
        metrics.Proportion.counted(count, count + 10 + more),
    )
    assert fewer.low_95 <= fewer.share <= fewer.at_most_95 <= fewer.high_95 + 1e-12
    assert greater.at_most_95 < fewer.at_most_95


def test_the_worst_mistakes_are_the_surest_wrong_the_strangest_rejected_and_the_foreign_let_in():
    more = [*BY_HAND, record("two", "one", 0.97), record("two", "two", 0.7, 8.0, accepted=False)]
    lists = worst(more, set(LABELS))
    assert [(r.label, r.confidence) for r in lists["called wrong"]] == [
        ("two", 0.97),
        ("one", 0.80),
    ]
    assert [r.anomaly for r in lists["rejected though right"]] == [8.0, 5.0, 2.0]
    assert [r.label for r in lists["foreign but accepted"]] == ["token"] and len(
        lists["no coin found"]
    ) == 1


# -- on pictures ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """Simulated frames of single coins: three denominations and tokens, four each."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    for kind, name in enumerate(("bit_10", "crown_2", "crown_20", "token")):
        (folder / name).mkdir()
        for number in range(4):
            thing = (
                coins.make_genuine_coin(rng, name)
                if name != "token"
                else coins.make_foreign_object(rng, "token", ("heart", "bars"))
            )
            pixels = camera.render_frame(
                [(camera.draw_item(thing), *rng.uniform(-30, 30, 2))], 10.0 * number
            )
            cv2.imwrite(str(folder / name / f"coin_{4 * kind + number:03d}.png"), pixels[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def judge(crowns) -> Predictor:
    return Predictor(crowns, Classifier(crowns, runtime.pick_runtime("auto")))


@pytest.fixture(scope="module")
def records(photographs, judge) -> list[Prediction]:
    return list(predictions.pictures(photographs, judge, crops=False))


def test_the_report_is_whole_opens_offline_and_holds_the_figures(command, photographs, tmp_path):
    out = tmp_path / "report"
    status, said, _ = command(
        "evaluate", CROWNS, photographs, "--out", out, "--rotations", 3, "--damage"
    )
    result, opened = json.loads((out / "metrics.json").read_text()), Opened(out / "report.html")
    assert status == 0 and result["genuine"] == 12 and result["foreign"] == 4
    assert (
        result["all_answered"]["right"]["count"] == 12
        and result["machine"]["foreign_accepted"]["count"] == 0
    )
    pictures = {path.stem for path in out.glob("*.png")}
    usual = {
        "confusion-all",
        "confusion-machine",
        "per-label",
        "risk-coverage",
        "reliability",
        "roc",
        "anomaly",
    }
    assert pictures >= usual | {"rotations", "damage", "damage-examples"}
    assert len(opened.sources) == len(pictures) and all(
        source.startswith("data:image/png;base64,") for source in opened.sources
    )
    assert not opened.links and not re.search(r"https?:", opened.words)
    assert {path.name for path in out.iterdir()} == {
        "report.html",
        "metrics.json",
        *(f"{name}.png" for name in pictures),
    }
    assert (
        f"AUROC {result['anomaly']['auroc']:.3f}" in said
        and f"{result['anomaly']['auroc']:.3f}" in opened.words
    )
    assert "drawn, not real" in opened.words and result["damage"]["synthetic"] is True
    assert result["rotations"]["lowest"] <= result["rotations"]["highest"] <= 1
    assert (
        result["strangers"]["with_diameter"]["token"]
        == result["strangers"]["with_diameter"]["all"]
        > 0.9
    )
    assert "foreign things, all evidence fused" in said and "AUROC, all evidence" in opened.words


def test_json_is_what_the_file_says_and_nothing_else_is_printed(command, photographs, tmp_path):
    status, said, _ = command(
        "evaluate", CROWNS, photographs, "--out", tmp_path / "report", "--json"
    )
    assert status == 0 and json.loads(said) == json.loads(
        (tmp_path / "report" / "metrics.json").read_text()
    )


def test_the_same_pictures_make_the_same_report_and_it_replaces_the_old_one(
    command, photographs, tmp_path
):
    out = tmp_path / "report"
    command("evaluate", CROWNS, photographs, "--out", out)
    first = (out / "report.html").read_bytes()
    (out / "stale.png").touch()
    command("evaluate", CROWNS, photographs, "--out", out)
    assert (out / "report.html").read_bytes() == first and not (out / "stale.png").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_what_the_pipeline_answers_is_what_is_recorded(records):
    assert len(records) == 16 and all(r.found and r.crop.shape == (64, 64, 3) for r in records)
    for r in records:
        assert (
            r.probabilities.max() == pytest.approx(r.confidence, rel=1e-4)
            and 0 < r.probabilities.sum() <= 1 + 1e-6
        )
    assert [r.predicted for r in records[:12]] == [r.label for r in records[:12]]


def test_a_ready_crop_is_judged_by_its_looks_alone(photographs, judge, records, tmp_path):
    """The same coins cut out square, as large as the picture: no diameter, and no limit on it."""
    for r in records:
        pixels = cv2.cvtColor(cv2.imread(str(r.path)), cv2.COLOR_BGR2RGB)
        (found,) = find_circles(pixels, build_search(judge.models, judge.models.view))
        half = found.radius_px / (2 * quality.INSCRIBED)
        square = cv2.getRectSubPix(
            pixels, (round(2 * half), round(2 * half)), (found.x_px, found.y_px)
        )
        (tmp_path / r.label).mkdir(exist_ok=True)
        cv2.imwrite(
            str(tmp_path / r.label / r.path.name),
            cv2.resize(square, None, fx=2.5, fy=2.5)[..., ::-1],
        )
    crops = list(predictions.pictures(tmp_path, judge, crops=True))
    assert all(r.diameter_mm is None and r.reason != "diameter" for r in crops)
    assert sum(r.right for r in crops if r.label != "token") >= 11
    assert any(r.accepted for r in crops if r.label != "token")


def test_a_bundle_that_goes_by_the_size_in_the_picture_refuses_ready_crops(judge, photographs):
    sized = judge.models.manifest.model_copy(
        update={"crop": replace(judge.models.crop, full_mm=27.5)}
    )
    strict = Predictor(
        replace(judge.models, manifest=sized),
        Classifier(judge.models, runtime.pick_runtime("auto")),
    )
    with pytest.raises(InputError, match="give it whole frames"):
        list(predictions.pictures(photographs, strict, crops=True))


def test_corners_that_were_painted_over_tell_no_light(judge):
    pixels = np.full((100, 100, 3), 255, np.uint8)
    cv2.circle(pixels, (50, 50), 47, (120, 110, 90), -1)
    told = judge.ready_crop(Frame(pixels, 0, 0.0), Path("x.png"), None)
    assert told.crop[32, 32].tolist() == [120, 110, 90] and told.diameter_mm is None


@pytest.fixture
def ready_crops(judge, tmp_path):
    """Coins of every label as ready crops: of one scale in `one`, each enlarged to fill its crop in `many`."""
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    for number, name in enumerate([*judge.models.labels] * 4):
        pixels = camera.render_frame(
            [(camera.draw_item(coins.make_genuine_coin(rng, name)), 0.0, 0.0)], 0.0
        )
        (circle,) = [
            c
            for c in find_circles(pixels, build_search(judge.models, judge.models.view))
            if c.quality
        ]
        for folder, half in (("one", 58), ("many", round(1.1 * circle.radius_px))):
            x, y = round(circle.x_px), round(circle.y_px)
            place = tmp_path / folder / name / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(
                str(place),
                cv2.resize(pixels[y - half : y + half, x - half : x + half], (116, 116))[
                    :, :, ::-1
                ],
            )
    return tmp_path


def test_crops_that_were_cut_at_one_scale_tell_diameters_and_others_are_refused(judge, ready_crops):
    scale = predictions.CropScale.measured(ready_crops / "one", judge.models, lambda done: None)
    assert (
        scale.px_per_mm == pytest.approx(judge.models.view.px_per_mm, rel=0.02)
        and scale.spread < 0.02
    )
    sized = Predictor(judge.models, Classifier(judge.models, runtime.pick_runtime("auto")), scale)
    for record in predictions.pictures(ready_crops / "one", sized, crops=True):
        assert record.diameter_mm is None or record.diameter_mm == pytest.approx(
            judge.models.labels[record.label].diameter_mm, rel=0.06
        )
    with pytest.raises(InputError, match="of many scales; leave --scale-from out"):
        predictions.CropScale.measured(ready_crops / "many", judge.models, lambda done: None)


@pytest.mark.parametrize(
    ("words", "said"), [([], "add --crops"), (["--crops"], "is what is judged")]
)
def test_a_scale_is_not_taken_from_frames_or_from_what_is_judged(
    command, photographs, tmp_path, words, said
):
    status, _, err = command(
        "evaluate",
        CROWNS,
        photographs,
        *words,
        "--scale-from",
        photographs,
        "--out",
        tmp_path / "out",
    )
    assert status == 66 and said in only_line(err) and not (tmp_path / "out").exists()


def test_a_turned_crop_is_the_same_coin_and_its_outside_stays_grey(records):
    crop_ = records[0].crop
    half = rotation.turned(crop_, 180.0)
    assert np.abs(half[::-1, ::-1].astype(int) - crop_).max() <= 2
    assert (rotation.turned(crop_, 45.0)[0, :10] == FILL).all()


@pytest.mark.parametrize("kind", damage.KINDS)
def test_damage_changes_the_coin_and_nothing_around_it_always_in_the_same_way(kind, records, judge):
    spec = judge.models.crop
    place = damage.CoinPlacement.of(spec, 20.0)
    one, other = (
        damage.KINDS[kind](records[4].crop, place, np.random.default_rng(7)) for _ in range(2)
    )
    assert (one == other).all() and one.dtype == np.uint8 and one.shape == records[4].crop.shape
    changed = np.abs(one.astype(int) - records[4].crop).max(axis=2) > 12
    outside = crop.inside(spec) == 0
    assert changed[~outside].mean() > 0.005 and (one[outside] == FILL).all()


def test_a_clipped_edge_takes_between_a_twentieth_and_a_fifth_of_the_coin(judge):
    spec = judge.models.crop
    place = damage.CoinPlacement.of(spec, None)
    white = np.full((64, 64, 3), 255, np.uint8)
    coin = damage._within(white, place, 1.0) > 0.5
    shares = [
        (damage.clipped(white, place, np.random.default_rng(seed)) < 200).all(axis=2)[coin].mean()
        for seed in range(20)
    ]
    assert 0.04 < min(shares) < 0.09 and 0.15 < max(shares) < 0.21


def test_many_labels_are_still_drawn_within_the_page():
    labels = [f"EUR_de_{number}" for number in range(60)]
    many = metrics.measure(
        [record(name, labels[(n + n % 7 // 6) % 60]) for n, name in enumerate(labels)],
        labels,
        dict.fromkeys(labels, 3.0),
    )
    drawn = plots.confusion(many.all_answered.confusion, "many")
    assert drawn.shape[1] <= 2300 and drawn.dtype == np.uint8
    assert plots.per_label(many.all_answered, "many").shape[0] <= 2400


def test_a_template_that_is_given_too_little_is_not_filled_with_nothing():
    with pytest.raises(Exception, match="found"):
        html_report.render_template("evaluation.html")


# -- bad input ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["token", "bit_10"])
def test_an_unreadable_picture_is_named_and_counted_and_the_rest_goes_on(
    command, photographs, tmp_path, label, caplog
):
    for name in ("bit_10", "token"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for path in (photographs / name).iterdir():
            (tmp_path / "data" / name / path.name).write_bytes(path.read_bytes())
    (tmp_path / "data" / label / "bad_999.png").write_bytes(b"no picture")
    status, said, _ = command("evaluate", CROWNS, tmp_path / "data", "--out", tmp_path / "report")
    result = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert status == 0 and "1 unreadable" in said and result["pictures"] == 8
    assert [Path(path).name for path in result["data"]["unreadable"]] == [
        "bad_999.png"
    ] and "bad_999.png" in caplog.text
    assert "bad_999.png" in Opened(tmp_path / "report" / "report.html").words


def test_one_class_only_is_judged_and_what_cannot_be_told_is_null(command, photographs, tmp_path):
    (tmp_path / "data" / "crown_2").mkdir(parents=True)
    for path in (photographs / "crown_2").iterdir():
        (tmp_path / "data" / "crown_2" / path.name).write_bytes(path.read_bytes())
    status, said, _ = command("evaluate", CROWNS, tmp_path / "data", "--out", tmp_path / "report")
    result = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert status == 0 and result["all_answered"]["balanced_accuracy"] == 1.0
    assert (
        result["anomaly"]["auroc"] is None
        and "AUROC" not in said
        and not (tmp_path / "report" / "roc.png").exists()
    )


@pytest.mark.parametrize(
    "make, complaint, code",
    [
        (lambda folder: None, "holds no pictures", 66),
        (lambda folder: folder.rmdir(), "no such folder", 66),
        (
            lambda folder: put(folder / "euro" / "a.png", 640, 480),
            "no folder is named as a label",
            66,
        ),
        (lambda folder: put(folder / "a.png", 640, 480), "no folders of their own", 66),
        (lambda folder: put(folder / "bit_10" / "a.png", 90, 90), "add --crops", 66),
        (lambda folder: put(folder / "bit_10" / "a.png", 640, 480), "no coin was found", 66),
        (
            lambda folder: (
                (folder / "bit_10").mkdir() or (folder / "bit_10" / "a.png").write_bytes(b"x")
            ),
            "none in a folder named as a label",
            66,
        ),
    ],
)
def test_pictures_that_cannot_be_judged_are_one_line_and_leave_nothing_behind(
    command, tmp_path, make, complaint, code
):
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    status, out, err = command("evaluate", CROWNS, tmp_path / "data", "--out", tmp_path / "report")
    assert status == code and complaint in only_line(err) and not out
    assert not [path for path in tmp_path.iterdir() if path.name != "data"]


def test_ready_crops_taken_for_frames_are_noticed_soon(command, tmp_path, caplog):
    for number in range(40):
        (tmp_path / "data").mkdir(exist_ok=True)
        put(tmp_path / "data" / "bit_10" / f"{number}.png", 90, 90)
    status, _, err = command("evaluate", CROWNS, tmp_path / "data", "--out", tmp_path / "report")
    assert status == 66 and "add --crops" in only_line(err) and len(caplog.records) == 10


def put(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


@pytest.mark.parametrize(
    "make, complaint",
    [
        (lambda out: out.write_text("precious"), "is a file"),
        (
            lambda out: out.mkdir() or (out / "thesis.txt").write_text("precious"),
            "holds something that is no report",
        ),
    ],
)
def test_what_is_no_report_is_never_replaced(command, photographs, tmp_path, make, complaint):
    make(tmp_path / "out")
    before = sorted(
        (path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()
    )
    status, _, err = command("evaluate", CROWNS, photographs, "--out", tmp_path / "out")
    assert status == 66 and complaint in only_line(err)
    assert (
        sorted((path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
        == before
    )


@pytest.mark.parametrize("out", ["bit_10/report", "."])
def test_a_report_is_not_mixed_with_the_pictures_it_is_of(command, photographs, out):
    before = sorted(photographs.rglob("*"))
    status, _, err = command("evaluate", CROWNS, photographs, "--out", photographs / out)
    assert (
        status == 66
        and "name another folder with --out" in only_line(err)
        and sorted(photographs.rglob("*")) == before
    )


def test_a_bundle_that_is_none_is_named(command, photographs, tmp_path):
    status, _, err = command("evaluate", tmp_path / "none", photographs, "--out", tmp_path / "out")
    assert status == 78 and "no such bundle" in only_line(err)


@pytest.mark.parametrize("arguments", [["--rotations", "-1"], ["--rotations", "many"], []])
def test_wrong_usage_is_said_with_status_2(command, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        command("evaluate", CROWNS, *arguments)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


def test_each_piece_of_evidence_makes_a_coin_stranger(judge, records):
    """A surer doubt, a higher anomaly and a diameter further off, each alone."""
    (usual,) = [r for r in records if r.path.stem == "coin_000"]
    known = replace(usual, image_confidence=0.99, anomaly=0.5, diameter_mm=18.0)
    score = ood.score(judge.models, known)
    for odd in (
        {"image_confidence": 0.5},
        {"anomaly": 4.0},
        {"diameter_mm": 18.9},
        {"anomaly": inf},
    ):
        assert score + 0.5 < ood.score(judge.models, replace(known, **odd)) < inf
    assert ood.score(judge.models, replace(known, diameter_mm=None)) < score


def test_damage_is_drawn_in_the_light_that_the_camera_saw():
    """The belt seen through a hole is as bright in a lifted crop as the belt around such a coin is; what is whole does not change."""
    plain, lifted = (
        CropSpec(64, 1.06, (100.0, 100.0, 100.0)),
        CropSpec(64, 1.06, (100.0, 100.0, 100.0), 0.0, 0.5),
    )
    crop = np.full((64, 64, 3), 60, np.uint8)
    for spec, belt in ((plain, 100), (lifted, 255 * (100 / 255) ** 0.5)):
        drawn = damage.damaged("clipped", crop, spec, None, np.random.default_rng(1))
        gone = (drawn != crop).any(axis=2)
        assert 0.02 < gone.mean() < 0.3 and np.median(drawn[gone]) == pytest.approx(belt, abs=6)
