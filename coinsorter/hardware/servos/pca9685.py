"""servo.driver pca9685: pulses made by a board on the I2C bus, without jitter, sixteen of them."""

import time
from functools import partial
from typing import Any

from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import PULSES_PER_S, explain_pulse_errors

I2C_BUS = 1  # at the header's pins 3 and 5, on every Pi
STEPS = 4096  # of a period: PCA9685 data sheet, 7.3.3


class Pca9685Servos:
    """Pulses by a PCA9685, through Adafruit's library for it: the one that is kept up, and that runs on every Pi. Its bus is opened by
    number, since by the board's name Blinka wants packages of its own for each Pi.

    The step is 4.9 us. The pulses go on when the process is killed: whoever starts it again must park first.
    settle_s: how long `close` pulses on.
    """

    def __init__(self, address: int, settle_s: float) -> None:
        try:
            from adafruit_extended_bus import ExtendedI2C
            from adafruit_pca9685 import PCA9685
        except ImportError as error:
            raise FlapError(
                f"no PCA9685: {error}; run `sudo make install` again, which adds what it needs"
            ) from error
        self._address = address
        try:
            self._board: Any = PCA9685(ExtendedI2C(I2C_BUS), address=address)
            self._board.frequency = PULSES_PER_S
            self._step_us = 1e6 / self._board.frequency / STEPS  # not exactly 50 a second
        except (OSError, ValueError) as error:
            how = "switch I2C on with `sudo raspi-config nonint do_i2c 0`, check the board's wires and servo.i2c_address"
            raise FlapError(f"no PCA9685 at 0x{address:02x}: {error}; {how}") from error
        self._settle_s = settle_s
        self._used: set[int] = set()
        self._pulsed: set[int] = set()

    def pulse(self, pin: int, us: float) -> None:
        self._set(pin, min(round(us / self._step_us), STEPS - 1))
        self._pulsed.add(pin)

    def release(self, pin: int) -> None:
        self._set(pin, 0)
        self._pulsed.discard(pin)

    def close(self) -> None:
        if self._pulsed:
            time.sleep(self._settle_s)
        used, self._used, self._pulsed = self._used, set(), set()
        gpio_chip.try_all([partial(self._write, pin, 0) for pin in used])

    def _set(self, pin: int, steps: int) -> None:
        self._used.add(pin)
        with explain_pulse_errors(
            f"output {pin} of the board at 0x{self._address:02x}", (OSError,)
        ):
            self._write(pin, steps)

    def _write(self, pin: int, steps: int) -> None:
        self._board.channels[pin].duty_cycle = steps << 4  # 16 bits, of which it uses the upper 12
