"""The Pi's camera, by picamera2."""

import logging
import math
import time
from typing import Any

from coinsorter.config.schema import CameraSettings
from coinsorter.errors import CameraError
from coinsorter.hardware.camera import timing
from coinsorter.records import Frame

log = logging.getLogger(__name__)

BUFFERS = 4
# White balance looks for its gains for so long before they are locked: libcamera's takes whole steps in its first ten frames.
SETTLE_S = 0.5
# By libcamera's control, the option that it is set from, and where frames tell what became of it; it is rounded there, to the sensor's
# lines (up to 60 us) and to its steps of gain.
OPTIONS = {
    "FrameDurationLimits": ("camera.frames_per_s", "FrameDuration", 60.0),
    "ExposureTime": ("camera.exposure_us", "ExposureTime", 60.0),
    "AnalogueGain": ("camera.gain", "AnalogueGain", 0.0),
    "ColourGains": ("camera.red_gain and camera.blue_gain", "ColourGains", 0.0),
}
NEAR = 0.1  # relative
AUTOMATIC = {"AeEnable": "exposure", "AwbEnable": "white balance"}
# What picamera2 and libcamera say, a word of it, and what a technician can do about it.
FAULTS = {
    "busy": "another program uses it; end that one (`sudo fuser -v /dev/media*` names it)",
    "in use": "another program uses it; end that one (`sudo fuser -v /dev/media*` names it)",
    "acquire": "another program uses it; end that one (`sudo fuser -v /dev/media*` names it)",
    "index out of range": "none is found; check its cable at both ends, then `rpicam-hello --list-cameras`",
    "no camera number": "none is found; check its cable at both ends, then `rpicam-hello --list-cameras`",
    "not found": "none is found; check its cable at both ends, then `rpicam-hello --list-cameras`",
    "permission denied": "this user may not open it; add the user to the groups video and render",
    "allocate": "there is no memory for its frames; end other programs, then start the Pi again",
    "remote i/o": "it does not answer; check its cable at both ends",
    "input/output": "it does not answer; check its cable at both ends",
}


class PiCamera:
    """The Pi's camera: opened once, few buffers, fixed exposure, gain and colours. What it does not take of these is warned of by name."""

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._silence_s = timing.compute_max_silence_s(settings)
        self._number = 0
        self._camera: Any = None
        self._fixed: dict[str, Any] = {}
        self._warned: set[str] = set()
        self.heartbeat_s = time.monotonic()
        self._open()

    def next_frame(self) -> Frame:
        try:
            request = self._camera.capture_request(wait=self._silence_s)
        except TimeoutError as error:
            raise CameraError(
                f"no frame for {self._silence_s:.2g} s; check the camera's cable, then start again"
            ) from error
        try:
            pixels, metadata = request.make_array("main"), request.get_metadata()
        finally:
            request.release()
        self.heartbeat_s = time.monotonic()
        self._verify(metadata)
        self._number += 1
        return Frame(
            pixels, self._number - 1, metadata["SensorTimestamp"] / 1e9
        )  # the kernel's monotonic clock, as time.monotonic()

    def reopen(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is None:
            return
        try:
            camera.cancel_all_and_flush()  # what a silent camera still owes would keep it from closing
            camera.close()
        except (RuntimeError, OSError) as error:
            log.warning("the camera does not close: %s", error)

    def _open(self) -> None:
        make = _picamera2()
        try:
            self._camera = make()
            self._start()
        except (RuntimeError, IndexError, OSError) as error:  # a TimeoutError is an OSError
            self.close()
            raise CameraError(f"no camera: {_plain(error)}") from error
        self.heartbeat_s = time.monotonic()

    def _start(self) -> None:
        main = {
            "size": (self._settings.width_px, self._settings.height_px),
            "format": "BGR888",
        }  # red, green, blue in memory
        self._camera.configure(
            self._camera.create_video_configuration(main=main, buffer_count=BUFFERS)
        )
        self._camera.start()
        frame_us = round(1e6 / self._settings.frames_per_s)
        exposure = {"ExposureTime": self._settings.exposure_us, "AnalogueGain": self._settings.gain}
        self._set({"AeEnable": False, "FrameDurationLimits": (frame_us, frame_us), **exposure})
        found = self._drop(
            max(timing.WARM_UP_FRAMES, round(SETTLE_S * self._settings.frames_per_s))
        )
        self._set({"AwbEnable": False, "ColourGains": self._gains(found)})
        self._drop(timing.WARM_UP_FRAMES)

    def _gains(self, found: dict[str, Any]) -> tuple[float, float] | None:
        """Of red and blue; the camera's own where config.yaml has none, None where neither has."""
        red, blue = found.get("ColourGains", (None, None))
        gains = self._settings.red_gain or red, self._settings.blue_gain or blue
        return gains if all(gains) else None

    def _set(self, wanted: dict[str, Any]) -> None:
        """Sets what the camera has of these; the rest is warned of, once."""
        controls = self._camera.camera_controls
        for name in [name for name in wanted if name not in controls]:
            self._warn(
                name,
                f"the camera has no control {name}: it chooses {AUTOMATIC.get(name) or OPTIONS[name][0]} itself",
            )
        offered = {
            name: value for name, value in wanted.items() if name in controls and value is not None
        }
        self._camera.set_controls(offered)
        self._fixed |= {name: value for name, value in offered.items() if name in OPTIONS}

    def _drop(self, frames: int) -> dict[str, Any]:
        """Drops frames; what the last of them tells of itself."""
        for _ in range(frames):
            request = self._camera.capture_request(wait=timing.START_S)
            metadata = request.get_metadata()
            request.release()
        return metadata

    def _verify(self, metadata: dict[str, Any]) -> None:
        """Warns, once for each control, where a frame was not taken as it should have been."""
        for name, wanted in self._fixed.items():
            option, told, rounding = OPTIONS[name]
            if told in metadata and not _near(metadata[told], wanted, rounding):
                self._warn(
                    told,
                    f"the camera does not follow {option}: {told} is {metadata[told]}, not {wanted}",
                )

    def _warn(self, name: str, what: str) -> None:
        if name not in self._warned:
            log.warning("%s", what)
        self._warned.add(name)


def _near(got: Any, wanted: Any, rounding: float) -> bool:
    """Whether a number, or each of a pair, is as wanted; of limits that are the same, one number."""
    pairs = (
        zip(got, wanted)
        if isinstance(got, tuple)
        else [(got, wanted[0] if isinstance(wanted, tuple) else wanted)]
    )
    return all(math.isclose(g, w, rel_tol=NEAR, abs_tol=rounding) for g, w in pairs)


def _picamera2() -> Any:
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        how = "install it with `sudo apt install python3-picamera2`, or run `coinsorter run --simulate`"
        raise CameraError(f"no camera: picamera2 is not installed; {how}") from error
    return Picamera2


def _plain(error: BaseException) -> str:
    """What is wrong and what to do. picamera2 says "Camera __init__ sequence did not complete", and why in the causes of that."""
    if isinstance(error, TimeoutError):
        return f"it is found, but sends no frame for {timing.START_S:g} s; check its cable at both ends, then start again"
    said: list[str] = []
    cause: BaseException | None = error
    while cause:
        said.append(str(cause))
        cause = cause.__cause__
    for word, remedy in FAULTS.items():
        if word in " ".join(said).lower():
            return f"{remedy} ({said[-1]})"
    return f"{said[-1]}; check its cable, and that no other program uses it"
