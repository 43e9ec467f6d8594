"""near_coins: what is altered, what stays, and that each kind is as its docstring says."""

import numpy as np
import pytest

from coinsorter.training.exposure.near_coins import (
    KINDS,
    TRAINED_KINDS,
    CoinGrid,
    make_near_coin,
    match_colours,
    recolour,
)
from coinsorter.vision.crop import FILL, CropSpec

SPEC = CropSpec(64, 1.06, (136.0, 136.0, 136.0))
GRID = CoinGrid(SPEC)


def make_crop(seed: int, level: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    crop = rng.integers(level - 30, level + 30, (64, 64, 3)).astype(np.uint8)
    return GRID.clean(crop)


DARK, BRIGHT = make_crop(1, 70), make_crop(2, 180)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alters_the_coin_and_nothing_around_it(kind):
    dark = DARK.copy()
    altered = make_near_coin(kind, DARK, BRIGHT, GRID, np.random.default_rng(3))
    assert (altered.shape, altered.dtype) == (DARK.shape, np.uint8)
    assert (altered[~GRID.is_coin] == FILL).all()
    assert (dark == DARK).all(), "the crop itself stays as it is"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_near_coin(kind):
    first, second = (
        make_near_coin(kind, DARK, BRIGHT, GRID, np.random.default_rng(5)) for _ in range(2)
    )
    assert (first == second).all()


def mean_level(crop: np.ndarray, is_part: np.ndarray) -> float:
    return float(crop[is_part & GRID.is_coin].mean())


def test_a_swapped_core_is_the_others_and_the_rim_its_own():
    altered = make_near_coin("core-swapped", DARK, BRIGHT, GRID, np.random.default_rng(0))
    assert mean_level(altered, GRID.radius < 0.35) == pytest.approx(180, abs=8)
    assert mean_level(altered, GRID.radius > 0.9) == pytest.approx(70, abs=8)


def test_halves_are_of_both_coins():
    altered = make_near_coin("halves", DARK, BRIGHT, GRID, np.random.default_rng(0))
    levels = altered[GRID.is_coin].mean(axis=-1)
    shares = (levels < 110).mean(), (levels > 140).mean()
    assert min(shares) > 0.2


def test_a_hole_shows_the_belt_in_the_middle():
    altered = make_near_coin("hole", DARK, BRIGHT, GRID, np.random.default_rng(1))
    middle = altered[30:34, 30:34].astype(int)
    assert np.ptp(middle.mean(axis=2)) < 30, "belt has little grain"


def test_blurred_erased_and_flat_coins_have_no_detail_left():
    for kind in ("blurred", "erased"):
        altered = make_near_coin(kind, DARK, BRIGHT, GRID, np.random.default_rng(2))
        middle = GRID.radius < 0.5
        assert altered[middle].std() < DARK[middle].std() / 2, kind


def test_a_recoloured_coin_has_its_own_design_in_the_others_colours():
    altered = recolour(GRID, DARK, BRIGHT)
    assert mean_level(altered, GRID.radius < 0.6) == pytest.approx(180, abs=3)
    own = np.corrcoef(altered[GRID.is_coin].ravel(), DARK[GRID.is_coin].ravel())[0, 1]
    other = np.corrcoef(altered[GRID.is_coin].ravel(), BRIGHT[GRID.is_coin].ravel())[0, 1]
    assert own > 0.9 > 0.2 > abs(other)


def test_matched_colours_are_those_of_the_model_where_contrast_may_change_so_far():
    is_part = GRID.radius < 0.5
    matched = match_colours(DARK, BRIGHT, is_part)
    assert matched[is_part].mean() == pytest.approx(BRIGHT[is_part].mean(), abs=0.5)
    assert (matched[~is_part] == DARK[~is_part]).all()


def test_a_mirrored_coin_is_mirrored():
    rng = np.random.default_rng(7)
    turned = GRID.rotate(DARK, np.random.default_rng(7).uniform(0, 360))
    altered = make_near_coin("mirrored", DARK, BRIGHT, GRID, rng)
    is_inside = GRID.radius < 0.9
    assert (altered[:, ::-1][is_inside] == turned[is_inside]).all()


def test_a_gate_is_trained_with_the_kinds_that_it_can_learn():
    assert set(KINDS) - set(TRAINED_KINDS) == {"sectors", "core-turned", "mirrored"}
