"""mix: things of every source are drawn, in genuine coins' colours, and always the same ones."""

import numpy as np
import pytest

from coinsorter.training.exposure import mix
from coinsorter.training.exposure.mix import ExposureMix, ExposureSource
from coinsorter.training.samples.crop_store import Crops
from coinsorter.training.samples.samples import Samples
from coinsorter.vision.crop import FILL, CropSpec, mask_coin

SPEC = CropSpec(32, 1.06, (136.0, 136.0, 136.0))
IS_COIN = mask_coin(SPEC) > 0


def make_crops(count: int, colour: tuple[int, int, int], seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 40, (count, 32, 32, 1))
    crops = np.clip(np.array(colour) + noise - 20, 0, 255).astype(np.uint8)
    crops[:, ~IS_COIN] = FILL
    return crops


@pytest.fixture
def genuine():
    crops = np.concatenate([make_crops(5, (180, 40, 40), 1), make_crops(5, (200, 60, 60), 2)])
    labels = np.repeat([0, 1], 5)
    return Samples(Crops.wrap(crops), labels, (), np.zeros(10), np.arange(10))


def draw(exposure: ExposureMix, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([exposure.draw(rng) for _ in range(count)])


def test_what_is_drawn_is_a_crop_with_grey_around_the_coin(genuine):
    sources = [ExposureSource("pills", Crops.wrap(make_crops(3, (40, 40, 200), 3)))]
    things = draw(ExposureMix(genuine, sources, SPEC), 60)
    assert (things.shape, things.dtype) == ((60, 32, 32, 3), np.uint8)
    assert (things[:, ~IS_COIN] == FILL).all()


def test_the_same_generator_draws_the_same_things(genuine):
    exposure = ExposureMix(genuine, [], SPEC)
    assert (draw(exposure, 20, 4) == draw(exposure, 20, 4)).all()
    assert (draw(exposure, 20, 4) != draw(exposure, 20, 5)).any()


def test_many_things_get_genuine_colours_and_the_others_do_not(genuine, monkeypatch):
    monkeypatch.setattr(mix, "NEAR_SHARE", 0.0)
    sources = [ExposureSource("pills", Crops.wrap(make_crops(3, (40, 40, 200), 3)))]
    things = draw(ExposureMix(genuine, sources, SPEC), 400)
    red, _, blue = things[:, IS_COIN].mean(axis=1).T
    is_as_coins = red > blue + 60
    is_as_drawn = blue > red + 120
    assert 0.35 < is_as_coins.mean() < 0.6 and 0.2 < is_as_drawn.mean() < 0.6


def test_sources_without_things_are_passed_over(genuine):
    empty = ExposureSource("none", Crops.wrap(np.empty((0, 32, 32, 3), np.uint8)))
    assert len(draw(ExposureMix(genuine, [empty], SPEC), 30)) == 30


def test_many_are_drawn_as_one_by_one(genuine):
    exposure = ExposureMix(genuine, [], SPEC)
    assert (exposure.draw_many(20, np.random.default_rng(4)) == draw(exposure, 20, 4)).all()
