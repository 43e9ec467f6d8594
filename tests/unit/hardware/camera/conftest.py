"""What the cameras' tests share: a stand-in for the Pi's camera, and a folder of images."""

import sys
from functools import partial
from types import ModuleType

import cv2
import numpy as np
import pytest

from coinsorter.config.schema import CameraSettings

RGB = (200, 120, 40)


def camera_settings(**options) -> CameraSettings:
    """Settings of a small camera."""
    return CameraSettings(width_px=320, height_px=240, **options)


class Sensor:
    """The camera at the ribbon cable: what it can do, what it does, and which program has it.

    Controls take effect LATE frames after they are set. caps: by control, what its value is brought
    to. fault: raised when it is opened. silent: sends nothing. settled: its own colour gains, which
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
        self.controls = set(self.CONTROLS)
        self.caps = {}
        self.fault = None
        self.silent = False
        self.settled = (2.0, 1.5)
        self.user = None
        self.clock_ns = 5_000_000_000
        self.frames = 0
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
        capped = {}
        for name, value in values.items():
            cap = self.caps.get(name)
            capped[name] = cap(value) if cap else value
        self.coming.append((self.frames + self.LATE, capped))

    def expose(self):
        self.frames += 1
        for due, values in self.coming:
            if due == self.frames:
                self.now |= values
        if self.now["AwbEnable"]:
            done = min(1.0, self.frames / 20)
            self.now["ColourGains"] = tuple(1 + done * (gain - 1) for gain in self.settled)
        self.clock_ns += self.now["FrameDurationLimits"][0] * 1000
        metadata = {
            name: self.now[name]
            for name in ("ExposureTime", "AnalogueGain", "ColourGains")
            if name in self.controls
        }
        return metadata | {
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


class ConnectedCamera:
    """Stands in for picamera2.Picamera2, with one camera connected."""

    def __init__(self, sensor: Sensor) -> None:
        if isinstance(sensor.fault, IndexError):
            raise sensor.fault
        busy = RuntimeError("Failed to acquire camera: Device or resource busy")
        if sensor.fault or sensor.user:
            why = sensor.fault or busy
            raise RuntimeError("Camera __init__ sequence did not complete.") from why
        sensor.user = self
        self.sensor = sensor
        self.owed = 0
        self.requests = []
        self.config = None

    @property
    def camera_controls(self):
        return dict.fromkeys(self.sensor.controls, (None, None, None))

    def create_video_configuration(self, main, buffer_count):
        return {"main": main, "buffer_count": buffer_count}

    def configure(self, config):
        self.config = config

    def start(self):
        self.sensor.power_up()

    def set_controls(self, values):
        for name in values:
            if name not in self.sensor.controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.sensor.set(values)

    def capture_request(self, wait):
        self.requests = [request for request in self.requests if request.held]
        if self.sensor.silent or len(self.requests) >= self.config["buffer_count"]:
            self.owed += 1
            raise TimeoutError
        self.requests.append(Request(self, self.sensor.expose()))
        return self.requests[-1]

    def cancel_all_and_flush(self):
        self.owed = 0

    def close(self):
        assert not self.owed, "the real one waits for ever here"
        self.sensor.user = None
        if self.sensor.close_fails:
            raise self.sensor.close_fails


@pytest.fixture
def sensor(monkeypatch):
    sensor = Sensor()
    package = ModuleType("picamera2")
    package.Picamera2 = partial(ConnectedCamera, sensor)
    monkeypatch.setitem(sys.modules, "picamera2", package)
    return sensor


@pytest.fixture
def folder(tmp_path):
    """Three images, as grey as their names say."""
    for grey in (10, 20, 100):
        cv2.imwrite(str(tmp_path / f"frame-{grey}.png"), np.full((240, 320, 3), grey, np.uint8))
    return tmp_path
