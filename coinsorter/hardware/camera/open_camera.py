"""Where frames come from: the Pi's camera, a USB camera, or a folder of pictures. The virtual camera is `simulator.machine`'s."""

from pathlib import Path
from typing import Protocol

from coinsorter.config import Camera as CameraSettings
from coinsorter.hardware.camera.folder import (
    PICTURES,
    FolderCamera,
    ShownCamera,
    decode,
    last_number,
    picture_paths,
    read_picture,
)
from coinsorter.hardware.camera.picamera import PiCamera
from coinsorter.hardware.camera.usb import UsbCamera
from coinsorter.records import Frame

__all__ = [
    "PICTURES",
    "Camera",
    "FolderCamera",
    "PiCamera",
    "ShownCamera",
    "UsbCamera",
    "decode",
    "last_number",
    "open_camera",
    "picture_paths",
    "read_picture",
]


class Camera(Protocol):
    """Anything that delivers frames."""

    @property
    def heartbeat_s(self) -> float:
        """When the last frame came, seconds on the monotonic clock; before the first, when it was opened."""

    def next_frame(self) -> Frame | None:
        """The next frame, RGB; waits for it. None when there are no more. Raises CameraError when the camera falls silent."""

    def reopen(self) -> None:
        """Closes the device and opens it again; frames are numbered on. Raises CameraError."""

    def close(self) -> None:
        """Lets go of the device; safe to call twice."""


def open_camera(settings: CameraSettings, base: Path) -> Camera:
    """The camera that config.yaml names; base: the folder that a folder of pictures is relative to. Raises CameraError or InputError."""
    if settings.source == "folder":
        return ShownCamera(picture_paths(base / str(settings.folder)), settings.frames_per_s)
    return UsbCamera(settings) if settings.source == "usb" else PiCamera(settings)
