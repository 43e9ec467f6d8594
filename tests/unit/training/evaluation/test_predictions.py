"""predictions: what single images become, whole frames and ready crops."""

import pickle
import shutil
from dataclasses import replace
from math import inf
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.errors import BundleError, InputError
from coinsorter.recognition import runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Frame
from coinsorter.sorting.assembly import build_search
from coinsorter.vision.detect import find_circles
from tests.conftest import CROWNS, needs_training

needs_training()

from coinsorter.training.dataset import quality
from coinsorter.training.evaluation.predictions import (
    Predictor,
    predict_folder,
    select_foreign,
    select_genuine,
)
from tests.unit.training.evaluation.hand_counted import LABELS, PREDICTIONS


def test_predictions_are_genuine_or_foreign_or_unlabelled():
    genuine, foreign = select_genuine(PREDICTIONS, LABELS), select_foreign(PREDICTIONS, LABELS)
    assert {p.label for p in genuine} == set(LABELS)
    assert [p.label for p in foreign] == ["token", "washer"]
    assert len(genuine) + len(foreign) == len(PREDICTIONS) - 1


def test_what_the_pipeline_answers_is_recorded(predictions):
    assert len(predictions) == 16
    for prediction in predictions:
        probabilities = prediction.probabilities
        assert prediction.crop.shape == (64, 64, 3)
        assert probabilities.max() == pytest.approx(prediction.confidence, rel=1e-4)
        assert 0 < probabilities.sum() <= 1 + 1e-6
    assert all(p.is_correct for p in predictions[:12])
    assert [p.label for p in predictions[12:]] == ["token"] * 4


def test_an_image_without_a_coin_is_recorded_with_the_whole_image(predictor):
    pixels = np.full((480, 640, 3), 90, np.uint8)
    prediction = predictor.predict_frame(Frame(pixels, 0, 0.0), Path("x.png"), "bit_10")
    assert not prediction.has_coin
    assert not prediction.accepted
    assert prediction.reason == "no-coin"
    assert prediction.anomaly == inf
    assert prediction.crop.shape == (64, 64, 3)
    assert (prediction.crop[32] == 90).all()


def test_a_ready_crop_is_classified_by_its_looks_alone(
    photographs, predictor, predictions, tmp_path
):
    """The same coins cut out square, as large as the image: no diameter, no threshold on it."""
    for prediction in predictions:
        folder = tmp_path / prediction.label
        folder.mkdir(exist_ok=True)
        square = cut_square(cv2.imread(str(prediction.path)), predictor.bundle)
        cv2.imwrite(str(folder / prediction.path.name), square)
    crops = list(predict_folder(tmp_path, predictor, crops=True))
    genuine = select_genuine(crops, predictor.bundle.labels)
    assert all(p.diameter_mm is None and p.reason != "diameter" for p in crops)
    assert sum(p.is_correct for p in genuine) >= 11
    assert any(p.accepted for p in genuine)


def cut_square(bgr: np.ndarray, bundle) -> np.ndarray:
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    (circle,) = find_circles(rgb, build_search(bundle, bundle.view))
    edge = round(circle.radius_px / quality.INSCRIBED)
    square = cv2.getRectSubPix(bgr, (edge, edge), (circle.x_px, circle.y_px))
    return cv2.resize(square, None, fx=2.5, fy=2.5)


def test_a_bundle_whose_crops_show_the_size_refuses_ready_crops(predictor, photographs):
    bundle = predictor.bundle
    spec = replace(bundle.crop, full_mm=27.5)
    sized = replace(bundle, manifest=bundle.manifest.model_copy(update={"crop": spec}))
    strict = Predictor(sized, Classifier(bundle, runtime.pick_runtime("auto")))
    with pytest.raises(InputError, match="give it whole frames"):
        list(predict_folder(photographs, strict, crops=True))


def test_the_light_is_not_corrected_by_corners_that_were_painted_over(predictor):
    pixels = np.full((100, 100, 3), 255, np.uint8)
    cv2.circle(pixels, (50, 50), 47, (120, 110, 90), -1)
    prediction = predictor.predict_ready_crop(Frame(pixels, 0, 0.0), Path("x.png"), None)
    assert prediction.crop[32, 32].tolist() == [120, 110, 90]
    assert prediction.diameter_mm is None


def test_log_probabilities_of_a_crop_are_those_of_its_prediction(predictor, predictions):
    prediction = predictions[0]
    by_image, fused = predictor.compute_log_probabilities(prediction.crop, prediction.diameter_mm)
    assert np.exp(by_image).max() == pytest.approx(prediction.image_confidence, rel=0.05)
    assert list(predictor.bundle.labels)[fused.argmax()] == prediction.predicted
    alone, unknown = predictor.compute_log_probabilities(prediction.crop, None)
    assert (alone == by_image).all()
    assert (unknown == alone).all()


def test_a_folder_without_a_label_of_the_bundle_names_both(predictor, tmp_path):
    for number in range(10):
        (tmp_path / f"euro_{number}").mkdir()
        pixels = np.full((480, 640, 3), 90, np.uint8)
        cv2.imwrite(str(tmp_path / f"euro_{number}" / "a.png"), pixels)
    with pytest.raises(InputError) as refusal:
        predict_folder(tmp_path, predictor, crops=False)
    assert "bit_10" in str(refusal.value)
    assert "euro_0, euro_1" in str(refusal.value)
    assert "and 2 more" in str(refusal.value)


def test_in_another_process_a_predictor_is_opened_again_and_predicts_the_same(predictor):
    again = pickle.loads(pickle.dumps(predictor))
    assert again is not predictor
    assert pickle.loads(pickle.dumps(predictor)) is again  # once in a process
    crop = predictor.bundle.golden.crops[0]
    first, second = (
        one.predict_crop(Path("x.png"), None, crop, 20.0) for one in (predictor, again)
    )
    assert (first.probabilities == second.probabilities).all()
    assert (first.anomaly, first.reason) == (second.anomaly, second.reason)


def test_a_bundle_that_was_replaced_meanwhile_is_not_mixed_with_the_first(predictor, tmp_path):
    first = shutil.copytree(CROWNS, tmp_path / "bundle")
    own = replace(predictor.bundle, path=first, digest="0" * 64)
    stale = pickle.dumps(Predictor(own, Classifier(predictor.bundle, runtime.pick_runtime("auto"))))
    with pytest.raises(BundleError, match="was replaced meanwhile"):
        pickle.loads(stale)
