"""HardwarePwmServos: what comes out at the pins, on a stand-in for rpi_hardware_pwm."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from coinsorter.errors import FlapError
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.hardware_pwm import HardwarePwmServos
from tests.unit.hardware.conftest import with_driver


class PwmError(Exception):
    """What rpi_hardware_pwm calls `HardwarePWMException`."""


class PwmPackage(ModuleType):
    """Stands in for rpi_hardware_pwm. pulsed_us: by (chip, channel), the pulses that go out."""

    HardwarePWMException = PwmError

    def __init__(self) -> None:
        super().__init__("rpi_hardware_pwm")
        self.pulsed_us, self.closed = {}, False
        package = self

        class HardwarePWM:
            def __init__(self, pwm_channel, hz, chip=0):
                if package.closed:
                    raise PermissionError(13, "Permission denied")
                self.at, self.hz, self.enabled = (chip, pwm_channel), hz, False
                package.pulsed_us[self.at] = 0.0

            def start(self, duty):
                self.enabled = True
                self.change_duty_cycle(duty)

            def change_duty_cycle(self, duty):
                if package.closed:
                    raise OSError(5, "Input/output error")
                package.pulsed_us[self.at] = (
                    round(1e6 / self.hz * duty / 100, 3) if self.enabled else 0.0
                )

            def stop(self):
                self.change_duty_cycle(0)
                self.enabled = False

        self.HardwarePWM = HardwarePWM


@pytest.fixture
def pwm(monkeypatch):
    package = PwmPackage()
    monkeypatch.setitem(sys.modules, "rpi_hardware_pwm", package)
    return package


def sysfs(folder: Path, chips: dict[int, str]) -> Path:
    """A tree like the kernel's, with PWM chips on devices of these names."""
    for number, device in chips.items():
        (folder / "devices" / device / "pwm" / f"pwmchip{number}").mkdir(parents=True)
        (folder / "devices" / device / "pwm" / f"pwmchip{number}" / "device").symlink_to(
            Path("../..")
        )
        (folder / "class").mkdir(exist_ok=True)
        (folder / "class" / f"pwmchip{number}").symlink_to(
            folder / "devices" / device / "pwm" / f"pwmchip{number}"
        )
    return folder / "class"


def pwm_servos(folder: Path, chips: dict[int, str]):
    return HardwarePwmServos(settle_s=0.0, sysfs=sysfs(folder, chips))


@pytest.mark.parametrize(
    "chips, pin, output",
    [
        ({0: "fe20c000.pwm", 1: "fe20c800.pwm"}, 12, (0, 0)),
        ({0: "fe20c800.pwm", 2: "fe20c000.pwm"}, 19, (2, 1)),
        ({0: "107d517a80.pwm", 2: "1f00098000.pwm", 6: "1f0009c000.pwm"}, 18, (2, 2)),
        ({0: "1f00098000.pwm", 1: "1f0009c000.pwm"}, 19, (0, 3)),
    ],
)
def test_hardware_pulses_come_from_the_chip_and_channel_of_their_pin(
    tmp_path, pwm, chips, pin, output
):
    servos = pwm_servos(tmp_path, chips)
    servos.pulse(pin, 1234.5)
    assert pwm.pulsed_us == {output: 1234.5}
    servos.pulse(pin, 500)
    assert pwm.pulsed_us == {output: 500.0}
    servos.release(pin)
    assert pwm.pulsed_us == {output: 0.0}
    servos.pulse(pin, 700)
    servos.close()
    servos.close()
    assert pwm.pulsed_us == {output: 0.0}


def test_two_pins_of_one_channel_are_refused_by_name(tmp_path, pwm, config):
    servos = pwm_servos(tmp_path, {0: "fe20c000.pwm"})
    with pytest.raises(
        FlapError,
        match="bin bit_20: GPIO 18 and GPIO 12 are one PWM channel of this Pi; take another pin",
    ):
        Flaps(with_driver(config, "hardware-pwm", 12, 18), servos)
    assert pwm.pulsed_us == {(0, 0): 0.0}


def test_the_same_two_pins_are_two_channels_of_a_pi_5(tmp_path, pwm, config):
    flaps = Flaps(
        with_driver(config, "hardware-pwm", 12, 18), pwm_servos(tmp_path, {0: "1f00098000.pwm"})
    )
    flaps.park()
    assert pwm.pulsed_us == {(0, 0): 1500.0, (0, 2): 1500.0}
    flaps.close()


def test_a_pin_without_hardware_pwm_is_refused(tmp_path, pwm):
    with pytest.raises(FlapError, match="GPIO 5 has no hardware PWM; take one of 12, 13, 18, 19"):
        pwm_servos(tmp_path, {0: "fe20c000.pwm"}).release(5)


@pytest.mark.parametrize(
    "chips, present", [({}, "none"), ({0: "1f0009c000.pwm"}, "1f0009c000.pwm")]
)
def test_a_pi_without_pwm_at_its_pins_is_an_error_with_a_remedy(tmp_path, pwm, chips, present):
    with pytest.raises(
        FlapError,
        match=f"no hardware PWM at the pins .*found: {present}; add `dtoverlay=pwm-2chan`",
    ):
        pwm_servos(tmp_path, chips)


def test_pwm_that_this_user_may_not_use_is_named(tmp_path, pwm):
    servos = pwm_servos(tmp_path, {0: "fe20c000.pwm"})
    pwm.closed = True
    with pytest.raises(
        FlapError,
        match=r"GPIO 12 cannot be driven: .*Permission denied; add the user to the group gpio",
    ):
        servos.release(12)


def test_pwm_that_fails_is_named(tmp_path, pwm):
    servos = pwm_servos(tmp_path, {0: "fe20c000.pwm"})
    servos.release(13)
    pwm.closed = True
    with pytest.raises(FlapError, match=r"GPIO 13 does not take pulses: .*Input/output error"):
        servos.pulse(13, 1500)
    servos.close()
