"""What the sensors saw, compared with what the machine believes.

Drop sensors see coins fall into bins; a light beam sees things enter the view. The machine trusts
a bin without a drop sensor. With one, a coin counts as fallen into the bin only if the sensor saw
something fall in time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Seconds that a drop may come before the coin it belongs to is expected; rule of thumb. A coin may
#: fall before its flap has closed. A drop that stays unmatched for longer was not sent there.
UNEXPECTED_AFTER_S = 2.0
#: Seconds without anything on the belt after which everything that broke the beam must have been
#: seen; rule of thumb.
QUIET_S = 3.0


@dataclass(frozen=True)
class DropResult:
    """What became of a coin that was turned into a bin: whether its sensor saw it fall."""

    coin: int
    bin: str
    seen: bool


@dataclass(frozen=True)
class _ExpectedDrop:
    coin: int
    bin: str
    until_s: float


@dataclass(frozen=True)
class _SeenDrop:
    bin: str
    at_s: float


@dataclass
class DropSensorCheck:
    """Compares the drop sensors with the coins that are believed to have fallen.

    count_drops: how often something fell into a bin since the last call.
    within_s: for each bin with a sensor, how long after its flap has closed a coin has fallen past.
    """

    count_drops: Callable[[str], int]
    within_s: Mapping[str, float]
    _expected: list[_ExpectedDrop] = field(default_factory=list)
    _unmatched: list[_SeenDrop] = field(default_factory=list)

    def watches(self, bin: str) -> bool:
        """Whether the bin has a sensor."""
        return bin in self.within_s

    def expect(self, coin: int, bin: str, now_s: float) -> None:
        """Expects a coin to have fallen into a bin by now, or soon: its flap has closed."""
        self._expected.append(_ExpectedDrop(coin, bin, now_s + self.within_s[bin]))

    def settle(self, now_s: float) -> tuple[list[DropResult], list[str]]:
        """What became of expected coins, and a bin's name for every drop that was not expected."""
        self._read_sensors(now_s)
        results = []
        for expected in list(self._expected):
            result = self._match(expected, now_s)
            if result is not None:
                results.append(result)
        return results, self._take_unexpected(now_s)

    def forget(self) -> list[int]:
        """Stops expecting anything; returns the coins that were expected."""
        coins = [expected.coin for expected in self._expected]
        self._expected = []
        self._unmatched = []
        return coins

    def _read_sensors(self, now_s: float) -> None:
        for name in self.within_s:
            self._unmatched += [_SeenDrop(name, now_s)] * self.count_drops(name)

    def _match(self, expected: _ExpectedDrop, now_s: float) -> DropResult | None:
        """The coin's result; None while its drop may still come."""
        in_bin = [drop for drop in self._unmatched if drop.bin == expected.bin]
        if not in_bin and now_s <= expected.until_s:
            return None
        self._expected.remove(expected)
        if in_bin:
            self._unmatched.remove(in_bin[0])
        return DropResult(expected.coin, expected.bin, seen=bool(in_bin))

    def _take_unexpected(self, now_s: float) -> list[str]:
        unexpected: list[_SeenDrop] = []
        waiting: list[_SeenDrop] = []
        for drop in self._unmatched:
            is_overdue = now_s > drop.at_s + UNEXPECTED_AFTER_S
            (unexpected if is_overdue else waiting).append(drop)
        self._unmatched = waiting
        return [drop.bin for drop in unexpected]


@dataclass
class BeamCheck:
    """Compares a light beam before the view with what the camera saw.

    Coins that touch break the beam once, so it never counts more things than there are.
    """

    broken: int = 0
    seen: int = 0
    _busy_s: float = 0.0

    def count_unseen(self, broken: int, seen: int, busy: bool, now_s: float) -> int:
        """How many things broke the beam and were never seen.

        The answer comes once the belt has been empty for QUIET_S; until then it is 0.
        broken, seen: how many more since the last call. busy: whether anything is on the belt.
        """
        self.broken += broken
        self.seen += seen
        if busy or broken:
            self._busy_s = now_s
        if now_s <= self._busy_s + QUIET_S:
            return 0
        unseen = max(0, self.broken - self.seen)
        self.broken = 0
        self.seen = 0
        return unseen
