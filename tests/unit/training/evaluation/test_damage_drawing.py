"""damage_drawing: damage is on the coin only, in the right light, and of the stated size."""

import numpy as np
import pytest

from coinsorter.vision import crop as cropping
from coinsorter.vision.crop import FILL, CropSpec
from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.damage_drawing import KINDS, Canvas, clip, damage_crop


@pytest.mark.parametrize("kind", KINDS)
def test_damage_changes_the_coin_and_nothing_around_it_always_in_the_same_way(
    kind, predictions, predictor
):
    spec, crop = predictor.bundle.crop, predictions[4].crop
    damaged, again = (
        KINDS[kind](Canvas.from_spec(crop, spec, 20.0, np.random.default_rng(7))) for _ in range(2)
    )
    assert (damaged == again).all()
    assert (damaged.dtype, damaged.shape) == (np.uint8, crop.shape)
    changed = np.abs(damaged.astype(int) - crop).max(axis=2) > 12
    outside = cropping.mask_coin(spec) == 0
    assert changed[~outside].mean() > 0.005
    assert (damaged[outside] == FILL).all()


def test_a_clipped_edge_takes_between_a_twentieth_and_a_fifth_of_the_coin(predictor):
    white = np.full((64, 64, 3), 255, np.uint8)
    shares = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        canvas = Canvas.from_spec(white, predictor.bundle.crop, None, rng)
        on_coin = canvas.mask_coin() > 0.5
        shares.append((clip(canvas) < 200).all(axis=2)[on_coin].mean())
    assert 0.04 < min(shares) < 0.09
    assert 0.15 < max(shares) < 0.21


@pytest.mark.parametrize("gamma, belt", [(1.0, 100), (0.5, 255 * (100 / 255) ** 0.5)])
def test_damage_is_drawn_in_the_light_that_the_camera_saw(gamma, belt):
    """The belt beyond a cut is as bright as around such a coin; intact pixels do not change."""
    spec = CropSpec(64, 1.06, (100.0, 100.0, 100.0), 0.0, gamma)
    crop = np.full((64, 64, 3), 60, np.uint8)
    damaged = damage_crop("clipped", crop, spec, None, np.random.default_rng(1))
    missing = (damaged != crop).any(axis=2)
    assert 0.02 < missing.mean() < 0.3
    assert np.median(damaged[missing]) == pytest.approx(belt, abs=6)


def test_a_coin_is_as_large_on_its_canvas_as_in_its_crop():
    spec = CropSpec(64, 1.0, (100.0, 100.0, 100.0), full_mm=30.0)
    white = np.full((64, 64, 3), 255, np.uint8)
    rng = np.random.default_rng(1)
    assert Canvas.from_spec(white, spec, 15.0, rng).radius_px == 16
    assert Canvas.from_spec(white, spec, None, rng).radius_px == 32
    mask = Canvas.from_spec(white, spec, 15.0, rng).mask_coin()
    assert mask.sum() == pytest.approx(np.pi * 16**2, rel=0.01)
