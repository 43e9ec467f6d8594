"""What sensors saw, held against what the machine believes: coins that fall into bins, and things that enter the view.

A bin without a drop sensor is believed; with one, a coin counts as fallen into it only if the sensor saw something fall in time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# Rules of thumb, in seconds. A coin may fall before its flap is done with it; what fell for longer than this without one was not sent there.
UNEXPECTED_AFTER_S = 2.0
# Without anything on the belt for so long, everything that broke the beam has been seen.
QUIET_S = 3.0


@dataclass(frozen=True)
class DropResult:
    """What became of a coin that was turned into a bin: whether its sensor saw it fall."""

    coin: int
    bin: str
    seen: bool


@dataclass
class DropSensorCheck:
    """Drop sensors, asked about each coin that is believed to have fallen.

    asked: how often something fell into a bin since it was last asked. within_s: by bin with a sensor, how long after its flap a coin has
    fallen past it.
    """

    asked: Callable[[str], int]
    within_s: Mapping[str, float]
    _falling: list[tuple[int, str, float]] = field(default_factory=list)
    _fallen: list[tuple[str, float]] = field(default_factory=list)

    def watches(self, bin: str) -> bool:
        """Whether the bin has a sensor."""
        return bin in self.within_s

    def expect(self, coin: int, bin: str, now_s: float) -> None:
        """A coin's flap is done with it: by now, or soon, it has fallen."""
        self._falling.append((coin, bin, now_s + self.within_s[bin]))

    def settle(self, now_s: float) -> tuple[list[DropResult], list[str]]:
        """What became of coins that were expected to fall, and the bins into which something fell that nobody expected there."""
        self._fallen += [(bin, now_s) for bin in self.within_s for _ in range(self.asked(bin))]
        settled = [
            fall for expected in list(self._falling) if (fall := self._settled(*expected, now_s))
        ]
        strange = [(bin, at_s) for bin, at_s in self._fallen if now_s > at_s + UNEXPECTED_AFTER_S]
        self._fallen = [fallen for fallen in self._fallen if fallen not in strange]
        return settled, [bin for bin, _ in strange]

    def forget(self) -> list[int]:
        """Expects nothing any more; returns the coins that were expected."""
        coins = [coin for coin, _, _ in self._falling]
        self._falling, self._fallen = [], []
        return coins

    def _settled(self, coin: int, bin: str, until_s: float, now_s: float) -> DropResult | None:
        match = next((fallen for fallen in self._fallen if fallen[0] == bin), None)
        if match is None and now_s <= until_s:
            return None
        self._falling.remove((coin, bin, until_s))
        if match:
            self._fallen.remove(match)
        return DropResult(coin, bin, match is not None)


@dataclass
class BeamCheck:
    """A light beam before the view, held against what the camera saw: coins that touch break it once, so it never counts more than there are."""

    broken: int = 0
    seen: int = 0
    _busy_s: float = 0.0

    def count_unseen(self, broken: int, seen: int, busy: bool, now_s: float) -> int:
        """How many things broke the beam and were never seen, told once the belt has been empty for a while; else 0.

        broken, seen: how many more since it was last asked. busy: whether anything is on the belt.
        """
        self.broken, self.seen = self.broken + broken, self.seen + seen
        if busy or broken:
            self._busy_s = now_s
        if now_s <= self._busy_s + QUIET_S:
            return 0
        missing = max(0, self.broken - self.seen)
        self.broken = self.seen = 0
        return missing
