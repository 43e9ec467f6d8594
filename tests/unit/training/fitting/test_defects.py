"""blemishes: what is drawn is told truly, and an inspector learns to find it."""

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
def test_a_blemish_is_where_it_is_said_to_be_and_nowhere_else(kind, gamma, monkeypatch):
    monkeypatch.setattr(
        defects, "SHARES", tuple(float(n == kind) for n in range(len(defects.KINDS)))
    )
    spec, rng = CropSpec(64, 1.06, (95.0, 95.0, 95.0), 0.0, gamma), np.random.default_rng(kind)
    crops, covered = plain(40, spec), 0
    for crop in crops:
        found, cover = defects.draw_defects(crop, crops[0], spec, rng)
        assert (
            found.shape == crop.shape
            and found.dtype == np.uint8
            and 0 <= cover.min() <= cover.max() <= 1
        )
        assert (found[cover == 0] == crop[cover == 0]).all()
        assert (
            cover[(np.abs(found.astype(int) - crop).mean(axis=2) >= defects.FULL_CHANGE)] == 1
        ).all()
        covered += cover.max() > 0.5
    assert covered >= 28  # some are too faint to see


def test_every_other_coin_of_a_batch_is_blemished_and_outside_of_the_coin_nothing_is_drawn():
    pictures, truth = defects.make_examples(
        plain(32), SPEC, AugmentSettings(), np.random.default_rng(1)
    )
    assert pictures.shape == (32, 64, 64, 3) and truth.shape == (32, 32, 32, 1)
    assert not truth[::2].any() and (truth[1::2].max(axis=(1, 2, 3)) > 0.3).mean() > 0.7
    assert (pictures[:, mask_coin(SPEC) == 0] == FILL).all()


def test_an_inspector_sees_a_hole_as_int8_on_every_runtime():
    needs_training()
    from coinsorter.training.export import quantize
    from coinsorter.training.fitting import fit

    crops = plain(48)
    samples = Samples(crops, np.zeros(48, int), (None,) * 48, np.full(48, 20.0), np.arange(48))
    wanted = Recipe(
        name="x",
        source="frames",
        defect_detector=DefectDetectorSettings(width=8, epochs=10, batch=16, repeat=6),
    )
    model = fit.fit_defect_detector(
        samples, SPEC, wanted, wanted.defect_detector, lambda *told: None
    ).model
    content = quantize.quantize_int8(model, crops)
    drilled = crops.copy()
    for crop in drilled:
        cv2.circle(crop, (40, 24), 6, (20, 20, 20), -1)
    # tflite-runtime does not work beside TensorFlow in one process
    network = Network(content, 1, runtime.list_runtimes()[0])
    sound = [measure_worst(network, crop) for crop in crops]
    assert np.median([measure_worst(network, crop) for crop in drilled]) > np.quantile(sound, 0.95)


def measure_worst(network: Network, crop: np.ndarray) -> float:
    """The mean of the defect map's worst pixels."""
    logits = np.sort(network.dequantize(0, network(crop[None])[0]).reshape(-1))
    return float(logits[-count_worst_pixels(len(logits)) :].mean())
