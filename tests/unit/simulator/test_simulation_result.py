"""What a simulated run is judged by."""

from dataclasses import replace

import pytest

from coinsorter.simulator.belt import Rider, SimulatedBelt
from coinsorter.simulator.coins import make_genuine_coin
from coinsorter.simulator.foreign_objects import make_foreign_object
from coinsorter.simulator.simulation_result import SimulationResult, compare_with_truth
from tests.unit.simulator.conftest import make_rng

LANDED = {"bit_10": 2, "bit_20": 1, "reject": 2}


@pytest.fixture
def riders():
    """A coin in its bin, one in another's, a good one rejected; a washer accepted, one rejected."""
    rng = make_rng(1)
    items = [
        (make_genuine_coin(rng, "bit_10"), "bit_10"),
        (make_genuine_coin(rng, "bit_10"), "bit_20"),
        (make_genuine_coin(rng, "bit_20"), "reject"),
        (make_foreign_object(rng, "washer", ()), "bit_10"),
        (make_foreign_object(rng, "washer", ()), "reject"),
    ]
    return [Rider(number, item, 0.0, 0.0, bin_) for number, (item, bin_) in enumerate(items)]


def compare(config, riders, bins=LANDED, belt_s=10.0, cpu_s=0.5) -> SimulationResult:
    totals = {"bins": bins, "seen": sum(bins.values()), "rejected": {"unsure": 2}}
    belt = SimulatedBelt(config, None, riders, {}, make_rng())
    return compare_with_truth(belt, totals, seed=4, fault=None, belt_s=belt_s, cpu_s=cpu_s)


def test_genuine_coins_are_counted_by_where_they_landed(config, riders):
    result = compare(config, riders)
    assert (result.objects, result.genuine_alone, result.foreign) == (5, 3, 2)
    assert (result.correct, result.wrong, result.foreign_accepted) == (1, 1, 1)
    assert result.foreign_kinds == {"washer": 2} and result.rejected == {"unsure": 2}


def test_a_bin_counts_what_does_not_belong_there(config, riders):
    bins = compare(config, riders).bins
    assert bins["bit_10"] == (2, 1) and bins["bit_20"] == (1, 1)
    assert bins["reject"] == (2, 1)
    assert set(bins) == {bin_.name for bin_ in config.bins} | {"reject"}


def test_speed_is_counted_per_item(config, riders):
    result = compare(config, riders)
    assert result.belt_coins_per_s == 0.5 and result.cpu_ms_per_coin == 100


def test_a_run_without_items_has_no_speed(config):
    result = compare(config, [], bins={}, belt_s=0.0, cpu_s=0.0)
    assert result.belt_coins_per_s == 0 and result.ledger_matches


@pytest.mark.parametrize(
    "bins",
    [
        pytest.param({**LANDED, "bit_10": 1}, id="one too few"),
        pytest.param({"bit_10": 1, "bit_20": 2, "reject": 2}, id="in another bin"),
        pytest.param({**LANDED, "crown_1": 1}, id="one too many"),
    ],
)
def test_the_ledger_must_match_in_every_bin(config, riders, bins):
    assert compare(config, riders).ledger_matches
    assert not compare(config, riders, bins).ledger_matches


def test_an_item_still_on_the_belt_is_no_match(config, riders):
    on_belt = replace(riders[0], landed=None)
    assert not compare(config, [on_belt, *riders[1:]]).ledger_matches
