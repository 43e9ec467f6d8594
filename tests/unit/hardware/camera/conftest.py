"""What the cameras' tests share: a stand-in for the Pi's camera, and a folder of images."""

import sys
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


@pytest.fixture
def folder(tmp_path):
    """Three images, as grey as their names say."""
    for grey in (10, 20, 100):
        cv2.imwrite(str(tmp_path / f"frame-{grey}.png"), np.full((240, 320, 3), grey, np.uint8))
    return tmp_path
