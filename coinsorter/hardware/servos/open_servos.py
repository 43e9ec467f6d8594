"""Opens the servo driver that config.yaml names in servo.driver."""

import logging

from coinsorter.config.schema import Config
from coinsorter.hardware.servos.hardware_pwm import HardwarePwmServos
from coinsorter.hardware.servos.lgpio import GpioServos
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.hardware.servos.pca9685 import Pca9685Servos
from coinsorter.hardware.servos.pulses import Servos

log = logging.getLogger(__name__)


def open_servos(config: Config) -> Servos:
    """The driver that config.yaml names, never another.

    Raises FlapError where it cannot be opened.
    """
    settle_s = _settle_s(config)
    driver = config.servo.driver
    if driver == "gpio":
        return GpioServos(settle_s)
    if driver == "hardware-pwm":
        return HardwarePwmServos(settle_s)
    if driver == "pca9685":
        return Pca9685Servos(config.servo.i2c_address, settle_s)
    return _open_mock_servos()


def _settle_s(config: Config) -> float:
    """For how long a driver pulses on when it is closed, so that every flap gets to its rest."""
    return max(bin_.flap.travel_ms for bin_ in config.bins) / 1000


def _open_mock_servos() -> MockServos:
    log.warning(
        "servo.driver is mock: no flap moves, whatever the ledger says; "
        "set it to gpio, hardware-pwm or pca9685 to sort"
    )
    return MockServos()
