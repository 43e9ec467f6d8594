"""Frames of the simulated camera."""

import cv2
import numpy as np
import pytest

from coinsorter.simulator.coins import make_genuine_coin
from coinsorter.simulator.simulated_camera import NOISE_LEVELS, Optics, SimulatedCamera
from coinsorter.vision.detect import find_circles
from tests.unit.simulator.conftest import OPTICS, SEARCH, make_rng, render


def test_the_same_seed_draws_the_same_frame():
    coin = make_genuine_coin(make_rng(3))
    assert np.array_equal(render(coin, 4), render(make_genuine_coin(make_rng(3)), 4))
    assert not np.array_equal(render(coin, 4), render(coin, 5))


def test_a_frame_has_the_shape_and_type_of_a_cameras():
    frame = SimulatedCamera(Optics(320, 240, 2.0, 0.0), make_rng()).render_frame([], 0.0)
    assert frame.shape == (240, 320, 3) and frame.dtype == np.uint8


@pytest.mark.parametrize("x_mm, y_mm", [(0.0, 0.0), (-30.5, 12.25), (42.0, -20.0)])
def test_an_item_lies_where_it_was_put(x_mm, y_mm):
    camera = SimulatedCamera(OPTICS, make_rng(1))
    sprite = camera.draw_item(make_genuine_coin(make_rng(2), "crown_1"))
    (circle,) = find_circles(camera.render_frame([(sprite, x_mm, y_mm)], 0.0), SEARCH)
    x_px, y_px = OPTICS.to_pixel(x_mm, y_mm)
    assert (circle.x_px, circle.y_px) == pytest.approx((x_px, y_px), abs=1.0)


def test_an_item_outside_of_the_view_is_not_seen():
    camera, other = (SimulatedCamera(OPTICS, make_rng(1)) for _ in range(2))
    sprite = camera.draw_item(make_genuine_coin(make_rng(2)))
    with_item = camera.render_frame([(sprite, 200.0, 0.0)], 0.0)
    assert np.array_equal(with_item, other.render_frame([], 0.0))


def test_the_belts_texture_moves_with_the_belt():
    first, second = (SimulatedCamera(OPTICS, make_rng(1)) for _ in range(2))
    before = cv2.GaussianBlur(first.render_frame([], 0.0).astype(np.float32), (0, 0), 3)
    after = cv2.GaussianBlur(second.render_frame([], 10.0).astype(np.float32), (0, 0), 3)
    moved = after[:, 40:] - before[:, :-40]
    stayed = after - before
    assert moved.std() < 0.6 * stayed.std()


def test_two_frames_of_the_same_belt_differ_by_noise():
    camera = SimulatedCamera(OPTICS, make_rng(1))
    frames = [camera.render_frame([], 0.0).astype(float) for _ in range(2)]
    difference = frames[1] - frames[0]
    assert difference.std() == pytest.approx(2**0.5 * NOISE_LEVELS, rel=0.1)


def test_exposure_drifts_slowly():
    camera = SimulatedCamera(OPTICS, make_rng(1))
    levels = [camera.render_frame([], 0.0).mean() for _ in range(60)]
    steps = np.abs(np.diff(levels))
    assert np.ptp(levels) > 0.5 and steps.max() < 2
