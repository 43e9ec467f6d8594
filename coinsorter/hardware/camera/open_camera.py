"""Where frames come from: the Pi's camera, a USB camera, or a folder of pictures. The virtual camera is `simulator.machine`'s."""

from pathlib import Path

from coinsorter.config.schema import CameraSettings
from coinsorter.hardware.camera.folder import (
    PICTURES,
    FolderCamera,
    LoopedFolderCamera,
    decode,
    last_number,
    picture_paths,
    read_picture,
)
from coinsorter.hardware.camera.picamera import PiCamera
from coinsorter.hardware.camera.usb import UsbCamera

__all__ = [
    "PICTURES",
    "FolderCamera",
    "PiCamera",
    "LoopedFolderCamera",
    "UsbCamera",
    "decode",
    "last_number",
    "open_camera",
    "picture_paths",
    "read_picture",
]


def open_camera(settings: CameraSettings, base: Path) -> LoopedFolderCamera | UsbCamera | PiCamera:
    """The camera that config.yaml names; base: the folder that a folder of pictures is relative to. Raises CameraError or InputError."""
    if settings.source == "folder":
        return LoopedFolderCamera(picture_paths(base / str(settings.folder)), settings.frames_per_s)
    return UsbCamera(settings) if settings.source == "usb" else PiCamera(settings)
