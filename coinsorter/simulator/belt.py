"""The simulated belt: things ride on it past the camera and the flaps, and the servos' own history decides where each lands.

The belt's speed wanders (an Ornstein-Uhlenbeck process); things keep their places on it. A servo turns towards the angle its pulses ask
for, no faster than it can, and without pulses a spring brings it to rest. A thing is turned into a bin if the flap was open all the
while it was there, and passes if the flap was at rest all the while; struck by a moving flap, it may go either way.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from coinsorter.config.schema import Config, FlapSettings
from coinsorter.simulator import coins

SPEED_WANDER = 0.004  # standard deviation of the belt's speed, relative
SPEED_MEMORY_S = 2.0
STEP_S = 0.001
FRAME_WIDTH_S = 0.02  # of a servo's pulse train
OPEN_FROM, REST_UP_TO = 0.9, 0.1  # of the way from rest to open


class BeltDrive:
    """How far the belt has run at any time, mm."""

    def __init__(self, speed_mm_s: float, rng: np.random.Generator) -> None:
        self._speed_mm_s = speed_mm_s
        self._rng = rng
        self._run_mm = np.zeros(1)
        self._off = 0.0

    def compute_position_mm(self, time_s: float) -> float:
        """How far the belt has run by then, mm; it stood still before the start."""
        time_s = max(0.0, time_s)
        while time_s >= (len(self._run_mm) - 1) * STEP_S:
            self._extend()
        return float(np.interp(time_s / STEP_S, *self._around(time_s)))

    def compute_time_s(self, run_mm: float) -> float:
        """The time at which the belt has run that far."""
        while self._run_mm[-1] < run_mm:
            self._extend()
        after = int(np.searchsorted(self._run_mm, run_mm))
        before = max(after - 1, 0)
        return STEP_S * float(np.interp(run_mm, self._run_mm[[before, after]], [before, after]))

    def _around(self, time_s: float) -> tuple[list[int], np.ndarray]:
        before = int(time_s / STEP_S)
        return [before, before + 1], self._run_mm[before : before + 2]

    def _extend(self, seconds: float = 10.0) -> None:
        count = int(seconds / STEP_S)
        kicks = self._rng.normal(0, SPEED_WANDER * np.sqrt(2 * STEP_S / SPEED_MEMORY_S), count)
        off = np.empty(count)
        value, keep = self._off, 1 - STEP_S / SPEED_MEMORY_S
        for index, kick in enumerate(kicks):
            value = value * keep + kick
            off[index] = value
        self._off = value
        run = self._run_mm[-1] + np.cumsum(self._speed_mm_s * (1 + off) * STEP_S)
        self._run_mm = np.concatenate([self._run_mm, run])


@dataclass(eq=False)
class SimulatedServo:
    """What one servo's pin carried, and where that put the flap.

    travel_fraction: how much less than the configured travel time this servo really needs, 0..1.
    """

    flap: FlapSettings
    min_pulse_us: float
    max_pulse_us: float
    travel_fraction: float
    pulses: list[tuple[float, float]] = field(default_factory=list)
    _knots: list[tuple[float, float]] = field(default_factory=list)

    def set_duty(self, time_s: float, duty: float) -> None:
        """From this time on the pin carries pulses of this duty cycle; 0 is none."""
        self.pulses.append((time_s, duty * FRAME_WIDTH_S * 1e6))
        self._knots = []

    def find_openness_range(self, start_s: float, end_s: float) -> tuple[float, float]:
        """The least and the most open the flap was over a time: 0 is at rest, 1 is open."""
        self._knots = self._knots or self._trajectory()
        times = [knot[0] for knot in self._knots]
        inside = [angle for time, angle in self._knots if start_s < time < end_s]
        ends = np.interp([start_s, end_s], times, [knot[1] for knot in self._knots])
        values = [
            (angle - self.flap.rest_deg) / (self.flap.open_deg - self.flap.rest_deg)
            for angle in [*inside, *ends]
        ]
        return min(values), max(values)

    def _trajectory(self) -> list[tuple[float, float]]:
        """The flap's angle as a piecewise straight line: (time, degrees)."""
        speed = abs(self.flap.open_deg - self.flap.rest_deg) / (
            self.flap.travel_ms / 1000 * self.travel_fraction
        )
        angle = self.flap.rest_deg
        knots = [(0.0, angle)]
        ends = [time for time, _ in self.pulses[1:]] + [float("inf")]
        for (start, pulse_us), end in zip(self.pulses, ends):
            target = self._target(pulse_us)
            arrives = start + abs(target - angle) / speed
            knots.append((start, angle))
            if arrives <= end:
                knots.append((arrives, target))
                angle = target
            else:
                angle += np.sign(target - angle) * speed * (end - start)
                knots.append((end, angle))
        return knots

    def _target(self, pulse_us: float) -> float:
        if pulse_us <= 0:
            return self.flap.rest_deg
        return 180 * (pulse_us - self.min_pulse_us) / (self.max_pulse_us - self.min_pulse_us)


@dataclass(eq=False)
class Rider:
    """A thing on the belt: how far the belt has run when it is at the view's centre, and where it lies across."""

    number: int
    item: coins.Item
    offset_mm: float
    y_mm: float
    landed: str | None = None


@dataclass(eq=False)
class SimulatedBelt:
    """The belt with everything on it and the flaps along it."""

    config: Config
    drive: BeltDrive
    riders: list[Rider]
    servos: dict[str, SimulatedServo]
    rng: np.random.Generator

    def list_visible(self, time_s: float, half_view_mm: float) -> list[tuple[Rider, float]]:
        """The riders that may be seen, with where they are (mm from the view's centre)."""
        run = self.drive.compute_position_mm(time_s)
        reach = half_view_mm + 40
        first = bisect_right([rider.offset_mm for rider in self.riders], run - reach)
        places = []
        for rider in self.riders[first:]:
            x_mm = run - rider.offset_mm
            if x_mm < -reach:
                break
            places.append((rider, x_mm))
        return places

    def land_items(self, time_s: float) -> None:
        """Lets everything that has come to the belt's end by this time land where its way took it."""
        end_mm = max(bin_.flap.distance_mm for bin_ in self.config.bins) + 60
        run = self.drive.compute_position_mm(time_s)
        for rider in self.riders:
            if rider.landed is None and run - rider.offset_mm > end_mm:
                rider.landed = self.find_landing_bin(rider)

    def find_landing_bin(self, rider: Rider) -> str:
        """The bin of the first flap that turns the rider, or the reject bin."""
        for bin_ in sorted(self.config.bins, key=lambda b: b.flap.distance_mm):
            reach = bin_.flap.length_mm / 2 + rider.item.half_length_mm
            enters = self.drive.compute_time_s(rider.offset_mm + bin_.flap.distance_mm - reach)
            leaves = self.drive.compute_time_s(rider.offset_mm + bin_.flap.distance_mm + reach)
            least, most = self.servos[bin_.name].find_openness_range(enters, leaves)
            struck = least < OPEN_FROM and most > REST_UP_TO
            if least >= OPEN_FROM or (struck and self.rng.random() < 0.5):
                return bin_.name
        return self.config.reject_bin


FOREIGN_SHARE = 0.2
# Nothing rides nearer behind another than this, middle to middle; the feeder adds a random gap.
MIN_SPACING_MM, MEAN_GAP_MM = 78.0, 12.0


def feed_items(count: int, motifs: tuple[str, ...], rng: np.random.Generator) -> list[Rider]:
    """Things in the order the feeder lays them on the belt: a fifth of them foreign, every kind as often as the others."""
    foreign = [
        coins.FOREIGN_KINDS[i % len(coins.FOREIGN_KINDS)]
        for i in range(round(count * FOREIGN_SHARE))
    ]
    kinds = foreign + [coins.GENUINE] * (count - len(foreign))
    rng.shuffle(kinds)
    riders, offset = [], 0.0
    for number, kind in enumerate(kinds):
        own = np.random.default_rng([number, int(rng.integers(2**32))])
        thing = (
            coins.make_genuine_coin(own)
            if kind == coins.GENUINE
            else coins.make_foreign_object(own, kind, motifs)
        )
        offset += (
            MIN_SPACING_MM + 2 * max(0.0, thing.half_length_mm - 14) + own.exponential(MEAN_GAP_MM)
        )
        riders.append(Rider(number, thing, offset, float(np.clip(own.normal(0, 6), -18, 18))))
    return riders
