"""evaluate: the worst mistakes, and images that cannot be evaluated."""

from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.errors import BundleError, InputError
from tests.conftest import CROWNS, needs_training

needs_training()

from coinsorter.training.evaluation.evaluate import (
    FIRST_IMAGES,
    EvaluationSettings,
    evaluate_bundle,
    list_mistakes,
)
from tests.unit.training.evaluation.hand_counted import LABELS, PREDICTIONS, predict


@contextmanager
def no_bar(what: str, steps: int):
    yield lambda done: None


def write_grey(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


def test_the_worst_mistakes_come_first():
    more = [predict("two", "one", 0.97), predict("two", "two", 0.7, 8.0, "unsure")]
    mistakes = list_mistakes([*PREDICTIONS, *more], LABELS)
    assert [(p.label, p.confidence) for p in mistakes["called wrong"]] == [
        ("two", 0.97),
        ("one", 0.80),
    ]
    assert [p.anomaly for p in mistakes["rejected though right"]] == [8.0, 5.0, 2.0]
    assert [p.label for p in mistakes["foreign but accepted"]] == ["token"]
    assert len(mistakes["no coin found"]) == 1


def test_kinds_of_mistakes_that_did_not_happen_are_not_listed():
    assert list_mistakes([predict("one", "one")], LABELS) == {}
    assert list(list_mistakes([predict("one", "two")] * 20, LABELS)) == ["called wrong"]


def test_no_more_than_two_rows_of_mistakes_are_listed():
    assert len(list_mistakes([predict("one", "two")] * 20, LABELS)["called wrong"]) == 12


def test_only_the_studies_that_are_wanted_are_made(photographs):
    evaluation = evaluate_bundle(EvaluationSettings(CROWNS, photographs), no_bar)
    assert evaluation.rotation is None
    assert evaluation.damage is None
    assert evaluation.crop_scale is None
    assert evaluation.ood is not None
    assert len(evaluation.predictions) == 16


@pytest.mark.parametrize(
    "make, complaint",
    [
        (lambda data: None, "holds no "),
        (lambda data: data.rmdir(), "no such folder"),
        (lambda data: write_grey(data / "euro" / "a.png", 640, 480), "is named as a label"),
        (lambda data: write_grey(data / "a.png", 640, 480), "no folders of their own"),
        (lambda data: write_grey(data / "bit_10" / "a.png", 90, 90), "add --crops"),
        (lambda data: write_grey(data / "bit_10" / "a.png", 640, 480), "no coin was found"),
    ],
)
def test_images_that_cannot_be_evaluated_are_refused(tmp_path, make, complaint):
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    with pytest.raises(InputError, match=complaint):
        evaluate_bundle(EvaluationSettings(CROWNS, tmp_path / "data"), no_bar)


def test_a_folder_of_files_that_are_no_images_is_refused(tmp_path):
    (tmp_path / "bit_10").mkdir()
    (tmp_path / "bit_10" / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match="none in a folder named as a label"):
        evaluate_bundle(EvaluationSettings(CROWNS, tmp_path), no_bar)


def test_ready_crops_taken_for_frames_are_noticed_soon(tmp_path):
    for number in range(40):
        write_grey(tmp_path / "bit_10" / f"{number}.png", 90, 90)
    counts = []

    @contextmanager
    def count_images(what: str, steps: int):
        yield counts.append

    with pytest.raises(InputError, match="add --crops"):
        evaluate_bundle(EvaluationSettings(CROWNS, tmp_path), count_images)
    assert max(counts) == FIRST_IMAGES


@pytest.mark.parametrize(
    ("crops", "complaint"), [(False, "add --crops"), (True, "is what is evaluated")]
)
def test_a_scale_is_not_taken_from_frames_or_from_what_is_evaluated(photographs, crops, complaint):
    settings = EvaluationSettings(CROWNS, photographs, crops, scale_from=photographs)
    with pytest.raises(InputError, match=complaint):
        evaluate_bundle(settings, no_bar)


def test_a_bundle_that_does_not_exist_is_named(photographs, tmp_path):
    with pytest.raises(BundleError, match="no such bundle"):
        evaluate_bundle(EvaluationSettings(tmp_path / "none", photographs), no_bar)
