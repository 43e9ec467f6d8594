"""What doctor says of camera, GPIO, servos and permissions."""

import numpy as np
import pytest

from coinsorter.errors import CameraError, FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.records import Frame
from coinsorter.tools import doctor_device_checks
from coinsorter.tools.doctor_device_checks import (
    COUNTED_FRAMES,
    check_camera,
    check_gpio,
    check_permissions,
    check_servos,
)
from coinsorter.tools.doctor_probe import FAULT, OK, WARNING


class SteadyCamera:
    """Delivers frames at an even rate; remembers that it was closed."""

    def __init__(self, frames_per_s=60.0, size=(640, 480), frames=1000) -> None:
        self.frames_per_s, self.frames, self.number, self.closed = frames_per_s, frames, 0, False
        self.pixels = np.zeros((size[1], size[0], 3), np.uint8)

    def next_frame(self) -> Frame | None:
        if self.number == self.frames:
            return None
        self.number += 1
        return Frame(self.pixels, self.number, self.number / self.frames_per_s)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    "camera, state, words",
    [
        (SteadyCamera(60), OK, "640x480, 60 frames a second"),
        (SteadyCamera(48.5), OK, "640x480, 48 frames a second"),
        (SteadyCamera(47.5), WARNING, "640x480, 48 frames a second, not 60"),
        (SteadyCamera(size=(320, 240)), FAULT, "delivers 320x240, not 640x480"),
        (SteadyCamera(frames=COUNTED_FRAMES - 1), FAULT, "delivers no frames"),
        (SteadyCamera(frames=COUNTED_FRAMES), OK, "640x480"),
    ],
)
def test_frames_have_the_configured_size_and_rate(make_probe, camera, state, words):
    observation = check_camera(make_probe(open_camera=lambda: camera))
    assert observation.state == state and words in observation.what
    assert bool(observation.remedy) == (state != OK) and camera.closed


def test_a_camera_that_is_gone_is_its_own_error(make_probe):
    with pytest.raises(CameraError, match="no camera: gone"):
        check_camera(make_probe())


def test_the_camera_is_left_to_the_running_service(make_probe):
    observation = check_camera(make_probe(answers={"is-active": "active"}))
    assert observation.state == OK and "in use by the running service" in observation.what


@pytest.mark.parametrize(
    "holders, active, state, words",
    [
        ({}, "inactive", OK, "gpiochip4, 8 pins in use"),
        ({5: "lg", 17: "led"}, "inactive", FAULT, "GPIO 5 (bins[0].flap.pin) by lg"),
        ({17: "led"}, "inactive", OK, "8 pins in use"),
        ({5: "lg"}, "active", OK, "8 pins in use"),
    ],
)
def test_pins_that_another_program_holds_are_named(
    make_probe, monkeypatch, holders, active, state, words
):
    monkeypatch.setattr(gpio_chip, "find_chip", lambda: 4)
    monkeypatch.setattr(gpio_chip, "read_line_users", lambda number: holders)
    observation = check_gpio(make_probe(answers={"is-active": active}))
    assert observation.state == state and words in observation.what


def test_a_chip_that_is_absent_is_its_own_error(make_probe, monkeypatch):
    def find_nothing():
        raise FlapError("no GPIO chip of a Raspberry Pi; add the user to the group gpio")

    monkeypatch.setattr(gpio_chip, "find_chip", find_nothing)
    with pytest.raises(FlapError, match="no GPIO chip"):
        check_gpio(make_probe())


@pytest.mark.parametrize(
    "driver, files, state, words",
    [
        ("gpio", {}, OK, "pulses by gpio"),
        ("mock", {}, WARNING, "no flap moves"),
        ("hardware-pwm", {}, FAULT, "no hardware PWM"),
        ("hardware-pwm", {"sys/class/pwm/pwmchip0": ""}, OK, "pulses by hardware-pwm"),
        ("pca9685", {}, FAULT, "no I2C bus"),
        ("pca9685", {"dev/i2c-1": ""}, OK, "pulses by pca9685"),
    ],
)
def test_the_device_that_makes_the_pulses_is_there(make_probe, driver, files, state, words):
    servo = make_probe().settings.servo.model_copy(update={"driver": driver})
    observation = check_servos(make_probe(files=files, servo=servo))
    assert observation.state == state and words in observation.what


@pytest.mark.parametrize("user, is_forbidden", [(1000, True), (0, False)])
def test_devices_that_this_user_may_not_open_are_named(make_probe, monkeypatch, user, is_forbidden):
    monkeypatch.setattr(doctor_device_checks.os, "geteuid", lambda: user)
    monkeypatch.setattr(doctor_device_checks.os, "access", lambda path, mode: False)
    observation = check_permissions(make_probe(files={"dev/video0": ""}))
    assert (observation.state == FAULT) == is_forbidden
    assert ("dev/video0" in observation.what) == is_forbidden


def test_without_devices_no_group_is_needed(make_probe):
    assert check_permissions(make_probe()).state == OK
