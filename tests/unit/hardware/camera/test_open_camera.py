"""camera: frames from the Pi's camera, a USB camera and a folder; the first two on stand-ins that hold a state and fail as the real ones do."""

import itertools
import logging
import sys
import threading
import time
from types import ModuleType

import cv2
import numpy as np
import pytest

from coinsorter.config.schema import CameraSettings
from coinsorter.errors import CameraError, InputError
from coinsorter.hardware.camera.open_camera import (
    FolderCamera,
    LoopedFolderCamera,
    PiCamera,
    UsbCamera,
    open_camera,
)

RGB = (200, 120, 40)


def settings(**options) -> CameraSettings:
    return CameraSettings(width_px=320, height_px=240, **options)


# -- the Pi's camera ------------------------------------------------------------------------------------------------------------------


class Sensor:
    """The camera at the ribbon: what it can do, what it does, and who has it. Controls take effect LATE frames after they are set.

    caps: by control, what its value is brought to. fault: raised when it is opened. silent: sends nothing. settled: its own colour gains, which
    white balance comes nearer to with each of its first 20 frames.
    """

    LATE = 3
    CONTROLS = (
        "AeEnable",
        "AwbEnable",
        "FrameDurationLimits",
        "ExposureTime",
        "AnalogueGain",
        "ColourGains",
    )

    def __init__(self):
        self.controls, self.caps, self.fault, self.silent, self.settled = (
            set(self.CONTROLS),
            {},
            None,
            False,
            (2.0, 1.5),
        )
        self.user, self.clock_ns, self.frames = None, 5_000_000_000, 0
        self.close_fails = None

    def power_up(self):
        self.now = {
            "AeEnable": True,
            "AwbEnable": True,
            "FrameDurationLimits": (33333, 33333),
            "ExposureTime": 9000,
            "AnalogueGain": 1.0,
        }
        self.coming, self.frames = [], 0

    def set(self, values):
        self.coming.append(
            (
                self.frames + self.LATE,
                {name: self.caps.get(name, lambda v: v)(value) for name, value in values.items()},
            )
        )

    def expose(self):
        self.frames += 1
        for due, values in self.coming:
            if due == self.frames:
                self.now |= values
        if self.now["AwbEnable"]:
            done = min(1.0, self.frames / 20)
            self.now["ColourGains"] = tuple(1 + done * (gain - 1) for gain in self.settled)
        self.clock_ns += self.now["FrameDurationLimits"][0] * 1000
        told = {
            name: self.now[name]
            for name in ("ExposureTime", "AnalogueGain", "ColourGains")
            if name in self.controls
        }
        return told | {
            "SensorTimestamp": self.clock_ns,
            "FrameDuration": self.now["FrameDurationLimits"][0],
        }


class Request:
    """A buffer with a frame in it, which is lost to the camera until it is released."""

    def __init__(self, camera, metadata):
        self.camera, self.metadata, self.held = camera, metadata, True

    def get_metadata(self):
        return dict(self.metadata)

    def make_array(self, name):
        assert self.held and name == "main"
        width, height = self.camera.config["main"]["size"]
        in_memory = {"BGR888": RGB, "RGB888": RGB[::-1]}[self.camera.config["main"]["format"]]
        return np.full((height, width, 3), in_memory, np.uint8)

    def release(self):
        self.held = False


def picamera2_of(sensor: Sensor) -> ModuleType:
    """Stands in for the package picamera2, with one camera connected."""

    class Picamera2:
        def __init__(self):
            if isinstance(sensor.fault, IndexError):
                raise sensor.fault
            if sensor.fault or sensor.user:
                why = sensor.fault or RuntimeError(
                    "Failed to acquire camera: Device or resource busy"
                )
                raise RuntimeError("Camera __init__ sequence did not complete.") from why
            sensor.user, self.owed, self.requests, self.config = self, 0, [], None

        @property
        def camera_controls(self):
            return dict.fromkeys(sensor.controls, (None, None, None))

        def create_video_configuration(self, main, buffer_count):
            return {"main": main, "buffer_count": buffer_count}

        def configure(self, config):
            self.config = config

        def start(self):
            sensor.power_up()

        def set_controls(self, values):
            for name in values:
                if name not in sensor.controls:
                    raise RuntimeError(f"Control {name} is not advertised by libcamera")
            sensor.set(values)

        def capture_request(self, wait):
            self.requests = [request for request in self.requests if request.held]
            if sensor.silent or len(self.requests) >= self.config["buffer_count"]:
                self.owed += 1
                raise TimeoutError
            self.requests.append(Request(self, sensor.expose()))
            return self.requests[-1]

        def cancel_all_and_flush(self):
            self.owed = 0

        def close(self):
            assert not self.owed, "the real one waits for ever here"
            sensor.user = None
            if sensor.close_fails:
                raise sensor.close_fails

    package = ModuleType("picamera2")
    package.Picamera2 = Picamera2
    return package


@pytest.fixture
def sensor(monkeypatch):
    sensor = Sensor()
    monkeypatch.setitem(sys.modules, "picamera2", picamera2_of(sensor))
    return sensor


def test_frames_are_red_green_blue_and_of_the_size_that_was_set(sensor):
    frame = PiCamera(settings()).next_frame()
    assert (frame.pixels.shape, frame.pixels.dtype) == ((240, 320, 3), np.uint8)
    assert tuple(frame.pixels[0, 0]) == RGB


def test_a_frames_time_is_the_sensors_own(sensor):
    camera = PiCamera(settings(frames_per_s=50))
    frames = [camera.next_frame() for _ in range(3)]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert frames[-1].taken_s == sensor.clock_ns / 1e9
    assert np.diff([frame.taken_s for frame in frames]) == pytest.approx([0.02, 0.02])


def test_no_frame_from_before_the_settings_took_effect_is_delivered(sensor, caplog):
    camera = PiCamera(settings(exposure_us=1500, gain=2.5, frames_per_s=100))
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
    camera = PiCamera(settings(**options))
    sensor.settled = (9.0, 9.0)  # another light, later
    camera.next_frame()
    assert sensor.now["ColourGains"] == pytest.approx(locked)
    assert not sensor.now["AwbEnable"]


def test_each_control_that_the_camera_has_not_is_warned_of_by_name_and_once(sensor, caplog):
    sensor.controls = {"FrameDurationLimits"}
    camera = PiCamera(settings())
    camera.next_frame()
    camera.reopen()
    assert sorted(
        record.message for record in caplog.records if record.levelno == logging.WARNING
    ) == [
        "the camera has no control AeEnable: it chooses exposure itself",
        "the camera has no control AnalogueGain: it chooses camera.gain itself",
        "the camera has no control AwbEnable: it chooses white balance itself",
        "the camera has no control ColourGains: it chooses camera.red_gain and camera.blue_gain itself",
        "the camera has no control ExposureTime: it chooses camera.exposure_us itself",
    ]


def test_a_camera_that_tells_no_colour_gains_keeps_its_own(sensor, monkeypatch):
    told = sensor.expose
    monkeypatch.setattr(
        sensor,
        "expose",
        lambda: {name: value for name, value in told().items() if name != "ColourGains"},
    )
    PiCamera(settings()).next_frame()
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
            "the camera does not follow camera.frames_per_s: FrameDuration is 33333, not (16667, 16667)",
        ),
        (
            "ColourGains",
            lambda g: (1.0, 1.5),
            "the camera does not follow camera.red_gain and camera.blue_gain: ColourGains is (1.0, 1.5), not (2.0, 1.5)",
        ),
    ],
)
def test_what_the_camera_does_not_take_is_warned_of_by_name_and_once(
    sensor, caplog, control, brought_to, warning
):
    sensor.caps[control] = brought_to
    camera = PiCamera(settings())
    for _ in range(3):
        camera.next_frame()
    assert [record.message for record in caplog.records] == ([warning] if warning else [])


def test_a_silent_camera_is_an_error_and_sends_again_once_it_was_reopened(sensor):
    camera = PiCamera(settings(frames_per_s=60))
    assert camera.next_frame().number == 0
    sensor.silent = True
    with pytest.raises(CameraError, match="no frame for 0.25 s; check the camera's cable"):
        camera.next_frame()
    sensor.silent = False
    camera.reopen()
    assert [camera.next_frame().number for _ in range(10)] == list(range(1, 11))


def test_a_camera_that_stays_silent_when_it_is_reopened_says_so_and_is_let_go_of(sensor):
    camera = PiCamera(settings())
    sensor.silent = True
    with pytest.raises(
        CameraError,
        match="no camera: it is found, but sends no frame for 2 s; check its cable at both ends",
    ):
        camera.reopen()
    assert sensor.user is None


@pytest.mark.parametrize(
    "fault, said",
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
def test_known_failures_are_said_in_plain_words_and_with_the_reason_that_was_given(
    sensor, fault, said
):
    sensor.fault = fault
    with pytest.raises(CameraError) as raised:
        PiCamera(settings())
    assert f"no camera: {said}" in str(raised.value)
    assert str(fault) in str(raised.value)


def test_without_picamera2_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match="sudo apt install python3-picamera2"):
        PiCamera(settings())


def test_a_closed_camera_can_be_opened_by_another_and_closing_twice_does_no_harm(sensor):
    camera = PiCamera(settings())
    with pytest.raises(CameraError, match="another program uses it"):
        PiCamera(settings())
    camera.close()
    camera.close()
    PiCamera(settings()).close()


def test_a_camera_that_fails_to_close_is_told_of_and_opened_again(sensor, caplog):
    camera = PiCamera(settings())
    sensor.close_fails = RuntimeError("Failed to release camera")
    camera.reopen()
    assert camera.next_frame().number == 0
    assert [record.message for record in caplog.records] == [
        "the camera does not close: Failed to release camera"
    ]


def test_the_heartbeat_is_that_of_the_last_frame(sensor, monkeypatch):
    ticks = itertools.count(100.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    camera = PiCamera(settings())
    opened_s = camera.heartbeat_s
    camera.next_frame()
    beat_s = camera.heartbeat_s
    assert beat_s > opened_s
    sensor.silent = True
    with pytest.raises(CameraError):
        camera.next_frame()
    assert camera.heartbeat_s == beat_s


# -- a USB camera ---------------------------------------------------------------------------------------------------------------------


class Webcam:
    """A USB camera as cv2.VideoCapture shows it: one frame a millisecond, each brighter than the one before, until it is silenced or unplugged.

    fixed: by property, what it stays at whatever is asked for.
    """

    def __init__(self, fixed=None, opened=True):
        self.fixed, self.opened, self.released = fixed or {}, opened, False
        self.values, self.frame = {}, 0
        self.flows, self.unplugged, self.damaged = threading.Event(), False, False
        self.flows.set()

    def isOpened(self):
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
        return True, np.full((240, 320, 3), (self.frame % 256, 20, 30), np.uint8)

    def release(self):
        self.released = True


@pytest.fixture
def webcams():
    """Every webcam that was opened in a test, and what the next one is to be like."""
    made = []
    yield made
    for webcam in made:
        webcam.unplugged = True
        webcam.flows.set()


def usb_camera(webcams, webcam=None, **options) -> UsbCamera:
    def opened(device):
        webcams.append(webcam or Webcam())
        return webcams[-1]

    return UsbCamera(settings(source="usb", **options), opened)


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
        CameraError, match="/dev/video0 has sent no frame for 0.12 s; check its plug"
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


def test_a_usb_camera_that_never_sends_is_let_go_of(webcams, monkeypatch):
    monkeypatch.setattr("coinsorter.hardware.camera.timing.START_S", 0.05)
    webcam = Webcam()
    webcam.flows.clear()
    with pytest.raises(CameraError, match="/dev/video0 has sent no frame for 0.05 s"):
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
        match="no camera: /dev/video63 is not there; plug the camera in, and set camera.usb_device",
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
        settings(source="usb"), lambda device: cv2.VideoCapture(str(tmp_path / "belt.avi"))
    )
    red, green, blue = camera.next_frame().pixels[120, 160].astype(int)
    assert abs(red - 200) < 8 and abs(green - 20) < 8 and abs(blue - 10) < 8
    with pytest.raises(CameraError, match="has stopped delivering frames"):
        for _ in itertools.count():
            camera.next_frame()
    camera.close()


# -- pictures shown -------------------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that only sleeping moves on."""

    def __init__(self):
        self.s = 100.0

    def now_s(self):
        return self.s

    def sleep(self, s):
        self.s += s


@pytest.fixture
def folder(tmp_path):
    """Three pictures, as grey as their names say."""
    for grey in (10, 20, 100):
        cv2.imwrite(str(tmp_path / f"frame-{grey}.png"), np.full((240, 320, 3), grey, np.uint8))
    return tmp_path


def shown(folder, clock: Clock, frames_per_s: float = 10) -> LoopedFolderCamera:
    return LoopedFolderCamera(
        [folder / f"frame-{grey}.png" for grey in (10, 20, 100)],
        frames_per_s,
        clock.now_s,
        clock.sleep,
    )


def greys(camera, count: int) -> list[int]:
    return [int(camera.next_frame().pixels[0, 0, 0]) for _ in range(count)]


def test_pictures_are_shown_in_their_order_again_and_again(folder):
    assert greys(shown(folder, Clock()), 7) == [10, 20, 100, 10, 20, 100, 10]


def test_pictures_are_shown_at_the_cameras_rate(folder):
    clock = Clock()
    camera = shown(folder, clock)
    frames = [camera.next_frame() for _ in range(5)]
    assert [frame.taken_s for frame in frames] == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert camera.heartbeat_s == clock.s == pytest.approx(100.4)


def test_pictures_that_nobody_asked_for_in_their_time_are_gone(folder):
    clock = Clock()
    camera = shown(folder, clock)
    camera.next_frame()
    clock.s += 0.45
    late = camera.next_frame()
    assert (late.number, late.taken_s, int(late.pixels[0, 0, 0])) == (4, pytest.approx(100.4), 20)
    assert greys(camera, 2) == [100, 10]


def test_a_picture_that_cannot_be_read_is_named(folder):
    (folder / "frame-20.png").write_text("no picture")
    camera = shown(folder, Clock())
    camera.next_frame()
    with pytest.raises(
        CameraError,
        match="frame-20.png: is no picture that can be read; take it out of camera.folder",
    ):
        camera.next_frame()


def test_reopening_and_closing_pictures_does_no_harm(folder):
    camera = shown(folder, Clock())
    greys(camera, 2)
    camera.reopen()
    assert greys(camera, 2) == [100, 10]
    camera.close()
    camera.close()


# -- which one ------------------------------------------------------------------------------------------------------------------------


def test_a_folder_is_shown_from_beside_the_settings_in_the_order_of_its_numbers(folder):
    camera = open_camera(
        settings(source="folder", folder=folder.name, frames_per_s=120), folder.parent
    )
    assert isinstance(camera, LoopedFolderCamera)
    frames = [camera.next_frame() for _ in range(4)]
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [
        (10, 20, 100)[frame.number % 3] for frame in frames
    ]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        open_camera(settings(source="folder", folder="nowhere"), tmp_path)


def test_the_pis_camera_is_opened_where_the_settings_name_it(sensor, tmp_path):
    camera = open_camera(settings(), tmp_path)
    assert tuple(camera.next_frame().pixels[0, 0]) == RGB
    camera.close()


def test_a_usb_camera_is_opened_where_the_settings_name_it_and_no_other_in_its_place(
    sensor, tmp_path
):
    with pytest.raises(CameraError, match="/dev/video63"):
        open_camera(settings(source="usb", usb_device=63), tmp_path)
    assert sensor.user is None


def test_a_folder_of_frames_is_read_once_and_goes_on_where_it_was_when_reopened(folder):
    camera = FolderCamera(sorted(folder.iterdir()), frame_s=0.5)
    camera.next_frame()
    camera.next_frame()
    camera.reopen()
    assert camera.next_frame().number == 2 and camera.heartbeat_s == 1.0
    assert camera.next_frame() is None
