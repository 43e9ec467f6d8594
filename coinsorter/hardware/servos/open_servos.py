"""Who makes the servos' pulses: one driver a way, all behind one interface, chosen by servo.driver in config.yaml."""

import logging
import re
from importlib import metadata
from typing import Any, Protocol

from gpiozero import PWMOutputDevice

from coinsorter.config.schema import Config
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import PERIOD_US, PULSES_PER_S, driving, opening

log = logging.getLogger(__name__)


class Servos(Protocol):
    """Pulses for servos, by pin. Nothing is pulsed before `pulse`; a pin is opened when it is first used. Failures are FlapErrors."""

    def pulse(self, pin: int, us: float) -> None:
        """From now on pulses of that width, fifty a second; returns at once."""

    def release(self, pin: int) -> None:
        """No pulses any more: the servo is limp."""

    def close(self) -> None:
        """Releases all and lets go of the pins; safe to call twice."""


def open_servos(config: Config) -> Servos:
    """The driver that config.yaml names, never another. Raises FlapError where it cannot be opened."""
    # On the way out a driver pulses on for so long, so that every flap gets to its rest.
    settle_s = max(bin_.flap.travel_ms for bin_ in config.bins) / 1000
    if config.servo.driver == "gpio":
        from coinsorter.hardware.servos.lgpio import GpioServos

        return GpioServos(settle_s)
    if config.servo.driver == "hardware-pwm":
        from coinsorter.hardware.servos.hardware_pwm import PwmServos

        return PwmServos(settle_s)
    if config.servo.driver == "pca9685":
        from coinsorter.hardware.servos.pca9685 import BoardServos

        return BoardServos(config.servo.i2c_address, settle_s)
    return _mock_servos()


def missing_packages(driver: str) -> list[str]:
    """What pip has to install before a driver can be opened, as requirements: what its extra in setup.cfg asks for and is not there."""
    asked = [
        line.partition(";")[0].strip()
        for line in metadata.requires("coinsorter") or []
        if f'extra == "{driver}"' in line
    ]
    return [
        requirement
        for requirement in asked
        if not _is_installed(re.split(r"[^\w.-]", requirement)[0])
    ]


def _is_installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _mock_servos() -> Servos:
    from gpiozero.pins.mock import MockFactory, MockPWMPin

    log.warning(
        "servo.driver is mock: no flap moves, whatever the ledger says; set it to gpio, hardware-pwm or pca9685 to sort"
    )
    return PinServos(MockFactory(pin_class=MockPWMPin))


class PinServos:
    """Servos on gpiozero pins: the simulator's, and mock ones.

    Not for real pins: gpiozero rounds their duty cycle to whole per cent, 200 us of a servo's pulse.
    """

    def __init__(self, pin_factory: Any) -> None:
        self._factory = pin_factory
        self._pins: dict[int, PWMOutputDevice] = {}

    def pulse(self, pin: int, us: float) -> None:
        device = self._opened(pin)
        with driving(f"GPIO {pin}", gpio_chip.pin_errors()):
            device.value = us / PERIOD_US

    def release(self, pin: int) -> None:
        self.pulse(pin, 0.0)

    def close(self) -> None:
        pins, self._pins = self._pins, {}
        gpio_chip.try_all([device.close for device in pins.values()])

    def _opened(self, pin: int) -> PWMOutputDevice:
        if pin not in self._pins:
            with opening(f"GPIO {pin}", gpio_chip.pin_errors()):
                self._pins[pin] = PWMOutputDevice(
                    pin, frequency=PULSES_PER_S, pin_factory=self._factory
                )
        return self._pins[pin]
