"""sensor_checks: what the sensors saw, compared with what the machine believes."""

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
    """Drop sensors that count from one call to the next."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, bin_: str) -> int:
        return self.counts.pop(bin_, 0)


def test_a_coin_that_was_seen_to_fall_is_settled_at_once():
    sensors = Sensors()
    check = DropSensorCheck(sensors, {"a": 0.4})
    check.expect(1, "a", 10.0)
    assert check.settle(10.1) == ([], [])
    sensors.counts["a"] = 1
    assert check.settle(10.2) == ([DropResult(1, "a", True)], [])
    assert check.settle(20.0) == ([], [])


def test_a_coin_may_fall_before_its_flap_has_closed():
    sensors = Sensors()
    check = DropSensorCheck(sensors, {"a": 0.4})
    sensors.counts["a"] = 1
    assert check.settle(9.9) == ([], [])
    check.expect(1, "a", 10.0)
    assert check.settle(10.0) == ([DropResult(1, "a", True)], [])


def test_a_coin_that_no_sensor_saw_is_settled_once_its_time_is_over():
    check = DropSensorCheck(Sensors(), {"a": 0.4})
    check.expect(1, "a", 10.0)
    assert check.settle(10.4) == ([], [])
    assert check.settle(10.41) == ([DropResult(1, "a", False)], [])


def test_what_falls_without_being_sent_is_unexpected():
    sensors = Sensors()
    check = DropSensorCheck(sensors, {"a": 0.4, "b": 0.4})
    check.expect(1, "a", 10.0)
    sensors.counts["b"] = 1
    assert check.settle(10.1) == ([], [])
    assert check.settle(10.1 + UNEXPECTED_AFTER_S + 0.01) == ([DropResult(1, "a", False)], ["b"])


def test_coins_that_are_forgotten_are_named_and_not_settled():
    check = DropSensorCheck(Sensors(), {"a": 0.4})
    check.expect(1, "a", 10.0)
    assert check.forget() == [1] and check.settle(99.0) == ([], [])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), max_size=30))
def test_every_coin_is_settled_exactly_once_and_every_drop_accounted_for(events):
    """Each event: a bin, whether a coin is expected there, whether something check there."""
    sensors, settled, unexpected = Sensors(), [], []
    check = DropSensorCheck(sensors, {"a": 0.4, "b": 0.4})
    for number, (bin_, expected, fell) in enumerate([*events, ("a", False, False)]):
        if expected:
            check.expect(number, bin_, 10.0 * number)
        sensors.counts[bin_] += fell
        for now_s in (10.0 * number + 0.1, 10.0 * number + 9.0):
            results, bins = check.settle(now_s)
            settled, unexpected = settled + results, unexpected + bins
    expected_coins = {number for number, (_, expected, _) in enumerate(events) if expected}
    assert sorted(result.coin for result in settled) == sorted(expected_coins)
    assert sum(result.seen for result in settled) + len(unexpected) == sum(
        fell for _, _, fell in events
    )
    assert all(result.seen == events[result.coin][2] for result in settled)


def test_things_that_broke_the_beam_and_were_not_seen_are_counted_once_the_belt_is_empty():
    beam = BeamCheck()
    assert beam.count_unseen(broken=3, seen=0, busy=True, now_s=0.0) == 0
    assert beam.count_unseen(broken=0, seen=1, busy=True, now_s=1.0) == 0
    assert beam.count_unseen(broken=0, seen=0, busy=False, now_s=1.0 + QUIET_S) == 0
    assert beam.count_unseen(broken=0, seen=0, busy=False, now_s=1.1 + QUIET_S) == 2
    assert beam.count_unseen(broken=0, seen=0, busy=False, now_s=99.0) == 0


def test_things_that_touch_break_the_beam_once_and_raise_no_alarm():
    beam = BeamCheck()
    beam.count_unseen(broken=1, seen=0, busy=True, now_s=0.0)
    beam.count_unseen(broken=0, seen=2, busy=True, now_s=1.0)
    assert beam.count_unseen(broken=0, seen=0, busy=False, now_s=60.0) == 0
