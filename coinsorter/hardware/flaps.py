"""The flaps: one servo each, driven by the same code whether the servos are real or mock."""

from coinsorter.config.schema import SERVO_RANGE_DEG, Config, ServoSettings
from coinsorter.errors import FlapError, InputError
from coinsorter.hardware.servos.pulses import Servos


class Flaps:
    """Moves flaps by their bin's name.

    Nothing moves before `park`, and after `close` every servo is limp. Raises FlapError, naming bin
    and pin, where a servo's pin cannot be opened; no pin is held then.
    """

    def __init__(self, config: Config, servos: Servos) -> None:
        self._flaps = {bin_.name: bin_.flap for bin_ in config.bins}
        self._settings = config.servo
        self._servos = servos
        self._moved_to_rest: set[str] = set()  # moved there since the last tick
        self._release_at_s: dict[str, float] = {}
        try:
            for name in self._flaps:
                self._release(name)
        except FlapError:
            servos.close()
            raise

    def park(self) -> None:
        """Brings every flap to rest, where it lets coins pass.

        A flap that fails keeps no other from its rest; the first failure is raised.
        """
        failures = []
        for name in self._flaps:
            try:
                self.move(name, open=False)
            except FlapError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def move(self, bin: str, open: bool) -> None:
        """Turns one flap towards open or rest; returns at once, the servo takes its time."""
        flap = self._flaps.get(bin)
        if flap is None:
            raise FlapError(f"bin {bin}: its flap is closed; start the machine again")
        degrees = flap.open_deg if open else flap.rest_deg
        self._pulse(bin, angle_to_pulse_us(degrees, self._settings))
        if not open:
            self._moved_to_rest.add(bin)

    def tick(self, now_s: float) -> None:
        """Releases servos that have been at rest for servo.release_ms; an open flap is held.

        The time counts from the tick after their move.
        """
        if self._settings.release_ms is None:
            return
        self._plan_releases(now_s, self._settings.release_ms)
        due = [name for name, at_s in self._release_at_s.items() if now_s >= at_s]
        for name in due:
            del self._release_at_s[name]
            self._release(name)

    def jog(self, bin: str, us: float) -> None:
        """Turns one flap by a pulse width, to try it; it is held there.

        Raises InputError for a pulse outside of what servo allows, or an unknown bin.
        """
        low, high = self._settings.min_pulse_us, self._settings.max_pulse_us
        if not low <= us <= high:
            bounds = f"servo.min_pulse_us {low} to servo.max_pulse_us {high}"
            raise InputError(f"{us:g} us is outside of {bounds}")
        if bin not in self._flaps:
            raise InputError(f"{bin}: no such bin; there are {', '.join(self._flaps)}")
        self._pulse(bin, us)

    def close(self) -> None:
        """Parks, then closes the pins; the linkage falls to rest by itself. Safe to call twice."""
        try:
            self.park()
        finally:
            self._flaps = {}
            self._servos.close()

    def _plan_releases(self, now_s: float, release_ms: float) -> None:
        for name in self._moved_to_rest:
            # A servo that went limp on its way would stay there.
            wait_ms = max(release_ms, self._flaps[name].travel_ms)
            self._release_at_s[name] = now_s + wait_ms / 1000
        self._moved_to_rest = set()

    def _pulse(self, bin: str, us: float) -> None:
        self._moved_to_rest.discard(bin)
        self._release_at_s.pop(bin, None)
        try:
            self._servos.pulse(self._flaps[bin].pin, us)
        except FlapError as error:
            raise FlapError(f"bin {bin}: {error}") from error

    def _release(self, bin: str) -> None:
        try:
            self._servos.release(self._flaps[bin].pin)
        except FlapError as error:
            raise FlapError(f"bin {bin}: {error}") from error


def angle_to_pulse_us(degrees: float, settings: ServoSettings) -> float:
    """The pulse that turns a servo to an angle, microseconds."""
    range_us = settings.max_pulse_us - settings.min_pulse_us
    return settings.min_pulse_us + degrees / SERVO_RANGE_DEG * range_us
