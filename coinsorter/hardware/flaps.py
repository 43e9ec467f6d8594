"""The flaps: one servo each. Whoever makes their pulses, real or mock, they are driven by the same code."""

from coinsorter.config.schema import Config, ServoSettings
from coinsorter.errors import FlapError, InputError
from coinsorter.hardware.servos.open_servos import Servos

SERVO_RANGE_DEG = 180.0


class Flaps:
    """Moves flaps by their bin's name. Nothing moves before `park`, and after `close` every servo is limp.

    Raises FlapError, naming bin and pin, where a servo's pin cannot be opened; no pin is held then.
    """

    def __init__(self, config: Config, servos: Servos) -> None:
        self._flaps = {bin_.name: bin_.flap for bin_ in config.bins}
        self._settings = config.servo
        self._servos = servos
        self._moved: set[str] = set()  # to rest, since the last tick
        self._release_at_s: dict[str, float] = {}
        try:
            for name in self._flaps:
                self._release(name)
        except FlapError:
            servos.close()
            raise

    def park(self) -> None:
        """Brings every flap to rest, where it lets coins pass. One that fails keeps no other from its rest; the first failure is raised."""
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
        flap = self._flaps[bin]
        self._pulse(
            bin, angle_to_pulse_us(flap.open_deg if open else flap.rest_deg, self._settings)
        )
        if not open:
            self._moved.add(bin)

    def tick(self, now_s: float) -> None:
        """Releases servos that have been at rest for servo.release_ms, counted from the tick after their move; an open flap is held."""
        if self._settings.release_ms is None:
            return
        for name in self._moved:
            # never on its way: a limp servo would stay there
            self._release_at_s[name] = (
                now_s + max(self._settings.release_ms, self._flaps[name].travel_ms) / 1000
            )
        self._moved = set()
        for name in [name for name, at_s in self._release_at_s.items() if now_s >= at_s]:
            del self._release_at_s[name]
            self._release(name)

    def jog(self, bin: str, us: float) -> None:
        """Turns one flap by a pulse width, to try it; it is held there. Raises InputError outside of what servo allows."""
        low, high = self._settings.min_pulse_us, self._settings.max_pulse_us
        if not low <= us <= high:
            raise InputError(
                f"{us:g} us is outside of servo.min_pulse_us {low} to servo.max_pulse_us {high}"
            )
        if bin not in self._flaps:
            raise InputError(f"{bin}: no such bin; there are {', '.join(self._flaps)}")
        self._pulse(bin, us)

    def close(self) -> None:
        """Parks, then lets go of the pins; the linkage falls to rest by itself. Safe to call twice."""
        try:
            self.park()
        finally:
            self._flaps = {}
            self._servos.close()

    def _pulse(self, bin: str, us: float) -> None:
        self._moved.discard(bin)
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
    """The pulse that turns a servo to an angle, in microseconds."""
    return settings.min_pulse_us + degrees / SERVO_RANGE_DEG * (
        settings.max_pulse_us - settings.min_pulse_us
    )
