"""damage: what is drawn onto coins, and whether the anomaly score notices it."""

import numpy as np
import pytest

from coinsorter.vision import crop as cropping
from coinsorter.vision.crop import FILL, CropSpec
from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.damage import (
    KINDS,
    CoinPlacement,
    clip,
    damage_crop,
    study_damage,
)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_changes_the_coin_and_nothing_around_it_always_in_the_same_way(
    kind, predictions, predictor
):
    spec, crop = predictor.bundle.crop, predictions[4].crop
    coin = CoinPlacement.from_spec(spec, 20.0)
    damaged, again = (KINDS[kind](crop, coin, np.random.default_rng(7)) for _ in range(2))
    assert (damaged == again).all()
    assert (damaged.dtype, damaged.shape) == (np.uint8, crop.shape)
    changed = np.abs(damaged.astype(int) - crop).max(axis=2) > 12
    outside = cropping.mask_coin(spec) == 0
    assert changed[~outside].mean() > 0.005
    assert (damaged[outside] == FILL).all()


def test_a_clipped_edge_takes_between_a_twentieth_and_a_fifth_of_the_coin(predictor):
    coin = CoinPlacement.from_spec(predictor.bundle.crop, None)
    white = np.full((64, 64, 3), 255, np.uint8)
    y, x = np.indices((64, 64)) - coin.centre_px
    on_coin = np.hypot(x, y) < coin.radius_px
    shares = []
    for seed in range(20):
        clipped = clip(white, coin, np.random.default_rng(seed))
        shares.append((clipped < 200).all(axis=2)[on_coin].mean())
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


def test_a_study_has_figures_and_examples_of_every_kind(predictor, predictions):
    steps: list[int] = []
    study = study_damage(predictor, predictions[:3], steps.append)
    assert steps == [1, 2, 3, 4, 5]
    assert list(study.kinds) == [*KINDS, "all"]
    assert study.intact_rejected.of == 3
    assert study.kinds["clipped"].rejected.of == 3
    assert study.kinds["all"].rejected.of == 15
    assert study.kinds["clipped"].auroc > 0.5
    intact, damaged = study.examples["painted"]
    assert (intact == np.stack([p.crop for p in predictions[:3]])).all()
    assert all((before != after).any() for before, after in zip(intact, damaged))
