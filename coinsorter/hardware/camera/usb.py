"""A USB camera, by OpenCV and Video4Linux."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from coinsorter.config.schema import CameraSettings
from coinsorter.errors import CameraError
from coinsorter.hardware.camera import timing
from coinsorter.records import Frame

log = logging.getLogger(__name__)

MANUAL_EXPOSURE = 1  # V4L2_EXPOSURE_MANUAL
EXPOSURE_US = 100  # the unit of V4L2_CID_EXPOSURE_ABSOLUTE


def _video_capture(device: int) -> Any:
    return cv2.VideoCapture(device, cv2.CAP_V4L2)


class UsbCamera:
    """A USB camera: size and rate as set, exposure and gain where it takes them; what it does not take is warned of by name.

    Its gain is in units of its own. open_capture: makes cv2.VideoCapture's object for a device number.
    """

    def __init__(
        self, settings: CameraSettings, open_capture: Callable[[int], Any] = _video_capture
    ) -> None:
        self._settings = settings
        self._open_capture = open_capture
        self._path = f"/dev/video{settings.usb_device}"
        self._silence_s = timing.compute_max_silence_s(settings)
        self._number = 0
        self._reader: _Reader | None = None
        self.heartbeat_s = time.monotonic()
        self._open()

    def next_frame(self) -> Frame:
        pixels, taken_s = self._wait(self._silence_s)
        self.heartbeat_s = taken_s
        self._number += 1
        return Frame(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), self._number - 1, taken_s)

    def reopen(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader:
            reader.stop()

    def _open(self) -> None:
        capture = self._open_capture(self._settings.usb_device)
        if not capture.isOpened():
            raise CameraError(f"no camera: {self._path} {_why_not(Path(self._path))}")
        _set(capture, self._settings)
        self._reader = _Reader(capture, self._path)
        try:
            for _ in range(timing.WARM_UP_FRAMES):
                self._wait(timing.START_S)
        except CameraError:
            self.close()
            raise
        _lock_colours(capture)
        self.heartbeat_s = time.monotonic()

    def _wait(self, wait_s: float) -> tuple[np.ndarray, float]:
        frame = self._reader.newest(wait_s) if self._reader else None
        if frame is None:
            gone = self._reader is None or self._reader.ended
            what = (
                "has stopped delivering frames" if gone else f"has sent no frame for {wait_s:.2g} s"
            )
            raise CameraError(
                f"{self._path} {what}; check its plug, and that no other program uses it"
            )
        return frame


class _Reader:
    """Reads frames in a thread of its own, since OpenCV waits ten seconds for a silent camera; keeps the newest."""

    def __init__(self, capture: Any, name: str) -> None:
        self._capture = capture
        self._arrived = threading.Condition()
        self._frame: tuple[np.ndarray, float] | None = None
        self._stopped = False
        self.ended = False
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def newest(self, wait_s: float) -> tuple[np.ndarray, float] | None:
        """The newest frame that has not been asked for yet, BGR, and when it came; None where none comes in time."""
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
                whole, pixels = self._capture.retrieve()
                if whole:  # a frame that came damaged over the wire is not
                    self._deliver((pixels, taken_s))
        finally:
            self._capture.release()
            self._deliver(None)

    def _deliver(self, frame: tuple[np.ndarray, float] | None) -> None:
        with self._arrived:
            self._frame, self.ended = frame, frame is None
            self._arrived.notify_all()


def _set(capture: Any, settings: CameraSettings) -> None:
    """Sets what can be set, in the order that Video4Linux wants it."""
    # uncompressed, USB 2 carries about 30 frames a second of 640x480
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL_EXPOSURE)
    wanted = [
        ("camera.width_px", cv2.CAP_PROP_FRAME_WIDTH, settings.width_px),
        ("camera.height_px", cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px),
        ("camera.frames_per_s", cv2.CAP_PROP_FPS, settings.frames_per_s),
        (
            "camera.exposure_us",
            cv2.CAP_PROP_EXPOSURE,
            max(1, round(settings.exposure_us / EXPOSURE_US)),
        ),
        ("camera.gain", cv2.CAP_PROP_GAIN, settings.gain),
        ("camera.red_gain", cv2.CAP_PROP_WHITE_BALANCE_RED_V, settings.red_gain),
        ("camera.blue_gain", cv2.CAP_PROP_WHITE_BALANCE_BLUE_U, settings.blue_gain),
    ]
    for _, what, value in wanted:
        if value is not None:
            capture.set(what, value)
    for option, what, value in wanted:
        if value is not None and not math.isclose(capture.get(what), value, rel_tol=0.01):
            log.warning(
                "the USB camera does not follow %s: it is at %g, not %g",
                option,
                capture.get(what),
                value,
            )


def _lock_colours(capture: Any) -> None:
    """Keeps the white balance that it has found in its first frames."""
    if not capture.set(cv2.CAP_PROP_AUTO_WB, 0):
        log.warning("the USB camera does not let go of its white balance: colours may drift")


def _why_not(path: Path) -> str:
    if not path.exists():
        return "is not there; plug the camera in, and set camera.usb_device to its number (`v4l2-ctl --list-devices` tells)"
    if not os.access(path, os.R_OK | os.W_OK):
        return "may not be opened by this user; add the user to the group video"
    return "cannot be opened; end what else uses it, and see that it is a camera (`v4l2-ctl --list-devices` tells)"
