"""The belt's speed from coins that ride by; which coin fell, and where that puts the flap."""

from math import sqrt

import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.records import Coin, Frame
from coinsorter.sorting.assembly import build_search
from coinsorter.tools import calibrate_belt
from coinsorter.tools.calibrate_belt import FallenCoin
from coinsorter.tools.capture import BeltView


def rode_by(speed_mm_s: float, alone: bool = True) -> Coin:
    return Coin(1, (), (), 23.0, 0, 0, 0, speed_mm_s, 1.0, 9, alone=alone)


def test_the_belts_speed_is_that_of_the_median_coin_and_its_tolerance_allows_for_all_but_outliers():
    rng = np.random.default_rng(1)
    coins = (
        [rode_by(speed) for speed in rng.normal(240, 2.4, 200)]
        + [rode_by(90), rode_by(500)]
        + [rode_by(100, alone=False)] * 100
    )
    speed = calibrate_belt.measure_belt_speed(coins)
    assert speed.coins == 202 and speed.speed_mm_s == pytest.approx(240, rel=0.002)
    assert speed.relative_mad_std == pytest.approx(0.01, rel=0.15)
    assert speed.tolerance == pytest.approx(3 * speed.relative_mad_std)


def test_an_even_belt_is_still_given_some_tolerance():
    assert calibrate_belt.measure_belt_speed([rode_by(250.0)] * 8).tolerance == 0.005


@pytest.mark.parametrize(
    "coins, complaint",
    [
        ([rode_by(250)] * 7 + [rode_by(250, alone=False)] * 9, "7 coins rode by alone"),
        ([rode_by(s) for s in range(100, 500, 40)], "% apart"),
    ],
)
def test_coins_that_give_no_speed_are_refused(coins, complaint):
    with pytest.raises(InputError, match=complaint):
        calibrate_belt.measure_belt_speed(coins)


def coin(number: int, seen_s: float = 0.0, alone: bool = True) -> Coin:
    return Coin(number, (), (), 23.0, 60.0, 0.0, seen_s, 250.0, 1.0, 9, alone=alone)


class ScriptedView:
    """Camera, tracker and sensor at once, a frame a second.

    leaving: the coins that leave the view, by frame. falls: when something fell, by the frame that
    it is known at.
    """

    def __init__(
        self, leaving: dict[int, list[Coin]], falls: dict[int, list[float]], frames: int
    ) -> None:
        self.leaving, self.falls, self.frames, self.now = leaving, falls, frames, -1

    def next_frame(self) -> Frame | None:
        self.now += 1
        if self.now == self.frames:
            return None
        return Frame(np.zeros((120, 160, 3), np.uint8), self.now, float(self.now))

    def update(self, frame: Frame, circles: list) -> list[Coin]:
        return self.leaving.get(frame.number, [])

    def take_drop_times_s(self) -> list[float]:
        return self.falls.pop(self.now, [])


@pytest.mark.parametrize(
    "leaving, falls, expected",
    [
        ({1: [coin(1)], 5: [coin(2)]}, {2: [1.9], 7: [6.5]}, [(1, 1.9), (2, 6.5)]),
        (
            {1: [coin(1)], 2: [coin(2)], 7: [coin(3)]},
            {3: [2.9], 4: [3.9], 9: [8.5]},
            [(3, 8.5)],
        ),  # the first two had each other's company
        ({1: [coin(1)], 5: [coin(2)]}, {7: [6.5]}, []),  # the first was missed: whose fall was it?
        ({1: [coin(1, alone=False)], 5: [coin(2)]}, {2: [1.8, 1.9], 7: [6.5]}, [(2, 6.5)]),
        (
            {1: [coin(1)], 5: [coin(2)]},
            {2: [1.8, 1.9], 7: [6.5]},
            [(1, 1.8), (2, 6.5)],
        ),  # it bounced
        ({2: [coin(1)]}, {-1: [-3.0], 4: [3.5]}, [(1, 3.5)]),  # something fell before
        ({6: [coin(1)]}, {2: [7.5]}, [(1, 7.5)]),  # frames lag behind
        ({1: [coin(1)]}, {}, []),
    ],
)
def test_a_coin_counts_only_if_no_other_can_have_fallen(crowns, config, leaving, falls, expected):
    script = ScriptedView(leaving, falls, 12)
    fallen_coins = calibrate_belt.follow_falling_coins(
        BeltView(script, script, build_search(crowns, config.scale)),
        "bit_10",
        script.take_drop_times_s,
    )
    assert [(one.coin.number, one.fell_s) for one in fallen_coins] == expected


def fallen(ways_mm, speed_mm_s: float = 200.0, fall_mm: float = 50.0) -> list[FallenCoin]:
    """Coins last seen at 60 mm that began to fall at these places."""
    fall_s = sqrt(2 * fall_mm / 9806.65)
    return [
        FallenCoin(coin(n, seen_s=n), n + (way - 60) / speed_mm_s + fall_s)
        for n, way in enumerate(ways_mm)
    ]


def test_the_place_is_the_median_coins_and_the_fall_is_no_part_of_it():
    place = calibrate_belt.locate_flap(
        "bit_10", fallen([300.0] * 7 + [302.0, 298.0, 340.0]), 200.0, 50.0
    )
    assert (
        place.distance_mm == pytest.approx(300)
        and place.coins == 10
        and place.distance_mad_std_mm == pytest.approx(0)
    )
    assert place.travel_ms == pytest.approx(1000 * (300 / 200 + sqrt(100 / 9806.65)))
    assert place.drop_ms == 101  # 100.98: the fall, without any allowance


@pytest.mark.parametrize("wrong_mm", [-5.0, 5.0])
def test_a_ruler_that_is_5_mm_off_matters_little(wrong_mm):
    place = calibrate_belt.locate_flap("bit_10", fallen([300.0] * 8, 250.0), 250.0, 50.0 + wrong_mm)
    assert abs(place.distance_mm - 300) < 1.4


def test_the_deviation_of_single_coins_and_what_drop_ms_allows_for_it():
    ways_mm = 300 + np.random.default_rng(1).normal(0, 4, 400)
    place = calibrate_belt.locate_flap("bit_10", fallen(ways_mm), 200.0, 50.0)
    assert place.distance_mad_std_mm == pytest.approx(4, rel=0.15)
    assert place.distance_sem_mm == pytest.approx(0.25, rel=0.15)
    assert place.distance_mm == pytest.approx(300, abs=3 * place.distance_sem_mm)
    assert place.drop_ms == pytest.approx(101 + 3 * 20, abs=10)


def test_the_shortest_drop_is_one_that_config_yaml_takes():
    assert (
        calibrate_belt.locate_flap("bit_10", fallen([300.0] * 8, fall_mm=1.0), 200.0, 1.0).drop_ms
        == 20
    )


@pytest.mark.parametrize(
    "ways_mm, complaint",
    [
        ([300.0] * 7, "bin bit_10: 7 coins were seen to fall; its flap's place needs 8 or more"),
        ([280.0, 320.0] * 8, "bin bit_10: single coins put its flap 30 mm apart"),
    ],
)
def test_coins_that_give_no_place_are_refused(ways_mm, complaint):
    with pytest.raises(InputError, match=complaint):
        calibrate_belt.locate_flap("bit_10", fallen(ways_mm), 200.0, 50.0)


def test_coins_are_refused_only_beyond_the_limit():
    apart_mm = 10 / 1.4826
    assert calibrate_belt.locate_flap(
        "bit_10", fallen([300 - 0.99 * apart_mm, 300 + 0.99 * apart_mm] * 8), 200.0, 50.0
    ).distance_mad_std_mm == pytest.approx(9.9)
    with pytest.raises(InputError, match="see that the flap opens wholly"):
        calibrate_belt.locate_flap(
            "bit_10", fallen([300 - 1.01 * apart_mm, 300 + 1.01 * apart_mm] * 8), 200.0, 50.0
        )
