"""A USB camera, by OpenCV and Video4Linux."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from coinsorter.config.schema import CameraSettings
from coinsorter.errors import CameraError
from coinsorter.hardware.camera import timing
from coinsorter.images.decoder_messages import DecoderMessages
from coinsorter.records import Frame

log = logging.getLogger(__name__)

#: V4L2_EXPOSURE_MANUAL, of the control V4L2_CID_EXPOSURE_AUTO (linux/v4l2-controls.h).
MANUAL_EXPOSURE = 1
#: The unit of V4L2_CID_EXPOSURE_ABSOLUTE, microseconds (linux/v4l2-controls.h).
EXPOSURE_UNIT_US = 100
#: Relative difference between a property and its setting that is not warned of.
TOLERANCE = 0.01


def _open_capture(device: int) -> cv2.VideoCapture:
    return cv2.VideoCapture(device, cv2.CAP_V4L2)


class UsbCamera:
    """A USB camera: size and rate as set, exposure and gain where it has them.

    A warning names each setting that it does not follow. Its gain is in units of its own.
    open_capture: makes cv2.VideoCapture's object for a device number. Raises CameraError where it
    cannot be opened.
    """

    def __init__(
        self,
        settings: CameraSettings,
        open_capture: Callable[[int], cv2.VideoCapture] = _open_capture,
    ) -> None:
        self._settings = settings
        self._open_capture = open_capture
        self._path = f"/dev/video{settings.usb_device}"
        self._max_silence_s = timing.compute_max_silence_s(settings)
        self._number = 0
        self._reader: _Reader | None = None
        self.heartbeat_s = time.monotonic()
        self._open()

    def next_frame(self) -> Frame:
        """The next frame; waits for it. Raises CameraError when the camera falls silent."""
        pixels, taken_s = self._wait_for_frame(self._max_silence_s)
        self.heartbeat_s = taken_s
        number = self._number
        self._number += 1
        return Frame(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), number, taken_s)

    def reopen(self) -> None:
        """Closes the camera and opens it again; frame numbers continue. Raises CameraError."""
        self.close()
        self._open()

    def close(self) -> None:
        """Lets go of the camera; safe to call twice."""
        reader, self._reader = self._reader, None
        if reader:
            reader.stop()

    def _open(self) -> None:
        capture = self._open_capture(self._settings.usb_device)
        if not capture.isOpened():
            raise CameraError(f"no camera: {self._path} {_explain(Path(self._path))}")
        _apply_settings(capture, self._settings)
        self._reader = _Reader(capture, self._path)
        try:
            for _ in range(timing.WARM_UP_FRAMES):
                self._wait_for_frame(timing.START_S)
        except CameraError:
            self.close()
            raise
        _lock_white_balance(capture)
        self.heartbeat_s = time.monotonic()

    def _wait_for_frame(self, wait_s: float) -> tuple[np.ndarray, float]:
        frame = self._reader.take_newest(wait_s) if self._reader else None
        if frame is None:
            what = f"{self._path} {self._explain_silence(wait_s)}"
            raise CameraError(f"{what}; check its plug, and that no other program uses it")
        return frame

    def _explain_silence(self, wait_s: float) -> str:
        if self._reader is None or self._reader.ended:
            return "has stopped delivering frames"
        silence = f"has sent no frame for {wait_s:.2g} s"
        damaged = self._reader.damaged
        return f"{silence} that was whole ({damaged} came damaged)" if damaged else silence


class _Reader:
    """Reads frames in a thread of its own, and keeps the newest.

    OpenCV waits ten seconds for a silent camera; the machine must not.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture = capture
        self._arrived = threading.Condition()
        self._frame: tuple[np.ndarray, float] | None = None
        self._stopped = False
        self.ended = False
        #: Frames that came damaged and were passed over.
        self.damaged = 0
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def take_newest(self, wait_s: float) -> tuple[np.ndarray, float] | None:
        """The newest frame that was not taken yet, BGR, and when it came.

        None where none comes in time.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: self._frame is not None or self.ended, wait_s)
            frame, self._frame = self._frame, None
            return frame

    def stop(self) -> None:
        """Ends reading; a camera that hangs is let go of when it comes back."""
        self._stopped = True
        self._thread.join(timing.START_S)

    def _read(self) -> None:
        try:
            while not self._stopped and self._capture.grab():
                taken_s = time.monotonic()
                with DecoderMessages() as messages:
                    intact, pixels = self._capture.retrieve()
                if intact and not messages.find_damage():
                    self._deliver((pixels, taken_s))
                else:  # damaged on the wire
                    self.damaged += 1
        finally:
            self._capture.release()
            self._deliver(None)

    def _deliver(self, frame: tuple[np.ndarray, float] | None) -> None:
        with self._arrived:
            self._frame = frame
            self.ended = frame is None
            self._arrived.notify_all()


@dataclass(frozen=True)
class _Property:
    """A property of OpenCV's capture, the option that it is set from, and the value."""

    option: str
    number: int
    value: float | None


def _apply_settings(capture: cv2.VideoCapture, settings: CameraSettings) -> None:
    """Sets what can be set, in the order that Video4Linux wants it."""
    # Uncompressed, USB 2 carries about 30 frames of 640x480 a second.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL_EXPOSURE)
    properties = _list_properties(settings)
    for wanted in properties:
        if wanted.value is not None:
            capture.set(wanted.number, wanted.value)
    for wanted in properties:
        if wanted.value is not None:
            _warn_unless_followed(capture, wanted.option, wanted.number, wanted.value)


def _list_properties(settings: CameraSettings) -> list[_Property]:
    exposure = max(1, round(settings.exposure_us / EXPOSURE_UNIT_US))
    red_gain = cv2.CAP_PROP_WHITE_BALANCE_RED_V
    blue_gain = cv2.CAP_PROP_WHITE_BALANCE_BLUE_U
    return [
        _Property("camera.width_px", cv2.CAP_PROP_FRAME_WIDTH, settings.width_px),
        _Property("camera.height_px", cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px),
        _Property("camera.frames_per_s", cv2.CAP_PROP_FPS, settings.frames_per_s),
        _Property("camera.exposure_us", cv2.CAP_PROP_EXPOSURE, exposure),
        _Property("camera.gain", cv2.CAP_PROP_GAIN, settings.gain),
        _Property("camera.red_gain", red_gain, settings.red_gain),
        _Property("camera.blue_gain", blue_gain, settings.blue_gain),
    ]


def _warn_unless_followed(
    capture: cv2.VideoCapture, option: str, number: int, value: float
) -> None:
    actual = capture.get(number)
    if not math.isclose(actual, value, rel_tol=TOLERANCE):
        warning = "the USB camera does not follow %s: it is at %g, not %g"
        log.warning(warning, option, actual, value)


def _lock_white_balance(capture: cv2.VideoCapture) -> None:
    """Keeps the white balance that the camera has found in its first frames."""
    if not capture.set(cv2.CAP_PROP_AUTO_WB, 0):
        log.warning("the USB camera does not let go of its white balance: colours may drift")


def _explain(path: Path) -> str:
    """Why a device cannot be opened, and what to do."""
    if not path.exists():
        remedy = "plug the camera in, and set camera.usb_device to its number"
        return f"is not there; {remedy} (`v4l2-ctl --list-devices` lists them)"
    if not os.access(path, os.R_OK | os.W_OK):
        return "may not be opened by this user; add the user to the group video"
    remedy = "end what else uses it, and see that it is a camera"
    return f"cannot be opened; {remedy} (`v4l2-ctl --list-devices` lists them)"
