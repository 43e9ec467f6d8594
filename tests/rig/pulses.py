"""What the pins of a make-believe Pi carried: its kernel's trace of every change -> pulses -> the stretches of time that a servo was asked to open."""

import re
from dataclasses import dataclass
from statistics import median

LINE = re.compile(r" (\d+\.\d+): gpio_value: (\d+) (set|get) (\d)")
SMOOTHED = 9  # pulses; single ones are far off where the guest was busy
WIDEST_US = 2800.0  # wider than any servo's: the guest stood still meanwhile
APART_S = 0.5  # longer without a pulse, and a new stretch begins


@dataclass(frozen=True)
class Pulse:
    at_s: float
    us: float


@dataclass(frozen=True)
class Train:
    """Pulses of about the same width, one after the other. us: their median."""

    pin: int
    begins_s: float
    ends_s: float
    us: float


def pulses(trace: str) -> dict[int, list[Pulse]]:
    """By pin. Times are of the kernel's monotonic clock; line 0 is the one that was read."""
    found: dict[int, list[Pulse]] = {}
    high: dict[int, float] = {}
    changes = [(float(at), int(line), how, value == "1") for at, line, how, value in LINE.findall(trace)]
    (zero,) = {line for _, line, how, _ in changes if how == "get"}
    for at_s, line, how, up in changes:
        pin = line - zero
        if how == "set" and up:
            high.setdefault(pin, at_s)
        elif how == "set" and pin in high:
            pulse = Pulse(since_s := high.pop(pin), 1e6 * (at_s - since_s))
            found.setdefault(pin, []).extend([pulse] if pulse.us <= WIDEST_US else [])
    return found


def trains(pin: int, sent: list[Pulse], between_us: float) -> list[Train]:
    """The stretches in which a pin's pulses were wider or narrower than `between_us`, by the median of a few."""
    parts: list[list[Pulse]] = []
    wide = [median(pulse.us for pulse in sent[max(0, i - SMOOTHED // 2) : i + SMOOTHED // 2 + 1]) > between_us for i in range(len(sent))]
    for i, pulse in enumerate(sent):
        if i == 0 or wide[i] != wide[i - 1] or pulse.at_s - sent[i - 1].at_s > APART_S:
            parts.append([])
        parts[-1].append(pulse)
    return [Train(pin, part[0].at_s, part[-1].at_s, median(pulse.us for pulse in part)) for part in parts]
