"""contour: outlines to sub-pixel, from candidates that are only roughly right."""

import cv2
import numpy as np
import pytest

from coinsorter.vision.contour import measure_outlines
from tests.conftest import draw_disc


def measure_one(pixels, *candidate, by_extent=False):
    candidates = np.array([candidate], np.float32)
    circles = measure_outlines(pixels, candidates, by_extent)
    return circles[0] if circles else None


@pytest.mark.parametrize("by_extent", [False, True])
@pytest.mark.parametrize("off_px, factor", [(0, 1.0), (9, 1.0), (0, 0.8), (0, 1.3), (6, 1.2)])
def test_a_candidate_right_to_a_third_finds_the_outline(off_px, factor, by_extent):
    pixels = draw_disc(160.3, 119.6, 40.4)
    circle = measure_one(pixels, 160 + off_px, 120, 40 * factor, by_extent=by_extent)
    assert (circle.x_px, circle.y_px) == pytest.approx((160.3, 119.6), abs=0.3)
    blur_px = 1.0 if by_extent else 0.6  # what is blurred reaches further than the edge
    assert circle.radius_px == pytest.approx(40.4, abs=blur_px)


def test_a_whole_coin_has_all_of_its_outline_and_is_round():
    circle = measure_one(draw_disc(160, 120, 40), 160, 120, 40)
    assert circle.quality > 0.95 and circle.roundness > 0.98 and circle.alone


@pytest.mark.parametrize("angle_deg", [0, 70, 205])
@pytest.mark.parametrize("shift_px", [4, 7])
def test_a_shadow_to_one_side_neither_enlarges_nor_moves_a_coin_by_its_extent(angle_deg, shift_px):
    angle = np.deg2rad(angle_deg)
    x_px, y_px = 160 + shift_px * np.cos(angle), 120 + shift_px * np.sin(angle)
    shadow = draw_disc(x_px, y_px, 40, belt=150, coin=85)
    coin = draw_disc(160, 120, 40, belt=150, coin=40)
    pixels = np.minimum(shadow, coin)
    circle = measure_one(pixels, 160, 120, 40, by_extent=True)
    by_area_px = 40 + shift_px / np.pi  # half of the shadow's share of the outline, on average
    assert circle.radius_px < by_area_px
    assert circle.radius_px == pytest.approx(40, abs=1.5)
    assert np.hypot(circle.x_px - 160, circle.y_px - 120) < 0.2 * shift_px + 0.4


def test_between_two_equal_shadows_a_coin_stays_in_the_middle():
    coin = draw_disc(160, 120, 40, belt=150, coin=40)
    shadows = [draw_disc(160 + shift_px, 120, 40, belt=150, coin=85) for shift_px in (-6, 6)]
    circle = measure_one(np.minimum(coin, np.minimum(*shadows)), 160, 120, 40, by_extent=True)
    assert (circle.x_px, circle.y_px) == pytest.approx((160, 120), abs=1)


def test_half_a_coin_has_half_of_its_outline():
    pixels = draw_disc(160, 120, 40)
    pixels[:, 160:] = pixels[0, 0]
    circle = measure_one(pixels, 160, 120, 40)
    assert circle is None or circle.quality < 0.8


def test_an_ellipse_is_less_round():
    circle = measure_one(draw_disc(160, 120, 40, ratio=0.85), 160, 120, 38)
    assert circle.roundness == pytest.approx(0.85, abs=0.04)


def test_the_belt_around_a_coin_is_its_surround():
    circle = measure_one(draw_disc(160, 120, 40, belt=70), 160, 120, 40)
    assert circle.surround == pytest.approx((70, 70, 70), abs=3)


def test_an_empty_belt_has_no_outline():
    assert measure_one(np.full((240, 320, 3), 90, np.uint8), 160, 120, 40) is None


def test_without_candidates_nothing_is_measured():
    assert measure_outlines(draw_disc(160, 120, 40), np.empty((0, 3), np.float32)) == []


def test_candidates_are_measured_in_their_order():
    pixels = np.maximum(draw_disc(80, 120, 30), draw_disc(240, 120, 36))
    candidates = np.array([(240, 120, 36), (80, 120, 30)], np.float32)
    circles = measure_outlines(pixels, candidates)
    assert [round(circle.x_px) for circle in circles] == [240, 80]


def test_any_number_of_candidates_is_measured():
    """OpenCV samples 511 at once."""
    candidates = np.tile(np.array([(160, 120, 40)], np.float32), (600, 1))
    circles = measure_outlines(draw_disc(160, 120, 40), candidates)
    assert len(circles) == 600 and len(set(circles)) == 1


def test_where_neighbours_edges_are_stronger_a_coin_is_still_outlined():
    """Eight bright coins around a dark one."""
    pixels = draw_disc(160, 120, 40, coin=140)
    for turn in range(8):
        x = round(160 + 86 * np.cos(turn * np.pi / 4))
        y = round(120 + 86 * np.sin(turn * np.pi / 4))
        cv2.circle(pixels, (x, y), 40, (240, 240, 240), -1, cv2.LINE_AA)
    circle = measure_one(pixels, 160, 120, 40)
    assert circle.radius_px == pytest.approx(40, abs=1)
