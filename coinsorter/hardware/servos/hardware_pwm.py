"""servo.driver hardware-pwm: pulses of the Pi's own PWM, on two pins (four on a Pi 5)."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from coinsorter.config.checks import PWM_CHANNELS
from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import (
    PERIOD_US,
    PULSES_PER_S,
    explain_open_errors,
    explain_pulse_errors,
)

if TYPE_CHECKING:
    from rpi_hardware_pwm import HardwarePWM

#: Channels of a Pi 5's PWM by pin: RP1 peripherals, table of GPIO functions, a0 of GPIO 12 and 13,
#: a3 of GPIO 18 and 19.
RP1_CHANNELS = {12: 0, 13: 1, 18: 2, 19: 3}
#: By the device below the PWM chip, its channels by pin. On a Pi 5 the chip's number has changed
#: with kernels (2, then 0), and others drive the fan. The names are the addresses in the device
#: trees of a Pi 5, of a Pi 4 and of a Pi 3.
CHANNELS_BY_DEVICE = {
    "1f00098000.pwm": RP1_CHANNELS,
    "fe20c000.pwm": PWM_CHANNELS,
    "3f20c000.pwm": PWM_CHANNELS,
}
#: Where the kernel lists its PWM chips.
SYSFS = Path("/sys/class/pwm")
OVERLAY_REMEDY = (
    "add `dtoverlay=pwm-2chan` with its pins to /boot/firmware/config.txt and start the Pi again"
)
PACKAGE_REMEDY = "run `sudo make install` again, which adds it"
GROUP_REMEDY = "add the user to the group gpio; is another program using it?"


class HardwarePwmServos:
    """Pulses without jitter by the package rpi-hardware-pwm, in steps of less than 1 us.

    The pulses go on when the process is killed: a program that starts after that must park first.
    settle_s: how long `close` pulses on, seconds. sysfs: where the kernel lists its PWM chips.
    """

    def __init__(self, settle_s: float, sysfs: Path = SYSFS) -> None:
        try:
            from rpi_hardware_pwm import HardwarePWM, HardwarePWMException
        except ImportError as error:
            what = "no hardware PWM: the package rpi-hardware-pwm is missing"
            raise FlapError(f"{what}; {PACKAGE_REMEDY}") from error
        self._make_output = HardwarePWM
        self._failures = (HardwarePWMException, OSError)
        self._chip, self._channels = _find_chip(sysfs)
        self._settle_s = settle_s
        self._outputs: dict[int, HardwarePWM] = {}
        self._pulsed: set[int] = set()

    def pulse(self, pin: int, us: float) -> None:
        """Sends pulses of a width from now on."""
        output = self._open(pin)
        duty_percent = 100 * us / PERIOD_US
        with explain_pulse_errors(f"GPIO {pin}", self._failures):
            if pin in self._pulsed:
                output.change_duty_cycle(duty_percent)
            else:
                output.start(duty_percent)
        self._pulsed.add(pin)

    def release(self, pin: int) -> None:
        """Ends the pulses."""
        output = self._open(pin)
        with explain_pulse_errors(f"GPIO {pin}", self._failures):
            output.stop()
        self._pulsed.discard(pin)

    def close(self) -> None:
        """Pulses on until the servos have settled, then ends all pulses; safe to call twice."""
        if self._pulsed:
            time.sleep(self._settle_s)
        outputs, self._outputs = self._outputs, {}
        self._pulsed = set()
        gpio_chip.try_all([output.stop for output in outputs.values()])

    def _open(self, pin: int) -> "HardwarePWM":
        if pin not in self._outputs:
            self._refuse_unusable(pin)
            with explain_open_errors(f"GPIO {pin}", self._failures, GROUP_REMEDY):
                output = self._make_output(self._channels[pin], PULSES_PER_S, self._chip)
            self._outputs[pin] = output
        return self._outputs[pin]

    def _refuse_unusable(self, pin: int) -> None:
        """Raises FlapError for a pin without PWM, or one whose channel drives another pin."""
        if pin not in self._channels:
            usable = ", ".join(str(number) for number in self._channels)
            raise FlapError(f"GPIO {pin} has no hardware PWM; take one of {usable}")
        for other in self._outputs:
            if self._channels[other] == self._channels[pin]:
                what = f"GPIO {pin} and GPIO {other} are one PWM channel of this Pi"
                raise FlapError(f"{what}; take another pin for one of them")


def _find_chip(sysfs: Path) -> tuple[int, dict[int, int]]:
    """The number of the PWM chip that drives pins, and its channels by pin."""
    devices = []
    for path in sorted(sysfs.glob("pwmchip*")):
        device = (path / "device").resolve().name
        if device in CHANNELS_BY_DEVICE:
            number = int(path.name.removeprefix("pwmchip"))
            return number, CHANNELS_BY_DEVICE[device]
        devices.append(device)
    present = ", ".join(devices) or "none"
    what = f"no hardware PWM at the pins ({', '.join(CHANNELS_BY_DEVICE)})"
    raise FlapError(f"{what}; found: {present}; {OVERLAY_REMEDY}")
