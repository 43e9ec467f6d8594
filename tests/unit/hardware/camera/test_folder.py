"""Image files as frames, once and in a loop."""

import pytest

from coinsorter.errors import CameraError
from coinsorter.hardware.camera.folder import FolderCamera, LoopedFolderCamera


class Clock:
    """A clock that only sleeping moves on."""

    def __init__(self):
        self.s = 100.0

    def now_s(self):
        return self.s

    def sleep(self, s):
        self.s += s


def open_loop(folder, clock: Clock, frames_per_s: float = 10) -> LoopedFolderCamera:
    return LoopedFolderCamera(
        [folder / f"frame-{grey}.png" for grey in (10, 20, 100)],
        frames_per_s,
        clock.now_s,
        clock.sleep,
    )


def greys(camera, count: int) -> list[int]:
    return [int(camera.next_frame().pixels[0, 0, 0]) for _ in range(count)]


def test_images_are_shown_in_their_order_again_and_again(folder):
    assert greys(open_loop(folder, Clock()), 7) == [10, 20, 100, 10, 20, 100, 10]


def test_images_are_shown_at_the_cameras_rate(folder):
    clock = Clock()
    camera = open_loop(folder, clock)
    frames = [camera.next_frame() for _ in range(5)]
    assert [frame.taken_s for frame in frames] == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert camera.heartbeat_s == clock.s == pytest.approx(100.4)


def test_frames_that_are_not_taken_in_their_time_are_gone(folder):
    clock = Clock()
    camera = open_loop(folder, clock)
    camera.next_frame()
    clock.s += 0.45
    late = camera.next_frame()
    assert (late.number, late.taken_s, int(late.pixels[0, 0, 0])) == (4, pytest.approx(100.4), 20)
    assert greys(camera, 2) == [100, 10]


def test_an_image_that_cannot_be_read_is_named(folder):
    (folder / "frame-20.png").write_text("no image")
    camera = open_loop(folder, Clock())
    camera.next_frame()
    with pytest.raises(
        CameraError,
        match=r"frame-20.png: cannot be read: no image.*; take it out of camera.folder",
    ):
        camera.next_frame()


def test_reopening_and_closing_a_loop_does_no_harm(folder):
    camera = open_loop(folder, Clock())
    greys(camera, 2)
    camera.reopen()
    assert greys(camera, 2) == [100, 10]
    camera.close()
    camera.close()


def test_a_folder_of_frames_is_read_once_and_goes_on_where_it_was_when_reopened(folder):
    camera = FolderCamera(sorted(folder.iterdir()), frame_s=0.5)
    camera.next_frame()
    camera.next_frame()
    camera.reopen()
    assert camera.next_frame().number == 2 and camera.heartbeat_s == 1.0
    assert camera.next_frame() is None


def test_a_file_that_is_no_image_is_left_out_and_listed(folder):
    (folder / "frame-20.png").write_text("no image")
    paths = [folder / f"frame-{grey}.png" for grey in (10, 20, 100)]
    camera = FolderCamera(paths, frame_s=0.5)
    assert greys(camera, 2) == [10, 100]
    assert camera.next_frame() is None
    assert camera.unreadable == {paths[1]: "no image, or a damaged one"}


def test_a_closed_folder_has_no_more_frames(folder):
    camera = FolderCamera(sorted(folder.iterdir()), frame_s=0.5)
    camera.next_frame()
    camera.close()
    camera.close()
    assert camera.next_frame() is None
