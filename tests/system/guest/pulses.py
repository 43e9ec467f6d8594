"""What the pins of an emulated Pi carried: trace of every change -> pulses -> pulse trains.

Read by the tests, afterwards, and in the guest while a machine sorts.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

LINE = re.compile(r" (\d+\.\d+): gpio_value: (\d+) (set|get) (\d)")
SMOOTHED = 9  # pulses; single ones are far off where the guest was busy
WIDEST_US = 2800.0  # wider than any servo's: the guest stood still meanwhile
APART_S = 0.5  # longer without a pulse, and a new stretch begins
MIN_PULSES = 25  # in a train: a flap is held open for some 50


@dataclass(frozen=True)
class Pulse:
    """When it began, seconds on the kernel's monotonic clock, and how wide it was, microseconds."""

    pin: int
    at_s: float
    us: float


@dataclass
class Reader:
    """Lines of the trace -> pulses, as they come.

    Line 0 of the chip is the one that was read, once and before any pulse.
    """

    _zero: int | None = None
    _high: dict[int, float] = field(default_factory=dict)

    def pulses(self, lines: Iterable[str]) -> Iterator[Pulse]:
        """Those that have ended, without what no servo takes for a pulse."""
        for line in lines:
            if not (match := LINE.search(line)):
                continue
            at_s, number, up = float(match[1]), int(match[2]), match[4] == "1"
            if match[3] == "get":
                self._zero = number
            elif up:
                self._high.setdefault(number, at_s)
            elif number in self._high:
                pulse = Pulse(
                    number - self._zero, since_s := self._high.pop(number), 1e6 * (at_s - since_s)
                )
                yield from [pulse] if pulse.us <= WIDEST_US else []


@dataclass(frozen=True)
class Train:
    """Pulses of about the same width, one after the other. us: their median."""

    pin: int
    begins_s: float
    ends_s: float
    us: float


def by_pin(trace: str) -> dict[int, list[Pulse]]:
    """All pulses of a whole trace."""
    pulses: dict[int, list[Pulse]] = {}
    for pulse in Reader().pulses(trace.splitlines()):
        pulses.setdefault(pulse.pin, []).append(pulse)
    return pulses


def trains(sent: list[Pulse], between_us: float) -> list[Train]:
    """The trains in which one pin's pulses were wider or narrower than `between_us`.

    Without those of a few pulses, where the guest was busy: what is around one is one train.
    """
    parts: list[list[Pulse]] = []
    wide = [
        median(pulse.us for pulse in sent[max(0, i - SMOOTHED // 2) : i + SMOOTHED // 2 + 1])
        > between_us
        for i in range(len(sent))
    ]
    for i, pulse in enumerate(sent):
        if i == 0 or wide[i] != wide[i - 1] or pulse.at_s - sent[i - 1].at_s > APART_S:
            parts.append([])
        parts[-1].append(pulse)
    found: list[Train] = []
    for part in parts:
        if len(part) < MIN_PULSES:
            continue
        own = Train(part[0].pin, part[0].at_s, part[-1].at_s, median(pulse.us for pulse in part))
        last = found[-1] if found else None
        is_one = last and (last.us > between_us) == (own.us > between_us)
        if last and is_one and own.begins_s - last.ends_s <= APART_S:
            own = Train(own.pin, last.begins_s, own.ends_s, (last.us + own.us) / 2)
            found.pop()
        found.append(own)
    return found
