"""Opens the camera that config.yaml names in camera.source."""

from pathlib import Path

from coinsorter.config.schema import CameraSettings
from coinsorter.hardware.camera.folder import LoopedFolderCamera
from coinsorter.hardware.camera.picamera import PiCamera
from coinsorter.hardware.camera.usb import UsbCamera
from coinsorter.images.image_io import list_images


def open_camera(settings: CameraSettings, base: Path) -> LoopedFolderCamera | UsbCamera | PiCamera:
    """The camera that config.yaml names, never another.

    base: the folder that camera.folder is relative to. Raises CameraError where the device cannot
    be opened, InputError where the folder holds no images.
    """
    if settings.source == "folder":
        paths = list_images(base / str(settings.folder))
        return LoopedFolderCamera(paths, settings.frames_per_s)
    if settings.source == "usb":
        return UsbCamera(settings)
    return PiCamera(settings)
