"""looking: what a snap shows, and what a capture keeps to train with."""

from dataclasses import replace

import numpy as np
import pytest

from coinsorter.errors import CameraError
from coinsorter.images.image_io import read_image
from coinsorter.recognition import runtime
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.sorting.assembly import build_search
from coinsorter.tools import capture


@pytest.fixture
def belt(config, crowns, tmp_path):
    """A camera over a simulated belt; the rest of the machine stands still."""
    return SimulatedMachine(
        config, crowns, tmp_path / "ledger.db", 6, 1, runtime.pick_runtime("auto")
    ).camera


def test_a_snap_draws_each_coin_where_it_is_and_says_its_size(config, crowns, belt):
    search = build_search(crowns, config.scale)
    for _ in range(400):
        snapshot = capture.take_snapshot(belt, search, config.scale)
        frame, circles, image = snapshot.frame, snapshot.circles, snapshot.annotated
        if circles and circles[0].alone:
            break
    circle = circles[0]
    on_rim = round(circle.y_px - circle.radius_px), round(circle.x_px)
    assert tuple(image[on_rim]) == capture.ALONE_RGB != tuple(frame.pixels[on_rim])
    far = (
        np.hypot(*np.ogrid[-circle.y_px : 480 - circle.y_px, -circle.x_px : 640 - circle.x_px])
        > circle.radius_px + 60
    )
    assert (image[far] == frame.pixels[far]).all()


def test_a_camera_without_frames_is_said(config, crowns, belt):
    belt.next_frame = lambda: None
    with pytest.raises(CameraError, match="no more frames"):
        capture.take_snapshot(belt, build_search(crowns, config.scale), config.scale)


def test_a_capture_saves_one_whole_frame_of_each_coin_that_lies_alone(
    config, crowns, belt, tmp_path
):
    search = build_search(crowns, config.scale)
    tracker = capture.make_frame_tracker(
        config.scale, config.belt.speed_mm_s, 1 / config.camera.frames_per_s
    )
    taken = capture.CoinCapture(
        capture.BeltView(belt, tracker, search), tmp_path / "crown_1", now_s=lambda: 12.5
    )
    paths = list(taken.save_images())
    riders = belt._belt.riders
    alone = sum(rider.item.label is not None for rider in riders)
    assert alone <= len(paths) <= len(riders) and len(paths) + taken.skipped == len(riders)
    assert len(set(paths)) == len(paths) and all(
        path.name.startswith("crown_1_12500_") for path in paths
    )
    for path in paths:
        pixels = read_image(path)
        assert pixels.shape == (480, 640, 3) and [
            c for c in capture.find_circles(pixels, search) if c.alone
        ]


def test_circles_that_do_not_lie_alone_are_red(config, crowns, belt):
    search = build_search(crowns, config.scale)
    for _ in range(400):
        snapshot = capture.take_snapshot(belt, search, config.scale)
        frame, circles = snapshot.frame, snapshot.circles
        if circles:
            break
    circle = replace(circles[0], alone=False)
    image = capture.draw_circles(frame.pixels, [circle], config.scale)
    assert (
        tuple(image[round(circle.y_px - circle.radius_px), round(circle.x_px)])
        == capture.NOT_ALONE_RGB
    )


def test_of_foreign_things_every_one_is_saved(config, crowns, belt, tmp_path):
    search = build_search(crowns, config.scale)
    tracker = capture.make_frame_tracker(
        config.scale, config.belt.speed_mm_s, 1 / config.camera.frames_per_s
    )
    view = capture.BeltView(belt, tracker, search)
    taken = capture.CoinCapture(view, tmp_path / "things", any_shape=True)
    riders = belt._belt.riders
    assert len(list(taken.save_images())) + taken.skipped >= len(riders)
    is_saved_though_not_alone = taken.skipped < sum(rider.item.label is None for rider in riders)
    assert is_saved_though_not_alone or all(rider.item.label for rider in riders)
