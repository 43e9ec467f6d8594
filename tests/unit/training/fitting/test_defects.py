"""defects: what is drawn is where it is said to be, and a detector learns to find it."""

import cv2
import numpy as np
import pytest

from coinsorter.recognition import runtime
from coinsorter.recognition.anomaly import count_worst_pixels
from coinsorter.recognition.runtime import Network
from coinsorter.training.fitting import defects
from coinsorter.training.recipe import AugmentSettings, DefectDetectorSettings, Recipe
from coinsorter.training.samples.samples import Samples
from coinsorter.vision.crop import FILL, CropSpec, mask_coin
from tests.conftest import needs_training

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))


def plain(count: int, spec: CropSpec = SPEC) -> np.ndarray:
    """Coins with a ring and a cross, in many greys."""
    rng = np.random.default_rng(3)
    crops = (
        np.repeat(rng.integers(90, 200, (count, 1, 1, 1)), 64, 1)
        .repeat(64, 2)
        .repeat(3, 3)
        .astype(np.uint8)
    )
    for crop in crops:
        cv2.circle(crop, (32, 32), 22, (crop[0, 0] * 0.7).tolist(), 2)
        cv2.line(crop, (20, 32), (44, 32), (crop[0, 0] * 1.2).tolist(), 3)
    crops[:, mask_coin(spec) == 0] = FILL
    return crops


@pytest.mark.parametrize("gamma", [1.0, 0.5])
@pytest.mark.parametrize("kind", range(len(defects.KINDS)))
def test_a_defect_is_where_it_is_said_to_be_and_nowhere_else(kind, gamma, monkeypatch):
    shares = tuple(float(n == kind) for n in range(len(defects.KINDS)))
    monkeypatch.setattr(defects, "SHARES", shares)
    spec, rng = CropSpec(64, 1.06, (95.0, 95.0, 95.0), 0.0, gamma), np.random.default_rng(kind)
    crops = plain(40, spec)
    visible = 0
    for crop in crops:
        defective, cover = defects.draw_defects(crop, crops[0], spec, rng)
        assert defective.shape == crop.shape
        assert defective.dtype == np.uint8
        assert 0 <= cover.min() <= cover.max() <= 1
        assert (defective[cover == 0] == crop[cover == 0]).all()
        change = np.abs(defective.astype(int) - crop).mean(axis=2)
        assert (cover[change >= defects.FULL_CHANGE] == 1).all()
        visible += cover.max() > 0.5
    assert visible >= 28  # some are too faint to see


def test_every_other_coin_of_a_batch_is_defective_and_nothing_is_drawn_outside_of_coins():
    examples, truth = defects.make_examples(
        plain(32), SPEC, AugmentSettings(), np.random.default_rng(1)
    )
    assert examples.shape == (32, 64, 64, 3)
    assert truth.shape == (32, 32, 32, 1)
    assert not truth[::2].any()
    assert (truth[1::2].max(axis=(1, 2, 3)) > 0.3).mean() > 0.7
    assert (examples[:, mask_coin(SPEC) == 0] == FILL).all()


def score_defects(network: Network, crop: np.ndarray) -> float:
    """A crop's score as the machine computes it."""
    logits = network.dequantize(0, network(crop[None])[0]).reshape(-1)
    return float(np.sort(logits)[-count_worst_pixels(len(logits)) :].mean())


@pytest.mark.parametrize("network", ["u-net", "mobilenet-v1-025"])
def test_a_defect_detector_sees_a_hole_as_int8(network):
    needs_training()
    from coinsorter.training.export.quantize import quantize_int8
    from coinsorter.training.fitting.fit import fit_defect_detector

    crops = plain(48)
    samples = Samples(crops, np.zeros(48, int), (None,) * 48, np.full(48, 20.0), np.arange(48))
    settings = DefectDetectorSettings(network=network, width=8, epochs=10, batch=16, repeat=6)
    recipe = Recipe(name="x", source="frames", defect_detector=settings)
    model = fit_defect_detector(samples, SPEC, recipe, settings, lambda *_: None).model
    drilled = crops.copy()
    for crop in drilled:
        cv2.circle(crop, (40, 24), 6, (20, 20, 20), -1)
    # One runtime: tflite-runtime does not work beside TensorFlow in one process.
    network = Network(quantize_int8(model, crops), 1, runtime.list_runtimes()[0])
    intact_scores = [score_defects(network, crop) for crop in crops]
    drilled_scores = [score_defects(network, crop) for crop in drilled]
    assert np.median(drilled_scores) > np.quantile(intact_scores, 0.95)
