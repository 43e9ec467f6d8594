"""servo.driver pca9685: pulses of a servo board on the I2C bus, sixteen of them."""

import time
from functools import partial
from typing import TYPE_CHECKING

from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import PULSES_PER_S, explain_pulse_errors

if TYPE_CHECKING:
    from adafruit_pca9685 import PCA9685

#: The bus at the header's pins 3 and 5, on every Pi.
I2C_BUS = 1
#: Steps of a period: PCA9685 data sheet, 7.3.3.
STEPS = 4096
#: The library takes 16 bits, of which the board uses the upper 12.
STEP_SHIFT = 4
PACKAGE_REMEDY = "run `sudo make install` again, which adds what it needs"
BOARD_REMEDY = (
    "switch I2C on with `sudo raspi-config nonint do_i2c 0`, "
    "check the board's wires and servo.i2c_address"
)


class Pca9685Servos:
    """Pulses without jitter by a PCA9685, in steps of 4.9 us, through Adafruit's library for it.

    That library is the one that is maintained and runs on every Pi. The bus is opened by its
    number, since Blinka, which opens it by the Pi's name, needs packages for each kind of Pi.

    The pulses go on when the process is killed: a program that starts after that must park first.
    settle_s: how long `close` pulses on, seconds.
    """

    def __init__(self, address: int, settle_s: float) -> None:
        self._address = address
        self._board, self._step_us = _open_board(address)
        self._settle_s = settle_s
        self._used: set[int] = set()
        self._pulsed: set[int] = set()

    def pulse(self, pin: int, us: float) -> None:
        """Sends pulses of a width from now on; pin: the board's output."""
        self._set(pin, min(round(us / self._step_us), STEPS - 1))
        self._pulsed.add(pin)

    def release(self, pin: int) -> None:
        """Ends the pulses."""
        self._set(pin, 0)
        self._pulsed.discard(pin)

    def close(self) -> None:
        """Pulses on until the servos have settled, then ends all pulses; safe to call twice."""
        if self._pulsed:
            time.sleep(self._settle_s)
        used, self._used = self._used, set()
        self._pulsed = set()
        gpio_chip.try_all([partial(self._write, pin, 0) for pin in used])

    def _set(self, pin: int, steps: int) -> None:
        self._used.add(pin)
        output = f"output {pin} of the board at 0x{self._address:02x}"
        with explain_pulse_errors(output, (OSError,)):
            self._write(pin, steps)

    def _write(self, pin: int, steps: int) -> None:
        self._board.channels[pin].duty_cycle = steps << STEP_SHIFT


def _open_board(address: int) -> tuple["PCA9685", float]:
    """The board, and its step in microseconds: its rate is not exactly the one that was set."""
    try:
        from adafruit_extended_bus import ExtendedI2C
        from adafruit_pca9685 import PCA9685
    except ImportError as error:
        raise FlapError(f"no PCA9685: {error}; {PACKAGE_REMEDY}") from error
    try:
        board = PCA9685(ExtendedI2C(I2C_BUS), address=address)
        board.frequency = PULSES_PER_S
        step_us = 1e6 / board.frequency / STEPS
    except (OSError, ValueError) as error:
        what = f"no PCA9685 at 0x{address:02x}: {error}"
        raise FlapError(f"{what}; {BOARD_REMEDY}") from error
    return board, step_us
