"""The one clock that every time in the machine is read from."""

import time


class MonotonicClock:
    """Seconds that never jump and never go back."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()


class ManualClock:
    """A clock that a simulator moves on, so that it runs faster than life and no test sleeps."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """The time that the clock was last moved to."""
        return self._now_s

    def advance_to(self, now_s: float) -> None:
        """Moves on; never back."""
        self._now_s = max(self._now_s, now_s)
