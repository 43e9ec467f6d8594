"""The clocks never go back."""

from coinsorter.hardware.clock import ManualClock, MonotonicClock


def test_a_manual_clock_stands_until_it_is_moved_and_never_goes_back():
    clock = ManualClock(5.0)
    assert clock.now_s() == 5.0
    clock.advance_to(7.5)
    assert clock.now_s() == 7.5
    clock.advance_to(6.0)
    assert clock.now_s() == 7.5


def test_a_monotonic_clock_runs_by_itself():
    clock = MonotonicClock()
    start_s = clock.now_s()
    for _ in range(1_000_000):
        if clock.now_s() > start_s:
            break
    assert clock.now_s() > start_s
