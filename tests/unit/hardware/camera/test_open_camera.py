"""open_camera: the camera that the settings name, and no other in its place."""

import pytest

from coinsorter.errors import CameraError, InputError
from coinsorter.hardware.camera.folder import LoopedFolderCamera
from coinsorter.hardware.camera.open_camera import open_camera
from tests.unit.hardware.camera.conftest import RGB, camera_settings


def test_a_folder_is_shown_from_beside_the_settings_in_the_order_of_its_numbers(folder):
    camera = open_camera(
        camera_settings(source="folder", folder=folder.name, frames_per_s=120), folder.parent
    )
    assert isinstance(camera, LoopedFolderCamera)
    frames = [camera.next_frame() for _ in range(4)]
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [
        (10, 20, 100)[frame.number % 3] for frame in frames
    ]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        open_camera(camera_settings(source="folder", folder="nowhere"), tmp_path)


def test_the_pis_camera_is_opened_where_the_settings_name_it(sensor, tmp_path):
    camera = open_camera(camera_settings(), tmp_path)
    assert tuple(camera.next_frame().pixels[0, 0]) == RGB
    camera.close()


def test_a_usb_camera_is_opened_where_the_settings_name_it_and_no_other_in_its_place(
    sensor, tmp_path
):
    with pytest.raises(CameraError, match="/dev/video63"):
        open_camera(camera_settings(source="usb", usb_device=63), tmp_path)
    assert sensor.user is None
