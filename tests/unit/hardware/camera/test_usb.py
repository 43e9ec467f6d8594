"""UsbCamera, on a stand-in for OpenCV's capture that fails as the real one does."""

import itertools
import os
import threading
import time

import cv2
import numpy as np
import pytest

from coinsorter.errors import CameraError
from coinsorter.hardware.camera.usb import UsbCamera
from tests.unit.hardware.camera.conftest import camera_settings


class Webcam:
    """A USB camera as cv2.VideoCapture shows it, until it is silenced or unplugged.

    It sends one frame a millisecond, each brighter than the one before.
    fixed: by property, the value that it stays at whatever is set.
    """

    def __init__(self, fixed=None, opened=True):
        self.fixed = fixed or {}
        self.opened = opened
        self.released = False
        self.values = {}
        self.frame = 0
        self.unplugged = False
        self.damaged = False
        self.complaint = b""
        self.flows = threading.Event()
        self.flows.set()

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self.opened

    def set(self, what, value):
        if what in self.fixed:
            return False
        self.values[what] = value
        return True

    def get(self, what):
        return self.fixed.get(what, self.values.get(what, 0))

    def grab(self):
        threading.Event().wait(0.001)
        self.flows.wait(10)
        self.frame += 1
        return not self.unplugged

    def retrieve(self):
        if self.damaged:
            return False, None
        if self.complaint:
            os.write(2, self.complaint)
        return True, np.full((240, 320, 3), (self.frame % 256, 20, 30), np.uint8)

    def release(self):
        self.released = True


@pytest.fixture
def webcams():
    """Every webcam that was opened in a test, and what the next one is to be like."""
    opened = []
    yield opened
    for webcam in opened:
        webcam.unplugged = True
        webcam.flows.set()


def usb_camera(webcams, webcam=None, **options) -> UsbCamera:
    def open_capture(device):
        webcams.append(webcam or Webcam())
        return webcams[-1]

    return UsbCamera(camera_settings(source="usb", **options), open_capture)


def test_a_usb_cameras_frames_are_red_green_blue_and_follow_one_another(webcams):
    camera = usb_camera(webcams)
    before_s = time.monotonic()
    frames = [camera.next_frame() for _ in range(4)]
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert frames[0].pixels.shape == (240, 320, 3) and tuple(frames[0].pixels[0, 0, :2]) == (30, 20)
    assert np.all(np.diff([int(frame.pixels[0, 0, 2]) for frame in frames]) > 0), (
        "none is delivered twice"
    )
    assert before_s - 1 < frames[0].taken_s < frames[1].taken_s < time.monotonic()
    assert camera.heartbeat_s == frames[-1].taken_s
    camera.close()


def test_a_usb_camera_gets_its_settings_and_keeps_its_colours(webcams, caplog):
    usb_camera(webcams, frames_per_s=30, exposure_us=1500, gain=4).close()
    wanted = {
        cv2.CAP_PROP_FRAME_WIDTH: 320,
        cv2.CAP_PROP_FRAME_HEIGHT: 240,
        cv2.CAP_PROP_FPS: 30,
        cv2.CAP_PROP_AUTO_EXPOSURE: 1,
        cv2.CAP_PROP_EXPOSURE: 15,
        cv2.CAP_PROP_GAIN: 4,
        cv2.CAP_PROP_AUTO_WB: 0,
    }
    assert wanted.items() <= webcams[0].values.items()
    assert not caplog.records


@pytest.mark.parametrize(
    "fixed, warning",
    [
        (
            {cv2.CAP_PROP_FRAME_WIDTH: 640},
            "the USB camera does not follow camera.width_px: it is at 640, not 320",
        ),
        (
            {cv2.CAP_PROP_FPS: 30},
            "the USB camera does not follow camera.frames_per_s: it is at 30, not 60",
        ),
        (
            {cv2.CAP_PROP_EXPOSURE: 157},
            "the USB camera does not follow camera.exposure_us: it is at 157, not 15",
        ),
        ({cv2.CAP_PROP_GAIN: 0}, "the USB camera does not follow camera.gain: it is at 0, not 2"),
        (
            {cv2.CAP_PROP_AUTO_WB: 1},
            "the USB camera does not let go of its white balance: colours may drift",
        ),
    ],
)
def test_what_a_usb_camera_does_not_take_is_warned_of_by_name(webcams, caplog, fixed, warning):
    usb_camera(webcams, Webcam(fixed)).close()
    assert [record.message for record in caplog.records] == [warning]


def test_a_silent_usb_camera_is_an_error_in_time_although_reading_it_blocks(webcams):
    camera = usb_camera(webcams, frames_per_s=120)
    webcams[0].flows.clear()
    with pytest.raises(
        CameraError, match=r"/dev/video0 has sent no frame for 0.12 s; check its plug"
    ):
        for _ in range(2):  # one may have come before
            camera.next_frame()
    webcams[0].flows.set()
    assert camera.next_frame().pixels.shape == (240, 320, 3)
    camera.close()


def test_an_unplugged_usb_camera_is_an_error_and_delivers_again_once_it_was_reopened(webcams):
    camera = usb_camera(webcams, usb_device=3)
    last = camera.next_frame().number
    webcams[0].unplugged = True
    with pytest.raises(CameraError, match="/dev/video3 has stopped delivering frames"):
        for _ in itertools.count():
            last = camera.next_frame().number
    camera.reopen()
    assert webcams[0].released and camera.next_frame().number == last + 1
    camera.close()


def test_damaged_frames_are_left_out(webcams):
    camera = usb_camera(webcams, frames_per_s=120)
    webcams[0].damaged = True
    with pytest.raises(CameraError, match="has sent no frame"):
        for _ in range(2):
            camera.next_frame()
    webcams[0].damaged = False
    assert camera.next_frame().pixels.shape == (240, 320, 3)
    camera.close()


def test_frames_that_libjpeg_calls_damaged_are_left_out(webcams):
    """OpenCV returns them as if they were whole."""
    camera = usb_camera(webcams, frames_per_s=120)
    webcams[0].complaint = b"Corrupt JPEG data: premature end of data segment\n"
    with pytest.raises(
        CameraError, match=r"no frame for .* that was whole \([0-9]+ came damaged\)"
    ):
        for _ in range(2):
            camera.next_frame()
    webcams[0].complaint = b"Corrupt JPEG data: 1 extraneous bytes before marker 0xd9\n"
    assert camera.next_frame().pixels.shape == (240, 320, 3)
    camera.close()


def test_a_usb_camera_that_never_sends_is_let_go_of(webcams, monkeypatch):
    monkeypatch.setattr("coinsorter.hardware.camera.timing.START_S", 0.05)
    webcam = Webcam()
    webcam.flows.clear()
    with pytest.raises(CameraError, match=r"/dev/video0 has sent no frame for 0.05 s"):
        usb_camera(webcams, webcam)
    webcam.flows.set()


def test_a_closed_usb_camera_is_released_and_closing_twice_does_no_harm(webcams):
    camera = usb_camera(webcams)
    camera.close()
    camera.close()
    assert webcams[0].released
    with pytest.raises(CameraError, match="/dev/video0 has stopped delivering frames"):
        camera.next_frame()


def test_a_usb_camera_that_is_not_there_is_named(webcams):
    with pytest.raises(
        CameraError,
        match=r"no camera: /dev/video63 is not there; plug the camera in, and set camera",
    ):
        usb_camera(webcams, Webcam(opened=False), usb_device=63)


def test_opencvs_own_capture_is_read_to_its_end(tmp_path):
    video = cv2.VideoWriter(
        str(tmp_path / "belt.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (320, 240)
    )
    for _ in range(400):
        video.write(np.full((240, 320, 3), (10, 20, 200), np.uint8))
    video.release()
    camera = UsbCamera(
        camera_settings(source="usb"), lambda device: cv2.VideoCapture(str(tmp_path / "belt.avi"))
    )
    red, green, blue = camera.next_frame().pixels[120, 160].astype(int)
    assert abs(red - 200) < 8 and abs(green - 20) < 8 and abs(blue - 10) < 8
    with pytest.raises(CameraError, match="has stopped delivering frames"):
        for _ in itertools.count():
            camera.next_frame()
    camera.close()


@pytest.mark.parametrize(
    "may_open, explanation",
    [
        (False, "may not be opened by this user; add the user to the group video"),
        (True, "cannot be opened; end what else uses it"),
    ],
)
def test_a_usb_camera_that_is_there_and_does_not_open_is_explained(
    webcams, monkeypatch, may_open, explanation
):
    monkeypatch.setattr("coinsorter.hardware.camera.usb.Path.exists", lambda path: True)
    monkeypatch.setattr("os.access", lambda path, mode: may_open)
    with pytest.raises(CameraError, match=f"no camera: /dev/video7 {explanation}"):
        usb_camera(webcams, Webcam(opened=False), usb_device=7)
