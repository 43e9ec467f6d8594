"""Genuine coins that may lie on the belt."""

from collections import Counter

import pytest

from coinsorter.simulator import coins, currency
from coinsorter.vision.detect import find_circles
from tests.unit.simulator.conftest import SEARCH, make_rng, render


def test_a_genuine_coin_has_nearly_its_nominal_diameter():
    item = coins.make_genuine_coin(make_rng(1), "crown_20")
    ((disc, offset),) = item.discs
    assert item.kind == coins.GENUINE and item.label == "crown_20"
    assert disc.diameter_mm == pytest.approx(27.5, rel=0.01) and offset == (0.0, 0.0)


def test_genuine_coins_are_of_any_denomination_unless_one_is_named():
    rng = make_rng(2)
    labels = Counter(coins.make_genuine_coin(rng).label for _ in range(80))
    assert set(labels) == set(currency.DENOMINATION_BY_LABEL)


@pytest.mark.parametrize("label", currency.DENOMINATION_BY_LABEL)
def test_a_coin_is_detected_alone_and_measured_to_a_hundredth(label):
    (circle,) = find_circles(render(coins.make_genuine_coin(make_rng(2), label)), SEARCH)
    nominal_mm = currency.DENOMINATION_BY_LABEL[label].diameter_mm
    assert circle.alone and 2 * circle.radius_px / 4.0 == pytest.approx(nominal_mm, rel=0.01)
