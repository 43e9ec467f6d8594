"""Things on the belt that have to be rejected."""

import pytest

from coinsorter.simulator.foreign_objects import FOREIGN_KINDS, make_foreign_object
from coinsorter.vision.detect import find_circles
from tests.unit.simulator.conftest import MOTIFS, SEARCH, make_rng, render


@pytest.mark.parametrize("kind", FOREIGN_KINDS)
def test_a_foreign_object_has_no_label(kind):
    item = make_foreign_object(make_rng(3), kind, MOTIFS)
    assert item.kind == kind and item.label is None
    assert len(item.discs) == (2 if kind in ("touching", "overlapping") else 1)


@pytest.mark.parametrize(
    "kind, closest, farthest", [("touching", 1, 1.02), ("overlapping", 0.5, 0.95)]
)
@pytest.mark.parametrize("seed", range(4))
def test_how_far_the_coins_of_a_pair_lie_apart(kind, closest, farthest, seed):
    (first, (x1, y1)), (second, (x2, y2)) = make_foreign_object(make_rng(seed), kind, ()).discs
    distance_mm = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    touching_mm = (first.diameter_mm + second.diameter_mm) / 2
    assert closest * touching_mm <= distance_mm + 1e-9
    assert distance_mm <= farthest * touching_mm


def test_half_the_length_of_a_pair_reaches_to_its_farther_rim():
    item = make_foreign_object(make_rng(4), "touching", ())
    reaches_mm = [abs(x) + disc.diameter_mm / 2 for disc, (x, _) in item.discs]
    assert item.half_length_mm == max(reaches_mm)


def test_a_washer_has_one_hole_and_a_button_two_or_four():
    ((washer, _),) = make_foreign_object(make_rng(5), "washer", ()).discs
    buttons = [make_foreign_object(make_rng(seed), "button", ()) for seed in range(12)]
    holes = {len(button.discs[0][0].holes) for button in buttons}
    assert len(washer.holes) == 1 and holes == {2, 4}


@pytest.mark.parametrize("kind", ["bent", "clipped", "touching", "overlapping"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_damaged_or_touches_is_detected_and_not_called_alone(kind, seed):
    circles = find_circles(render(make_foreign_object(make_rng(seed), kind, MOTIFS)), SEARCH)
    assert circles and not any(circle.alone for circle in circles)


@pytest.mark.parametrize("kind", FOREIGN_KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_every_foreign_object_is_detected(kind, seed):
    assert find_circles(render(make_foreign_object(make_rng(seed), kind, MOTIFS)), SEARCH)
