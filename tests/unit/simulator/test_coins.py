"""Items that may lie on the belt."""

from collections import Counter

import pytest

from coinsorter.simulator import coins, currency
from coinsorter.vision.detect import find_circles
from tests.unit.simulator.conftest import MOTIFS, SEARCH, make_rng, render


def test_a_genuine_coin_has_nearly_its_nominal_diameter():
    item = coins.make_genuine_coin(make_rng(1), "crown_20")
    ((disc, offset),) = item.discs
    assert item.kind == coins.GENUINE and item.label == "crown_20"
    assert disc.diameter_mm == pytest.approx(27.5, rel=0.01) and offset == (0.0, 0.0)


def test_genuine_coins_are_of_any_denomination_unless_one_is_named():
    rng = make_rng(2)
    labels = Counter(coins.make_genuine_coin(rng).label for _ in range(80))
    assert set(labels) == set(currency.DENOMINATION_BY_LABEL)


@pytest.mark.parametrize("kind", coins.FOREIGN_KINDS)
def test_a_foreign_object_has_no_label(kind):
    item = coins.make_foreign_object(make_rng(3), kind, MOTIFS)
    assert item.kind == kind and item.label is None
    assert len(item.discs) == (2 if kind in ("touching", "overlapping") else 1)


@pytest.mark.parametrize(
    "kind, closest, farthest", [("touching", 1, 1.02), ("overlapping", 0.5, 0.95)]
)
@pytest.mark.parametrize("seed", range(4))
def test_how_far_the_coins_of_a_pair_lie_apart(kind, closest, farthest, seed):
    (first, (x1, y1)), (second, (x2, y2)) = coins.make_foreign_object(
        make_rng(seed), kind, ()
    ).discs
    distance_mm = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    touching_mm = (first.diameter_mm + second.diameter_mm) / 2
    assert closest * touching_mm <= distance_mm + 1e-9
    assert distance_mm <= farthest * touching_mm


def test_half_the_length_of_a_pair_reaches_to_its_farther_rim():
    item = coins.make_foreign_object(make_rng(4), "touching", ())
    reaches_mm = [abs(x) + disc.diameter_mm / 2 for disc, (x, _) in item.discs]
    assert item.half_length_mm == max(reaches_mm)


def test_a_washer_has_one_hole_and_a_button_two_or_four():
    ((washer, _),) = coins.make_foreign_object(make_rng(5), "washer", ()).discs
    buttons = [coins.make_foreign_object(make_rng(seed), "button", ()) for seed in range(12)]
    holes = {len(button.discs[0][0].holes) for button in buttons}
    assert len(washer.holes) == 1 and holes == {2, 4}


@pytest.mark.parametrize("label", currency.DENOMINATION_BY_LABEL)
def test_a_coin_is_detected_alone_and_measured_to_a_hundredth(label):
    (circle,) = find_circles(render(coins.make_genuine_coin(make_rng(2), label)), SEARCH)
    nominal_mm = currency.DENOMINATION_BY_LABEL[label].diameter_mm
    assert circle.alone and 2 * circle.radius_px / 4.0 == pytest.approx(nominal_mm, rel=0.01)


@pytest.mark.parametrize("kind", ["bent", "clipped", "touching", "overlapping"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_damaged_or_touches_is_detected_and_not_called_alone(kind, seed):
    circles = find_circles(render(coins.make_foreign_object(make_rng(seed), kind, MOTIFS)), SEARCH)
    assert circles and not any(circle.alone for circle in circles)


@pytest.mark.parametrize("kind", coins.FOREIGN_KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_every_foreign_object_is_detected(kind, seed):
    assert find_circles(render(coins.make_foreign_object(make_rng(seed), kind, MOTIFS)), SEARCH)
