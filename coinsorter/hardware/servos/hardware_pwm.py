"""servo.driver hardware-pwm: pulses made by the Pi's own PWM, without jitter, on two pins (four on a Pi 5)."""

import time
from pathlib import Path
from typing import Any

from coinsorter.config.checks import PWM_CHANNELS
from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.pulses import (
    PERIOD_US,
    PULSES_PER_S,
    explain_open_errors,
    explain_pulse_errors,
)

# By the device below the PWM chip, its channels by pin. On a Pi 5 the chip's number has changed with kernels (2, then 0), and others
# drive the fan; these are the addresses in the device trees of a Pi 5, of a Pi 4 and of a Pi 3.
RP1_CHANNELS = {
    12: 0,
    13: 1,
    18: 2,
    19: 3,
}  # RP1 peripherals, table of GPIO functions: a0 of 12 and 13, a3 of 18 and 19
CHANNELS_OF = {
    "1f00098000.pwm": RP1_CHANNELS,
    "fe20c000.pwm": PWM_CHANNELS,
    "3f20c000.pwm": PWM_CHANNELS,
}
HOW = "add `dtoverlay=pwm-2chan` with its pins to /boot/firmware/config.txt and start the Pi again"


class HardwarePwmServos:
    """Pulses by the Pi's PWM through the package rpi-hardware-pwm, in steps of less than 1 us.

    The pulses go on when the process is killed: whoever starts it again must park first.
    settle_s: how long `close` pulses on. sysfs: where the kernel shows its PWM chips.
    """

    def __init__(self, settle_s: float, sysfs: Path = Path("/sys/class/pwm")) -> None:
        try:
            from rpi_hardware_pwm import HardwarePWM, HardwarePWMException
        except ImportError as error:
            raise FlapError(
                "no hardware PWM: the package rpi-hardware-pwm is missing; run `sudo make install` again, which adds it"
            ) from error
        self._make, self._failures = HardwarePWM, (HardwarePWMException, OSError)
        self._number, self._channel_of = _find(sysfs)
        self._settle_s = settle_s
        self._outputs: dict[int, Any] = {}
        self._pulsed: set[int] = set()

    def pulse(self, pin: int, us: float) -> None:
        output, percent = self._opened(pin), 100 * us / PERIOD_US
        with explain_pulse_errors(f"GPIO {pin}", self._failures):
            if pin in self._pulsed:
                output.change_duty_cycle(percent)
            else:
                output.start(percent)
        self._pulsed.add(pin)

    def release(self, pin: int) -> None:
        output = self._opened(pin)
        with explain_pulse_errors(f"GPIO {pin}", self._failures):
            output.stop()
        self._pulsed.discard(pin)

    def close(self) -> None:
        if self._pulsed:
            time.sleep(self._settle_s)
        outputs, self._outputs, self._pulsed = self._outputs, {}, set()
        gpio_chip.try_all([output.stop for output in outputs.values()])

    def _opened(self, pin: int) -> Any:
        if pin not in self._outputs:
            self._refuse_shared(pin)
            with explain_open_errors(
                f"GPIO {pin}",
                self._failures,
                "add the user to the group gpio; is another program using it?",
            ):
                self._outputs[pin] = self._make(self._channel_of[pin], PULSES_PER_S, self._number)
        return self._outputs[pin]

    def _refuse_shared(self, pin: int) -> None:
        if pin not in self._channel_of:
            raise FlapError(
                f"GPIO {pin} has no hardware PWM; take one of {', '.join(str(p) for p in self._channel_of)}"
            )
        for other in self._outputs:
            if self._channel_of[other] == self._channel_of[pin]:
                raise FlapError(
                    f"GPIO {pin} and GPIO {other} are one PWM channel of this Pi; take another pin for one of them"
                )


def _find(sysfs: Path) -> tuple[int, dict[int, int]]:
    """The number of the PWM chip that drives pins, and its channels by pin."""
    found = []
    for path in sorted(sysfs.glob("pwmchip*")):
        device = (path / "device").resolve().name
        if device in CHANNELS_OF:
            return int(path.name.removeprefix("pwmchip")), CHANNELS_OF[device]
        found.append(device)
    raise FlapError(
        f"no hardware PWM at the pins ({', '.join(CHANNELS_OF)}); found: {', '.join(found) or 'none'}; {HOW}"
    )
