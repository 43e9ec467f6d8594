"""The simulated belt: its drive, its feeder, and where items land."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.simulator.belt import (
    MIN_SPACING_MM,
    BeltDrive,
    Rider,
    SimulatedBelt,
    feed_items,
)
from coinsorter.simulator.coins import make_genuine_coin
from coinsorter.simulator.foreign_objects import FOREIGN_KINDS
from coinsorter.simulator.servo import SimulatedServo
from tests.unit.simulator.conftest import MOTIFS, PERIOD_US, make_rng

ARRIVES_S = (100 + 160) / 250  # the rider of `make_belt` at the first flap


def make_belt(
    config, opened: tuple[float, float] | None = None, seed: int = 7, bin_name: str = "bit_10"
) -> SimulatedBelt:
    """A belt with one coin, and with one bin's flap open over a span of time."""
    servos = {bin_.name: SimulatedServo(bin_.flap, 500, 2500, 1.0) for bin_ in config.bins}
    for name, servo in servos.items():
        servo.set_duty(0.0, 1500 / PERIOD_US)
        if opened and name == bin_name:
            servo.set_duty(opened[0], 2000 / PERIOD_US)
            servo.set_duty(opened[1], 1500 / PERIOD_US)
    rider = Rider(0, make_genuine_coin(make_rng(8), "crown_5"), 100.0, 0.0)
    drive = BeltDrive(config.belt.speed_mm_s, make_rng(6))
    return SimulatedBelt(config, drive, [rider], servos, make_rng(seed))


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 200))
def test_the_belt_runs_forward_at_about_its_speed(time_s):
    drive = BeltDrive(250.0, make_rng(5))
    position_mm = drive.compute_position_mm(time_s)
    assert position_mm == pytest.approx(250 * time_s, rel=0.02, abs=1)
    assert drive.compute_time_s(position_mm) == pytest.approx(time_s, abs=0.002)


def test_the_belt_stood_still_before_the_start():
    assert BeltDrive(250.0, make_rng(5)).compute_position_mm(-3.0) == 0


def test_the_belts_speed_wanders():
    drive = BeltDrive(250.0, make_rng(5))
    ways_mm = np.diff([drive.compute_position_mm(second) for second in range(30)])
    assert 0 < ways_mm.std() < 0.01 * 250


def test_a_fifth_of_the_feed_is_foreign_and_every_kind_is_in_it():
    riders = feed_items(300, MOTIFS, make_rng())
    kinds = [rider.item.kind for rider in riders if rider.item.label is None]
    assert len(kinds) == 60 and set(kinds) == set(FOREIGN_KINDS)


def test_no_item_follows_another_too_closely():
    riders = feed_items(100, MOTIFS, make_rng())
    assert np.diff([rider.offset_mm for rider in riders]).min() >= MIN_SPACING_MM
    assert all(-18 <= rider.y_mm <= 18 for rider in riders)


def test_of_items_on_their_way_no_maps_are_held():
    tracemalloc.start()
    riders = feed_items(40, MOTIFS, make_rng())
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 40 * 20_000  # one map of reflectances is a megabyte
    assert len(riders) == 40


def test_an_item_is_the_same_each_time_it_is_made():
    for rider in feed_items(40, MOTIFS, make_rng()):
        first, second = rider.make_item(), rider.make_item()
        assert first.half_length_mm == second.half_length_mm == rider.item.half_length_mm
        for (disc, _), (again, _) in zip(first.discs, second.discs):
            assert np.array_equal(disc.relief, again.relief)
            assert np.array_equal(disc.reflectance, again.reflectance)


def test_only_items_near_the_view_are_visible(config):
    belt = make_belt(config)
    assert belt.list_visible(0.0, 50.0) == []
    ((rider, x_mm),) = belt.list_visible(0.4, 50.0)
    assert rider is belt.riders[0] and x_mm == pytest.approx(0, abs=1)
    assert belt.list_visible(2.0, 50.0) == []


def test_an_item_lands_only_at_the_belts_end(config):
    belt = make_belt(config)
    belt.land_items(1.0)
    assert belt.riders[0].landed is None
    belt.land_items(10.0)
    assert belt.riders[0].landed == "reject"


@pytest.mark.parametrize(
    "opened, expected",
    [
        pytest.param(None, "reject", id="no flap opens"),
        pytest.param((ARRIVES_S - 0.5, ARRIVES_S + 0.5), "bit_10", id="open all the while"),
        pytest.param((ARRIVES_S + 0.3, ARRIVES_S + 0.5), "reject", id="too late"),
        pytest.param((ARRIVES_S - 0.9, ARRIVES_S - 0.4), "reject", id="too early"),
    ],
)
def test_the_flaps_decide_where_an_item_lands(config, opened, expected):
    belt = make_belt(config, opened)
    assert belt.find_landing_bin(belt.riders[0]) == expected


def test_an_item_struck_by_a_moving_flap_may_go_either_way(config):
    opened = (ARRIVES_S - 0.02, ARRIVES_S + 0.5)
    belts = [make_belt(config, opened, seed) for seed in range(12)]
    assert {belt.find_landing_bin(belt.riders[0]) for belt in belts} == {"bit_10", "reject"}
