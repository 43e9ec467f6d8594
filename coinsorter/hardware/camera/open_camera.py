"""Where frames come from: the Pi's camera, a USB camera, or a folder of pictures. The virtual camera is `simulator.machine`'s."""

from pathlib import Path

from coinsorter.config.schema import CameraSettings
from coinsorter.hardware.camera.folder import FolderCamera, LoopedFolderCamera
from coinsorter.hardware.camera.picamera import PiCamera
from coinsorter.hardware.camera.usb import UsbCamera
from coinsorter.images import list_images

__all__ = ["FolderCamera", "LoopedFolderCamera", "PiCamera", "UsbCamera", "open_camera"]


def open_camera(settings: CameraSettings, base: Path) -> LoopedFolderCamera | UsbCamera | PiCamera:
    """The camera that config.yaml names; base: the folder that a folder of pictures is relative to. Raises CameraError or InputError."""
    if settings.source == "folder":
        return LoopedFolderCamera(list_images(base / str(settings.folder)), settings.frames_per_s)
    return UsbCamera(settings) if settings.source == "usb" else PiCamera(settings)
