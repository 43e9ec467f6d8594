"""The Pi's camera, by picamera2."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coinsorter.config.schema import CameraSettings
from coinsorter.errors import CameraError
from coinsorter.hardware.camera import timing
from coinsorter.records import Frame

if TYPE_CHECKING:
    from picamera2 import Picamera2

log = logging.getLogger(__name__)

#: Frames that libcamera may fill while one is used; more only take memory.
BUFFERS = 4
#: White balance has so many seconds to find its gains before they are locked: libcamera's takes
#: whole steps in its first ten frames.
SETTLE_S = 0.5
#: Relative difference between a control and what a frame reports of it that is not warned of.
TOLERANCE = 0.1


@dataclass(frozen=True)
class ControlSource:
    """Where a control of libcamera comes from, and how a frame reports it.

    option: of config.yaml. reported_as: name in a frame's metadata. rounding: how far libcamera may
    round it, in the control's unit: exposure to the sensor's lines, up to 60 us.
    """

    option: str
    reported_as: str
    rounding: float


#: By libcamera's name of the control; libcamera.org/api-html/namespacelibcamera_1_1controls.html.
CONTROLS = {
    "FrameDurationLimits": ControlSource("camera.frames_per_s", "FrameDuration", 60.0),
    "ExposureTime": ControlSource("camera.exposure_us", "ExposureTime", 60.0),
    "AnalogueGain": ControlSource("camera.gain", "AnalogueGain", 0.0),
    "ColourGains": ControlSource("camera.red_gain and camera.blue_gain", "ColourGains", 0.0),
}
#: Controls that switch something automatic on or off, and what that is.
AUTOMATIC = {"AeEnable": "exposure", "AwbEnable": "white balance"}

_BUSY = "another program uses it; end that one (`sudo fuser -v /dev/media*` names it)"
_ABSENT = "none is found; check its cable at both ends, then `rpicam-hello --list-cameras`"
_NO_ANSWER = "it does not answer; check its cable at both ends"
#: By a word of what picamera2 and libcamera say, what a technician can do about it.
REMEDIES = {
    "busy": _BUSY,
    "in use": _BUSY,
    "acquire": _BUSY,
    "index out of range": _ABSENT,
    "no camera number": _ABSENT,
    "not found": _ABSENT,
    "permission denied": "this user may not open it; add the user to the groups video and render",
    "allocate": "there is no memory for its frames; end other programs, then start the Pi again",
    "remote i/o": _NO_ANSWER,
    "input/output": _NO_ANSWER,
}


class PiCamera:
    """The Pi's camera: opened once, few buffers, fixed exposure, gain and colours.

    A warning names each of these that the camera does not follow. Raises CameraError where it
    cannot be opened.
    """

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._max_silence_s = timing.compute_max_silence_s(settings)
        self._number = 0
        self._device: Picamera2 | None = None
        self._wanted: dict[str, Any] = {}
        self._warned: set[str] = set()
        self.heartbeat_s = time.monotonic()
        self._open()

    def next_frame(self) -> Frame:
        """The next frame; waits for it. Raises CameraError when the camera falls silent."""
        pixels, metadata = self._capture()
        self.heartbeat_s = time.monotonic()
        self._verify(metadata)
        number = self._number
        self._number += 1
        # The sensor's clock is the kernel's monotonic one, as time.monotonic().
        taken_s = metadata["SensorTimestamp"] / 1e9
        return Frame(pixels, number, taken_s)

    def reopen(self) -> None:
        """Closes the camera and opens it again; frame numbers continue. Raises CameraError."""
        self.close()
        self._open()

    def close(self) -> None:
        """Lets go of the camera; safe to call twice."""
        device, self._device = self._device, None
        if device is None:
            return
        try:
            # Frames that a silent camera still owes would keep it from closing.
            device.cancel_all_and_flush()
            device.close()
        except (RuntimeError, OSError) as error:
            log.warning("the camera does not close: %s", error)

    def _open(self) -> None:
        picamera2_class = _import_picamera2()
        try:
            self._device = picamera2_class()
            self._start(self._device)
        except (RuntimeError, IndexError, OSError) as error:  # a TimeoutError is an OSError
            self.close()
            raise CameraError(f"no camera: {_explain(error)}") from error
        self.heartbeat_s = time.monotonic()

    def _start(self, device: "Picamera2") -> None:
        size = (self._settings.width_px, self._settings.height_px)
        # BGR888 is red, green, blue in memory.
        main = {"size": size, "format": "BGR888"}
        device.configure(device.create_video_configuration(main=main, buffer_count=BUFFERS))
        device.start()
        self._set(device, self._exposure_controls())
        settle_frames = round(SETTLE_S * self._settings.frames_per_s)
        metadata = _skip_frames(device, max(timing.WARM_UP_FRAMES, settle_frames))
        self._set(device, {"AwbEnable": False, "ColourGains": self._colour_gains(metadata)})
        _skip_frames(device, timing.WARM_UP_FRAMES)

    def _exposure_controls(self) -> dict[str, Any]:
        frame_us = round(1e6 / self._settings.frames_per_s)
        return {
            "AeEnable": False,
            "FrameDurationLimits": (frame_us, frame_us),
            "ExposureTime": self._settings.exposure_us,
            "AnalogueGain": self._settings.gain,
        }

    def _colour_gains(self, metadata: Mapping[str, Any]) -> tuple[float, float] | None:
        """Gains of red and blue: config.yaml's, else the camera's own; None where neither has."""
        camera_red, camera_blue = metadata.get("ColourGains", (None, None))
        red = self._settings.red_gain or camera_red
        blue = self._settings.blue_gain or camera_blue
        return (red, blue) if red and blue else None

    def _set(self, device: "Picamera2", wanted: Mapping[str, Any]) -> None:
        """Sets the controls that the camera has; a warning names each of the others, once."""
        settable = {}
        for name, value in wanted.items():
            if name not in device.camera_controls:
                self._warn_missing(name)
            elif value is not None:
                settable[name] = value
        device.set_controls(settable)
        self._wanted |= {name: value for name, value in settable.items() if name in CONTROLS}

    def _capture(self) -> tuple[Any, dict[str, Any]]:
        """The next frame's pixels, uint8 (height, width, 3) RGB, and its metadata."""
        if self._device is None:
            raise CameraError("the camera is closed; start again")
        try:
            request = self._device.capture_request(wait=self._max_silence_s)
        except TimeoutError as error:
            what = f"no frame for {self._max_silence_s:.2g} s"
            raise CameraError(f"{what}; check the camera's cable, then start again") from error
        try:
            return request.make_array("main"), request.get_metadata()
        finally:
            request.release()

    def _verify(self, metadata: Mapping[str, Any]) -> None:
        """Warns, once for each control, where a frame was not taken as it should have been."""
        for name, wanted in self._wanted.items():
            source = CONTROLS[name]
            if source.reported_as not in metadata:
                continue
            actual = metadata[source.reported_as]
            if not _is_near(actual, wanted, source.rounding):
                what = f"the camera does not follow {source.option}"
                detail = f"{source.reported_as} is {actual}, not {wanted}"
                self._warn(source.reported_as, f"{what}: {detail}")

    def _warn_missing(self, control: str) -> None:
        subject = AUTOMATIC.get(control) or CONTROLS[control].option
        self._warn(control, f"the camera has no control {control}: it chooses {subject} itself")

    def _warn(self, name: str, what: str) -> None:
        if name not in self._warned:
            log.warning("%s", what)
        self._warned.add(name)


def _skip_frames(device: "Picamera2", count: int) -> dict[str, Any]:
    """Drops frames, one at least; returns the last one's metadata."""
    metadata: dict[str, Any] = {}
    for _ in range(count):
        request = device.capture_request(wait=timing.START_S)
        metadata = request.get_metadata()
        request.release()
    return metadata


def _is_near(actual: Any, wanted: Any, rounding: float) -> bool:
    """Whether a number, or each of a pair, is as wanted.

    The duration of a frame is one number, while its two limits, which are the same, are a pair.
    """
    if isinstance(actual, tuple):
        pairs = list(zip(actual, wanted))
    else:
        pairs = [(actual, wanted[0] if isinstance(wanted, tuple) else wanted)]
    return all(math.isclose(a, w, rel_tol=TOLERANCE, abs_tol=rounding) for a, w in pairs)


def _import_picamera2() -> type["Picamera2"]:
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        what = "no camera: picamera2 is not installed"
        remedy = "install it with `sudo apt install python3-picamera2`"
        elsewhere = "or run `coinsorter run --simulate`"
        raise CameraError(f"{what}; {remedy}, {elsewhere}") from error
    return Picamera2


def _explain(error: BaseException) -> str:
    """What is wrong and what to do.

    picamera2 says "Camera __init__ sequence did not complete", and why in the causes of that.
    """
    if isinstance(error, TimeoutError):
        what = f"it is found, but sends no frame for {timing.START_S:g} s"
        return f"{what}; check its cable at both ends, then start again"
    messages = list(_messages_of(error))
    text = " ".join(messages).lower()
    for word, remedy in REMEDIES.items():
        if word in text:
            return f"{remedy} ({messages[-1]})"
    return f"{messages[-1]}; check its cable, and that no other program uses it"


def _messages_of(error: BaseException) -> Iterator[str]:
    cause: BaseException | None = error
    while cause:
        yield str(cause)
        cause = cause.__cause__
