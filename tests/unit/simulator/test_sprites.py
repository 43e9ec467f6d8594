"""How items are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from coinsorter.simulator.coins import GENUINE, Disc, Item, make_genuine_coin
from coinsorter.simulator.foreign_objects import make_foreign_object
from coinsorter.simulator.sprites import SUPERSAMPLING, draw_item
from tests.unit.simulator.conftest import make_rng


def make_clean_disc(**changes) -> Disc:
    disc = make_genuine_coin(make_rng(1), "crown_2").discs[0][0]
    clean = replace(disc, tarnish=0.0, scratches=disc.scratches[:0], dirt=disc.dirt[:0])
    return replace(clean, **changes)


def draw_disc(disc: Disc, **options) -> np.ndarray:
    """The layers of a disc that lies alone."""
    item = Item(GENUINE, "crown_2", ((disc, (0.0, 0.0)),))
    return draw_item(item, 4.0, **options).layers


def measure_area_mm2(layers: np.ndarray) -> float:
    return layers[..., 3].sum() / (4.0 * SUPERSAMPLING) ** 2


def test_turning_a_coin_changes_its_look_because_the_light_stays():
    as_it_lies = draw_disc(make_clean_disc(turn_deg=0.0))[..., :3]
    turned = draw_disc(make_clean_disc(turn_deg=-90.0))[..., :3]
    assert np.abs(np.rot90(as_it_lies) - turned).mean() > 2.0


def test_a_coin_covers_the_area_of_its_diameter():
    layers = draw_disc(make_clean_disc(diameter_mm=23.0))
    assert measure_area_mm2(layers) == pytest.approx(np.pi * 11.5**2, rel=0.005)


def test_a_bent_coin_covers_less_by_its_stretch():
    area = measure_area_mm2(draw_disc(make_clean_disc(diameter_mm=23.0, stretch=0.8)))
    assert area == pytest.approx(0.8 * np.pi * 11.5**2, rel=0.005)


def test_half_a_coin_is_missing_where_it_is_clipped_to_the_middle():
    area = measure_area_mm2(draw_disc(make_clean_disc(diameter_mm=23.0, clip_depth=1.0)))
    assert area == pytest.approx(0.5 * np.pi * 11.5**2, rel=0.02)


def test_the_belt_is_seen_through_a_hole():
    layers = draw_disc(make_clean_disc(holes=((0.0, 0.0, 0.4),)))
    middle = layers.shape[0] // 2
    assert layers[middle, middle, 3] == 0 and layers[middle, middle - 60, 3] == 1


def test_tarnish_makes_a_coin_darker():
    clean = draw_disc(make_clean_disc())
    tarnished = draw_disc(make_clean_disc(tarnish=0.9))
    assert tarnished[..., :3].mean() < 0.9 * clean[..., :3].mean()


def test_motion_blur_widens_an_item_along_the_belt_only():
    cover = draw_disc(make_clean_disc(), motion_blur_mm=2.0)[..., 3] > 0.01
    wide, high = np.count_nonzero(cover.any(axis=0)), np.count_nonzero(cover.any(axis=1))
    assert wide - high == pytest.approx(2.0 * 4.0 * SUPERSAMPLING, abs=3)


def test_the_shadow_falls_away_from_the_lamp():
    item = make_genuine_coin(make_rng(1), "crown_2")
    sprite = draw_item(item, 4.0)
    shadow_only = sprite.shadow * (1 - sprite.layers[..., 3])
    middle = shadow_only.shape[0] // 2
    assert shadow_only[middle:, middle:].sum() > 3 * shadow_only[:middle, :middle].sum()


def test_of_two_overlapping_coins_the_second_lies_on_top():
    item = make_foreign_object(make_rng(3), "overlapping", ())
    (lower, _), (upper, (x_mm, y_mm)) = item.discs
    pair = draw_item(item, 4.0).layers
    alone = draw_item(Item("coin", None, ((upper, (x_mm, y_mm)),)), 4.0).layers
    centre = np.array([y_mm, x_mm]) * 4.0 * SUPERSAMPLING
    row, column = np.rint(pair.shape[0] // 2 + centre).astype(int)
    row_alone, column_alone = np.rint(alone.shape[0] // 2 + centre).astype(int)
    assert lower is not upper
    assert pair[row, column] == pytest.approx(alone[row_alone, column_alone], abs=1e-3)
