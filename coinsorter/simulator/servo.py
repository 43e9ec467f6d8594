"""A simulated servo: the pulses on its pin decide where its flap is at any time.

The servo turns towards the angle that its pulses ask for, no faster than it can. Without pulses a
spring brings the flap to rest.
"""

from dataclasses import dataclass, field

import numpy as np
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.config.schema import FlapSettings
from coinsorter.hardware.clock import ManualClock

#: Period of a hobby servo's pulse train, s: 50 Hz.
PULSE_PERIOD_S = 0.02


@dataclass(eq=False)
class SimulatedServo:
    """One servo with its flap, and the history of what its pin carried.

    travel_fraction: part of the configured travel time that this servo really needs, 0..1.
    pulses: (time in s, pulse width in us) at every change; a width of 0 is no pulses.
    """

    flap: FlapSettings
    min_pulse_us: float
    max_pulse_us: float
    travel_fraction: float
    pulses: list[tuple[float, float]] = field(default_factory=list)
    _knots: list[tuple[float, float]] = field(default_factory=list)

    def set_duty(
        self,
        time_s: float,
        duty: float,
    ) -> None:
        """From this time on the pin carries pulses of this duty cycle; 0 is none."""
        pulse_us = duty * PULSE_PERIOD_S * 1e6
        self.pulses.append((time_s, pulse_us))
        self._knots = []

    def find_openness_range(
        self,
        start_s: float,
        end_s: float,
    ) -> tuple[float, float]:
        """The least and the most open the flap was over a time: 0 is at rest, 1 is open."""
        if not self._knots:
            self._knots = self._find_trajectory()
        times = [time for time, _ in self._knots]
        angles = [angle for _, angle in self._knots]
        extremes = [angle for time, angle in self._knots if start_s < time < end_s]
        extremes += list(np.interp([start_s, end_s], times, angles))
        openness = [self._to_openness(angle) for angle in extremes]
        return min(openness), max(openness)

    def _to_openness(self, angle_deg: float) -> float:
        way_deg = self.flap.open_deg - self.flap.rest_deg
        return (angle_deg - self.flap.rest_deg) / way_deg

    def _find_trajectory(self) -> list[tuple[float, float]]:
        """The flap's angle over time as a piecewise linear curve: (time in s, degrees)."""
        angle = self.flap.rest_deg
        knots = [(0.0, angle)]
        ends = [time for time, _ in self.pulses[1:]]
        ends.append(float("inf"))
        for (start, pulse_us), end in zip(self.pulses, ends):
            target = self._to_angle_deg(pulse_us)
            knots.append((start, angle))
            knot = self._turn(angle, target, start, end)
            knots.append(knot)
            _, angle = knot
        return knots

    def _turn(
        self,
        angle: float,
        target: float,
        start: float,
        end: float,
    ) -> tuple[float, float]:
        """When and at what angle a turn that begins at `start` is over, or broken off at `end`."""
        speed = self._find_speed_deg_s()
        arrives = start + abs(target - angle) / speed
        if arrives <= end:
            return arrives, target
        direction = np.sign(target - angle)
        reached = angle + direction * speed * (end - start)
        return end, reached

    def _find_speed_deg_s(self) -> float:
        travel_s = self.flap.travel_ms / 1000 * self.travel_fraction
        way_deg = abs(self.flap.open_deg - self.flap.rest_deg)
        return way_deg / travel_s

    def _to_angle_deg(self, pulse_us: float) -> float:
        """The angle that a pulse asks for; the spring's where there is none."""
        if pulse_us <= 0:
            return self.flap.rest_deg
        span_us = self.max_pulse_us - self.min_pulse_us
        return 180 * (pulse_us - self.min_pulse_us) / span_us


class SimulatedPin(MockPWMPin):
    """A mock pin that tells its factory when its duty cycle changes."""

    def _change_state(self, value: float) -> bool:
        changed = super()._change_state(value)
        if changed:
            self.factory.record_duty(self.info.name, float(value))
        return changed


class SimulatedPins(MockFactory):
    """gpiozero's mock pins on the simulated clock: every change of a pin reaches its servo."""

    def __init__(
        self,
        clock: ManualClock,
        servos: dict[int, SimulatedServo],
    ) -> None:
        super().__init__(pin_class=SimulatedPin)
        self._clock = clock
        self._servos = {f"GPIO{pin}": servo for pin, servo in servos.items()}

    def record_duty(
        self,
        pin: str,
        duty: float,
    ) -> None:
        """Hand a pin's new duty cycle to its servo, if there is one."""
        servo = self._servos.get(pin)
        if servo is not None:
            servo.set_duty(self._clock.now_s(), duty)
