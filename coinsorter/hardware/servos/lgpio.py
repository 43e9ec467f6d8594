"""servo.driver gpio: pulses timed by lgpio, on any pin of the Pi."""

import time
from functools import partial

from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import PERIOD_US, explain_open_errors, explain_pulse_errors


class GpioServos:
    """Pulses by lgpio, on the chip found by its label.

    Their step is 1 us. They are timed by a thread of lgpio and jitter with what else the Pi does. On the emulated Pi of tests/rig, whose
    kernel notes every change of a pin, they were 2126 to 2249 us by the median of an opening while it sorted, where 2278 are asked for, and 582 to
    707 at rest, where it is 722 (test_sorting.py prints them); beside other jobs down to 1950 and 460, and single pulses are hundreds off. A
    real Pi's nobody has measured yet. Pulses end with the process, and a servo is limp then. lgpio's tx_servo is its tx_pulse with a period of
    20 ms, but refuses what is outside of 500 to 2500 us; so tx_pulse.
    settle_s: how long `close` pulses on.
    """

    def __init__(self, settle_s: float) -> None:
        self._lgpio = gpio_chip.import_lgpio()
        number = gpio_chip.find_chip()
        with explain_open_errors(f"GPIO chip {number}", gpio_chip.list_pin_errors()):
            self._chip: int | None = self._lgpio.gpiochip_open(number)
        self._settle_s = settle_s
        self._claimed: set[int] = set()
        self._pulsed: set[int] = set()

    def pulse(self, pin: int, us: float) -> None:
        self._claim(pin)
        width_us = round(us)
        with explain_pulse_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
            self._lgpio.tx_pulse(self._chip, pin, width_us, PERIOD_US - width_us)
        self._pulsed.add(pin)

    def release(self, pin: int) -> None:
        self._claim(pin)
        if pin not in self._pulsed:
            return
        with explain_pulse_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
            self._stop(pin)
        self._pulsed.discard(pin)

    def close(self) -> None:
        if self._chip is None:
            return
        if self._pulsed:
            time.sleep(self._settle_s)
        gpio_chip.try_all(
            [
                *(partial(self._let_go, pin) for pin in self._claimed),
                partial(self._lgpio.gpiochip_close, self._chip),
            ]
        )
        self._chip, self._claimed, self._pulsed = None, set(), set()

    def _claim(self, pin: int) -> None:
        if pin not in self._claimed:
            with explain_open_errors(f"GPIO {pin}", gpio_chip.list_pin_errors()):
                self._lgpio.gpio_claim_output(self._chip, pin, 0)
            self._claimed.add(pin)

    def _let_go(self, pin: int) -> None:
        try:
            if pin in self._pulsed:
                self._stop(pin)
        finally:
            self._lgpio.gpio_free(self._chip, pin)

    def _stop(self, pin: int) -> None:
        self._lgpio.tx_pulse(self._chip, pin, 0, 0)
        self._lgpio.gpio_write(
            self._chip, pin, 0
        )  # it may have been stopped in the middle of a pulse
