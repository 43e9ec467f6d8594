"""servo.driver gpio: pulses timed by lgpio, on any pin of the Pi."""

import time
from functools import partial

from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import (
    PERIOD_US,
    explain_open_errors,
    explain_pulse_errors,
)


class GpioServos:
    """Pulses by lgpio, on the chip found by its label, in steps of 1 us.

    A thread of lgpio times them, so they jitter with what else the Pi does. On the emulated Pi of
    tests/system, whose kernel notes every change of a pin, the median width of an opening was 2126
    to 2249 us while it sorted, for 2278 us wanted, and 582 to 707 us at rest, for 722 us wanted
    (test_sorting.py prints them). Beside other jobs it was down to 1950 and 460 us, and single
    pulses are hundreds of us off. A real Pi's pulses have not been measured yet.

    Pulses end with the process, and a servo is limp then. lgpio's tx_servo is its tx_pulse with a
    period of 20 ms, but refuses widths outside of 500 to 2500 us; hence tx_pulse.

    settle_s: how long `close` pulses on, seconds.
    """

    def __init__(self, settle_s: float) -> None:
        self._lgpio = gpio_chip.import_lgpio()
        number = gpio_chip.find_chip()
        with explain_open_errors(f"GPIO chip {number}", gpio_chip.list_pin_errors()):
            self._chip = self._lgpio.gpiochip_open(number)
        self._settle_s = settle_s
        self._closed = False
        self._claimed: set[int] = set()
        self._pulsed: set[int] = set()

    def pulse(self, pin: int, us: float) -> None:
        """Sends pulses of a width from now on."""
        self._claim(pin)
        width_us = round(us)
        with explain_pulse_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
            self._lgpio.tx_pulse(self._chip, pin, width_us, PERIOD_US - width_us)
        self._pulsed.add(pin)

    def release(self, pin: int) -> None:
        """Ends the pulses; the pin stays ours, and low."""
        self._claim(pin)
        if pin not in self._pulsed:
            return
        with explain_pulse_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
            self._stop(pin)
        self._pulsed.discard(pin)

    def close(self) -> None:
        """Pulses on until the servos have settled, then frees the pins; safe to call twice."""
        if self._closed:
            return
        if self._pulsed:
            time.sleep(self._settle_s)
        gpio_chip.try_all([partial(self._free, pin) for pin in self._claimed])
        gpio_chip.try_all([partial(self._lgpio.gpiochip_close, self._chip)])
        self._closed = True
        self._claimed, self._pulsed = set(), set()

    def _claim(self, pin: int) -> None:
        if pin not in self._claimed:
            with explain_open_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
                self._lgpio.gpio_claim_output(self._chip, pin, 0)
            self._claimed.add(pin)

    def _free(self, pin: int) -> None:
        try:
            if pin in self._pulsed:
                self._stop(pin)
        finally:
            self._lgpio.gpio_free(self._chip, pin)

    def _stop(self, pin: int) -> None:
        self._lgpio.tx_pulse(self._chip, pin, 0, 0)
        # The pulses may have ended in the middle of one.
        self._lgpio.gpio_write(self._chip, pin, 0)
