"""witnesses: what sensors saw, held against what the machine believes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from coinsorter.sorting.sensor_checks import (
    QUIET_S,
    UNEXPECTED_AFTER_S,
    BeamCheck,
    DropResult,
    DropSensorCheck,
)


class Sensors:
    """Drop sensors that count, until they are asked."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, bin_: str) -> int:
        return self.counts.pop(bin_, 0)


def test_a_coin_that_was_seen_to_fall_is_settled_at_once():
    sensors = Sensors()
    falls = DropSensorCheck(sensors, {"a": 0.4})
    falls.expect(1, "a", 10.0)
    assert falls.settle(10.1) == ([], [])
    sensors.counts["a"] = 1
    assert falls.settle(10.2) == ([DropResult(1, "a", True)], [])
    assert falls.settle(20.0) == ([], [])


def test_a_coin_may_fall_before_its_flap_is_done_with_it():
    sensors = Sensors()
    falls = DropSensorCheck(sensors, {"a": 0.4})
    sensors.counts["a"] = 1
    assert falls.settle(9.9) == ([], [])
    falls.expect(1, "a", 10.0)
    assert falls.settle(10.0) == ([DropResult(1, "a", True)], [])


def test_a_coin_that_nobody_saw_fall_is_told_once_its_time_is_over():
    falls = DropSensorCheck(Sensors(), {"a": 0.4})
    falls.expect(1, "a", 10.0)
    assert falls.settle(10.4) == ([], [])
    assert falls.settle(10.41) == ([DropResult(1, "a", False)], [])


def test_what_falls_without_being_sent_is_told():
    sensors = Sensors()
    falls = DropSensorCheck(sensors, {"a": 0.4, "b": 0.4})
    falls.expect(1, "a", 10.0)
    sensors.counts["b"] = 1
    assert falls.settle(10.1) == ([], [])
    assert falls.settle(10.1 + UNEXPECTED_AFTER_S + 0.01) == ([DropResult(1, "a", False)], ["b"])


def test_coins_that_are_forgotten_are_named_and_not_settled():
    falls = DropSensorCheck(Sensors(), {"a": 0.4})
    falls.expect(1, "a", 10.0)
    assert falls.forget() == [1] and falls.settle(99.0) == ([], [])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), max_size=30))
def test_every_coin_is_settled_exactly_once_and_every_fall_accounted_for(events):
    """Each event: a bin, whether a coin is expected there, whether something falls there."""
    sensors, settled, strange = Sensors(), [], []
    falls = DropSensorCheck(sensors, {"a": 0.4, "b": 0.4})
    for number, (bin_, expected, fell) in enumerate([*events, ("a", False, False)]):
        if expected:
            falls.expect(number, bin_, 10.0 * number)
        sensors.counts[bin_] += fell
        for now_s in (10.0 * number + 0.1, 10.0 * number + 9.0):
            more, odd = falls.settle(now_s)
            settled, strange = settled + more, strange + odd
    expected_coins = {number for number, (_, expected, _) in enumerate(events) if expected}
    assert sorted(fall.coin for fall in settled) == sorted(expected_coins)
    assert sum(fall.seen for fall in settled) + len(strange) == sum(fell for _, _, fell in events)
    assert all(fall.seen == events[fall.coin][2] for fall in settled)


def test_things_that_broke_the_beam_and_were_not_seen_are_told_once_the_belt_is_empty():
    entries = BeamCheck()
    assert entries.count_unseen(broken=3, seen=0, busy=True, now_s=0.0) == 0
    assert entries.count_unseen(broken=0, seen=1, busy=True, now_s=1.0) == 0
    assert entries.count_unseen(broken=0, seen=0, busy=False, now_s=1.0 + QUIET_S) == 0
    assert entries.count_unseen(broken=0, seen=0, busy=False, now_s=1.1 + QUIET_S) == 2
    assert entries.count_unseen(broken=0, seen=0, busy=False, now_s=99.0) == 0


def test_things_that_touch_break_the_beam_once_and_nobody_is_alarmed():
    entries = BeamCheck()
    entries.count_unseen(broken=1, seen=0, busy=True, now_s=0.0)
    entries.count_unseen(broken=0, seen=2, busy=True, now_s=1.0)
    assert entries.count_unseen(broken=0, seen=0, busy=False, now_s=60.0) == 0
