"""PiCamera, on a stand-in for picamera2 that holds a state and fails as the real one does."""

import itertools
import logging
import sys
import time

import numpy as np
import pytest

from coinsorter.errors import CameraError
from coinsorter.hardware.camera.picamera import PiCamera
from tests.unit.hardware.camera.conftest import RGB, camera_settings


def test_frames_are_red_green_blue_and_of_the_size_that_was_set(sensor):
    frame = PiCamera(camera_settings()).next_frame()
    assert (frame.pixels.shape, frame.pixels.dtype) == ((240, 320, 3), np.uint8)
    assert tuple(frame.pixels[0, 0]) == RGB


def test_a_frames_time_is_the_sensors_own(sensor):
    camera = PiCamera(camera_settings(frames_per_s=50))
    frames = [camera.next_frame() for _ in range(3)]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert frames[-1].taken_s == sensor.clock_ns / 1e9
    assert np.diff([frame.taken_s for frame in frames]) == pytest.approx([0.02, 0.02])


def test_no_frame_from_before_the_settings_took_effect_is_delivered(sensor, caplog):
    camera = PiCamera(camera_settings(exposure_us=1500, gain=2.5, frames_per_s=100))
    camera.next_frame()
    assert (
        sensor.now["ExposureTime"],
        sensor.now["AnalogueGain"],
        sensor.now["FrameDurationLimits"],
    ) == (1500, 2.5, (10000, 10000))
    assert not sensor.now["AeEnable"] and not caplog.records


@pytest.mark.parametrize(
    "options, locked",
    [
        ({}, (2.0, 1.5)),
        ({"red_gain": 1.7, "blue_gain": 1.9}, (1.7, 1.9)),
        ({"red_gain": 1.7}, (1.7, 1.5)),
        ({"blue_gain": 1.9}, (2.0, 1.9)),
    ],
)
def test_colours_are_fixed_as_set_or_as_white_balance_found_them(sensor, options, locked):
    camera = PiCamera(camera_settings(**options))
    sensor.settled = (9.0, 9.0)  # another light, later
    camera.next_frame()
    assert sensor.now["ColourGains"] == pytest.approx(locked)
    assert not sensor.now["AwbEnable"]


def test_each_control_that_the_camera_has_not_is_warned_of_by_name_and_once(sensor, caplog):
    sensor.controls = {"FrameDurationLimits"}
    camera = PiCamera(camera_settings())
    camera.next_frame()
    camera.reopen()
    assert sorted(
        record.message for record in caplog.records if record.levelno == logging.WARNING
    ) == [
        "the camera has no control AeEnable: it chooses exposure itself",
        "the camera has no control AnalogueGain: it chooses camera.gain itself",
        "the camera has no control AwbEnable: it chooses white balance itself",
        "the camera has no control ColourGains: "
        "it chooses camera.red_gain and camera.blue_gain itself",
        "the camera has no control ExposureTime: it chooses camera.exposure_us itself",
    ]


def test_a_camera_that_reports_no_colour_gains_keeps_its_own(sensor, monkeypatch):
    expose = sensor.expose
    monkeypatch.setattr(
        sensor,
        "expose",
        lambda: {name: value for name, value in expose().items() if name != "ColourGains"},
    )
    PiCamera(camera_settings()).next_frame()
    assert sensor.now["ColourGains"] == sensor.settled and not sensor.now["AwbEnable"]


@pytest.mark.parametrize(
    "control, brought_to, warning",
    [
        ("ExposureTime", lambda us: us + 59, None),
        (
            "ExposureTime",
            lambda us: 4000,
            "the camera does not follow camera.exposure_us: ExposureTime is 4000, not 1500",
        ),
        ("AnalogueGain", lambda gain: gain * 1.05, None),
        (
            "AnalogueGain",
            lambda gain: 1.0,
            "the camera does not follow camera.gain: AnalogueGain is 1.0, not 2.0",
        ),
        (
            "FrameDurationLimits",
            lambda us: (33333, 33333),
            "the camera does not follow camera.frames_per_s: "
            "FrameDuration is 33333, not (16667, 16667)",
        ),
        (
            "ColourGains",
            lambda g: (1.0, 1.5),
            "the camera does not follow camera.red_gain and camera.blue_gain: "
            "ColourGains is (1.0, 1.5), not (2.0, 1.5)",
        ),
    ],
)
def test_what_the_camera_does_not_take_is_warned_of_by_name_and_once(
    sensor, caplog, control, brought_to, warning
):
    sensor.caps[control] = brought_to
    camera = PiCamera(camera_settings())
    for _ in range(3):
        camera.next_frame()
    assert [record.message for record in caplog.records] == ([warning] if warning else [])


def test_a_silent_camera_is_an_error_and_sends_again_once_it_was_reopened(sensor):
    camera = PiCamera(camera_settings(frames_per_s=60))
    assert camera.next_frame().number == 0
    sensor.silent = True
    with pytest.raises(CameraError, match=r"no frame for 0.25 s; check the camera's cable"):
        camera.next_frame()
    sensor.silent = False
    camera.reopen()
    assert [camera.next_frame().number for _ in range(10)] == list(range(1, 11))


def test_a_camera_that_stays_silent_when_it_is_reopened_says_so_and_is_let_go_of(sensor):
    camera = PiCamera(camera_settings())
    sensor.silent = True
    with pytest.raises(
        CameraError,
        match="no camera: it is found, but sends no frame for 2 s; check its cable at both ends",
    ):
        camera.reopen()
    assert sensor.user is None


@pytest.mark.parametrize(
    "fault, explanation",
    [
        (
            RuntimeError("Failed to acquire camera: Device or resource busy"),
            "another program uses it; end that one",
        ),
        (RuntimeError("camera.acquire() returned unexpected code: -16"), "another program uses it"),
        (IndexError("list index out of range"), "none is found; check its cable at both ends"),
        (
            RuntimeError('No camera number 0 found - use "rpicam-hello --list-cameras"'),
            "none is found",
        ),
        (
            RuntimeError(
                "Camera(s) not found (Do not forget to disable legacy camera with raspi-config)."
            ),
            "none is found",
        ),
        (
            PermissionError(13, "Permission denied"),
            "this user may not open it; add the user to the groups video and render",
        ),
        (OSError(12, "Cannot allocate memory"), "there is no memory for its frames"),
        (OSError(121, "Remote I/O error"), "it does not answer; check its cable at both ends"),
        (
            RuntimeError("something new"),
            "something new; check its cable, and that no other program uses it",
        ),
    ],
)
def test_known_failures_are_explained_in_plain_words_and_with_the_reason(
    sensor, fault, explanation
):
    sensor.fault = fault
    with pytest.raises(CameraError) as raised:
        PiCamera(camera_settings())
    assert f"no camera: {explanation}" in str(raised.value)
    assert str(fault) in str(raised.value)


def test_without_picamera2_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match="sudo apt install python3-picamera2"):
        PiCamera(camera_settings())


def test_a_closed_camera_can_be_opened_by_another_and_closing_twice_does_no_harm(sensor):
    camera = PiCamera(camera_settings())
    with pytest.raises(CameraError, match="another program uses it"):
        PiCamera(camera_settings())
    camera.close()
    camera.close()
    PiCamera(camera_settings()).close()


def test_a_camera_that_fails_to_close_is_reported_and_opened_again(sensor, caplog):
    camera = PiCamera(camera_settings())
    sensor.close_fails = RuntimeError("Failed to release camera")
    camera.reopen()
    assert camera.next_frame().number == 0
    assert [record.message for record in caplog.records] == [
        "the camera does not close: Failed to release camera"
    ]


def test_the_heartbeat_is_that_of_the_last_frame(sensor, monkeypatch):
    ticks = itertools.count(100.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    camera = PiCamera(camera_settings())
    opened_s = camera.heartbeat_s
    camera.next_frame()
    beat_s = camera.heartbeat_s
    assert beat_s > opened_s
    sensor.silent = True
    with pytest.raises(CameraError):
        camera.next_frame()
    assert camera.heartbeat_s == beat_s
