"""firmware: every pin in use is set before Linux and in Linux, and no other."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given

from coinsorter.tools import wiring
from tests.unit.tools.wiring.machines import (
    DROPS,
    FULL,
    any_machine,
    every_machine,
    machine,
    machines,
    wired,
)


@any_machine
@given(machines())
def test_the_firmware_sets_every_pin_in_use_and_no_other(of):
    found = dict(re.findall(r"^gpio=(\d+)=(.*)$", wiring.render_settings(of), re.MULTILINE))
    assert found == {
        str(gpio): "op,dl,pd" if driven else "ip,pu" for gpio, (_, driven) in wired(of).items()
    }


# By Linux' binding brcm,bcm2835-gpio: function 0 is an input, 1 an output; pull 1 is down, 2 up.
STATES = {
    "coinsorter_low": ["brcm,function = <1>", "brcm,pull = <1>"],
    "coinsorter_level": ["output-low"],
    "coinsorter_pwm": ["brcm,pull = <1>"],
    "coinsorter_up": ["brcm,function = <0>", "brcm,pull = <2>"],
}


def settings_of(body: str) -> list[str]:
    return sorted(
        part.strip() for part in body.split(";") if part.strip() and "pins = " not in part
    )


@any_machine
@given(machines())
def test_linux_sets_every_pin_in_use_and_no_other(of):
    text = re.sub(r"/\*.*?\*/", "", wiring.render_overlay(of), flags=re.DOTALL)
    states = dict(re.findall(r"(\w+): \w+ \{(.*?)\};", text, re.DOTALL))
    lists = {name: re.search(r"pins = (.*?);", body)[1] for name, body in states.items()}
    pins = {
        name: [int(number) for number in re.findall(r"\d+", found)] for name, found in lists.items()
    }
    pwm = {bin_.flap.pin for bin_ in of.bins} if of.servo.driver == "hardware-pwm" else set()
    driven = {gpio for gpio, (_, is_driven) in wired(of).items() if is_driven}
    assert (
        set(pins.get("coinsorter_low", [])) == set(pins.get("coinsorter_level", [])) == driven - pwm
    )
    assert set(pins.get("coinsorter_pwm", [])) == pwm
    assert set(pins.get("coinsorter_up", [])) == set(wired(of)) - driven
    assert set(re.findall(r"<&(coinsorter_\w+)>", text)) == set(states)
    assert {name: settings_of(body) for name, body in states.items()} == {
        name: STATES[name] for name in states
    }


@any_machine
@given(machines())
def test_no_line_is_longer_than_the_firmware_reads(of):
    assert max(map(len, wiring.render_settings(of).splitlines())) <= 98


@pytest.mark.parametrize(
    "pins, line",
    [
        ([12, 13], "dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4"),
        ([19, 18], "dtoverlay=pwm-2chan,pin=18,func=2,pin2=19,func2=2"),
        ([13, 18], "dtoverlay=pwm-2chan,pin=18,func=2,pin2=13,func2=4"),
        ([19], "dtoverlay=pwm,pin=19,func=2"),
    ],
)
def test_hardware_pwm_gets_its_pins_and_their_functions(pins, line):
    assert line in wiring.render_settings(machine(pins, "hardware-pwm")).splitlines()


@every_machine
def test_pwm_and_i2c_are_switched_on_only_for_the_driver_that_needs_them(of):
    text = wiring.render_settings(of)
    assert ("dtoverlay=pwm" in text) == (of.servo.driver == "hardware-pwm")
    assert ("dtparam=i2c_arm=on" in text) == (of.servo.driver == "pca9685")


@pytest.mark.parametrize(
    "pin, switch",
    [
        (2, "dtparam=i2c_arm=off"),
        (3, "dtparam=i2c_arm=off"),
        (7, "dtparam=spi=off"),
        (11, "dtparam=spi=off"),
        (14, "enable_uart=0"),
        (15, "enable_uart=0"),
        (18, "dtparam=i2s=off"),
        (21, "dtparam=i2s=off"),
    ],
)
def test_an_interface_that_would_take_a_pin_is_switched_off(pin, switch):
    switches = {
        line
        for line in wiring.render_settings(machine([pin])).splitlines()
        if line.endswith(("=off", "enable_uart=0"))
    }
    assert switches == {switch}


@pytest.mark.parametrize("pin", [4, 5, 6, 12, 13, 16, 17, 22, 27])
def test_interfaces_that_take_no_pin_of_ours_are_left_alone(pin):
    assert "=off" not in wiring.render_settings(
        machine([pin])
    ) and "enable_uart" not in wiring.render_settings(machine([pin]))


@pytest.mark.parametrize("source, is_configured", [("pi", True), ("usb", False)])
def test_only_the_pis_own_camera_is_looked_for(config, source, is_configured):
    of = config.model_copy(update={"camera": config.camera.model_copy(update={"source": source})})
    assert ("camera_auto_detect=1" in wiring.render_settings(of).splitlines()) == is_configured


@every_machine
def test_the_overlay_compiles_without_a_warning_and_holds_the_pins(tmp_path, of):
    if shutil.which("dtc") is None:
        pytest.skip("no dtc; install the package device-tree-compiler")
    source, binary = tmp_path / "coinsorter-overlay.dts", tmp_path / "coinsorter.dtbo"
    source.write_text(wiring.render_overlay(of), encoding="utf-8")
    compiled = subprocess.run(
        ["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", binary, source],
        capture_output=True,
        text=True,
    )
    assert (compiled.returncode, compiled.stdout, compiled.stderr) == (0, "", "")

    text = subprocess.run(
        ["dtc", "-q", "-q", "-I", "dtb", "-O", "dts", binary],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    cells = [
        int(cell, 16)
        for found in re.findall(r"brcm,pins = <(.*?)>", text)
        for cell in found.split()
    ]
    assert sorted(cells) == sorted(wired(of))
    assert text.count('gpio = "/fragment@0:target:0"') == (
        1 if cells else 0
    )  # which makes it the Pi's own GPIO controller that is set


# What the overlay is laid over on a Pi, as far as it is concerned.
BASE = "/dts-v1/; / { gpio: gpio@7e200000 { reg = <0x7e200000>; #address-cells = <0>; }; };"


def get_property(tree, node: str, name: str) -> str:
    """A property of a compiled device tree, its cells as decimal numbers."""
    return subprocess.run(
        ["fdtget", "-t", "u", tree, node, name], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_laid_over_a_pis_device_tree_the_overlay_sets_the_gpio_controllers_default_state(tmp_path):
    if shutil.which("fdtoverlay") is None:
        pytest.skip("no fdtoverlay; install the package device-tree-compiler")
    for name, source in (("base", BASE), ("over", wiring.render_overlay(FULL))):
        (tmp_path / f"{name}.dts").write_text(source, encoding="utf-8")
        subprocess.run(
            [
                "dtc",
                "-q",
                "-@",
                "-O",
                "dtb",
                "-o",
                tmp_path / f"{name}.dtb",
                tmp_path / f"{name}.dts",
            ],
            check=True,
        )
    subprocess.run(
        [
            "fdtoverlay",
            "-i",
            tmp_path / "base.dtb",
            "-o",
            tmp_path / "whole.dtb",
            tmp_path / "over.dtb",
        ],
        check=True,
    )
    states = ["coinsorter_low", "coinsorter_level", "coinsorter_up"]
    handles = [
        get_property(tmp_path / "whole.dtb", f"/gpio@7e200000/{state}", "phandle")
        for state in states
    ]
    assert get_property(tmp_path / "whole.dtb", "/gpio@7e200000", "pinctrl-0") == " ".join(handles)
    assert get_property(
        tmp_path / "whole.dtb", "/gpio@7e200000/coinsorter_up", "brcm,pins"
    ) == " ".join(str(pin) for pin in [*DROPS, 27, 22])
