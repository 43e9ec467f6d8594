"""The flaps: one servo each, on a gpiozero pin. Real and mock pins are driven by the same code."""

import contextlib
import warnings
from typing import Any

from gpiozero import Servo
from gpiozero.exc import BadPinFactory, GPIOZeroError, PinFactoryFallback

from coinsorter.config import Config, Flap
from coinsorter.config import Servo as ServoSettings
from coinsorter.errors import FlapError

DEGREES = 180.0


class Flaps:
    """Moves flaps by their bin's name. Nothing moves before `park`, and after `close` every servo is limp.

    pin_factory: gpiozero's; None for the machine's own pins.
    """

    def __init__(self, config: Config, pin_factory: Any = None) -> None:
        self._settings = {bin_.name: bin_.flap for bin_ in config.bins}
        self._servo = config.servo
        self._servos: dict[str, Servo] = {}
        try:
            for bin_ in config.bins:
                self._servos[bin_.name] = _servo(bin_.flap, config.servo, pin_factory)
        except BadPinFactory as error:
            how = "on a Raspberry Pi install python3-lgpio; anywhere else use `coinsorter run --simulate`"
            raise FlapError(f"no GPIO pins that can be driven: {error}; {how}") from error
        except (GPIOZeroError, ImportError, OSError, RuntimeError) as error:
            self._release()
            raise FlapError(f"bin {bin_.name}: GPIO {bin_.flap.pin} cannot be driven: {error}; is another program using it?") from error

    def park(self) -> None:
        """Brings every flap to rest, where it lets coins pass. One that fails keeps no other from its rest; the first failure is raised."""
        failures = []
        for name in self._servos:
            try:
                self.move(name, open=False)
            except FlapError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def move(self, bin: str, open: bool) -> None:
        """Turns one flap towards open or rest; returns at once, the servo takes its time."""
        flap = self._settings[bin]
        degrees = flap.open_deg if open else flap.rest_deg
        try:
            self._servos[bin].value = 2 * degrees / DEGREES - 1
        except (GPIOZeroError, OSError) as error:
            raise FlapError(f"bin {bin}: GPIO {flap.pin} does not take pulses: {error}; check the wiring, then start again") from error

    def close(self) -> None:
        """Parks, then lets go of the pins; the linkage falls to rest by itself. Safe to call twice."""
        try:
            self.park()
        finally:
            self._release()

    def _release(self) -> None:
        servos, self._servos = self._servos, {}
        for servo in servos.values():
            with contextlib.suppress(GPIOZeroError, OSError):  # a pin that fails keeps no other from being let go
                servo.close()


def _servo(flap: Flap, settings: ServoSettings, pin_factory: Any) -> Servo:
    pulses = {"min_pulse_width": settings.min_pulse_us / 1e6, "max_pulse_width": settings.max_pulse_us / 1e6}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PinFactoryFallback)  # four lines for what the one error says
        return Servo(flap.pin, initial_value=None, pin_factory=pin_factory, **pulses)


def pulse_us(degrees: float, settings: ServoSettings) -> float:
    """The pulse that turns a servo to an angle, in microseconds."""
    return settings.min_pulse_us + degrees / DEGREES * (settings.max_pulse_us - settings.min_pulse_us)
