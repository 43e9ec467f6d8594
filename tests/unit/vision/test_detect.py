"""detect: circles to sub-pixel, alone or not, and nothing on the belt unseen."""

import logging

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.errors import FrameError
from coinsorter.vision import contour, detect
from coinsorter.vision.detect import Search, find_circles
from tests.conftest import draw_disc
from tests.unit.vision.crowds import count_found, draw_crowd, list_alone_though_touching

SEARCH = Search(24, 60)


@settings(max_examples=60, deadline=None)
@given(st.floats(80, 240), st.floats(80, 160), st.floats(27, 55))
def test_a_disc_anywhere_is_measured_to_a_third_of_a_pixel(x, y, radius):
    (circle,) = find_circles(draw_disc(x, y, radius), SEARCH)
    assert abs(circle.x_px - x) < 0.33 and abs(circle.y_px - y) < 0.33
    assert abs(circle.radius_px - radius) < 0.33
    assert circle.alone and circle.quality > 0.95 and circle.roundness > 0.98


def test_an_empty_belt_shows_nothing():
    assert find_circles(np.full((240, 320, 3), 90, np.uint8), SEARCH) == []


def test_noise_alone_is_no_coin():
    noise = np.random.default_rng(1).integers(60, 120, (240, 320, 3)).astype(np.uint8)
    assert [c for c in find_circles(noise, SEARCH) if c.quality] == []


def test_things_are_listed_from_left_to_right():
    pixels = np.maximum(draw_disc(240, 120, 40), draw_disc(80, 120, 35))
    left, right = find_circles(pixels, SEARCH)
    assert left.x_px < right.x_px and left.alone and right.alone


@pytest.mark.parametrize(
    "gap_px, alone", [(-20, False), (0, False), (1, False), (3, False), (6, True)]
)
def test_things_are_alone_only_with_a_gap_between_them(gap_px, alone):
    pixels = np.maximum(draw_disc(100, 120, 40), draw_disc(180 + gap_px, 120, 40))
    circles = [c for c in find_circles(pixels, SEARCH) if c.quality]
    assert len(circles) == 2
    assert [c.alone for c in circles] == [alone, alone]


@pytest.mark.parametrize("ratio, alone", [(1.0, True), (0.96, True), (0.88, False), (0.8, False)])
def test_a_bent_coin_is_not_called_alone(ratio, alone):
    (thing,) = find_circles(draw_disc(160, 120, 45, ratio=ratio), SEARCH)
    assert thing.alone is alone


def test_a_coin_with_a_piece_missing_is_not_called_alone():
    pixels = draw_disc(160, 120, 45)
    pixels[:, 186:] = 90
    (thing,) = find_circles(pixels, SEARCH)
    assert not thing.alone


@pytest.mark.parametrize("shape", ["square", "bar"])
def test_what_is_no_circle_is_seen_with_quality_nought(shape):
    pixels = np.full((240, 320, 3), 90, np.uint8)
    height = 60 if shape == "square" else 24
    pixels[90 : 90 + height, 120:200] = (200, 180, 60)
    (thing,) = find_circles(pixels, SEARCH)
    assert not thing.alone
    assert abs(thing.x_px - 160) < 4 and abs(thing.y_px - (90 + height / 2)) < 4


def test_something_that_lies_against_a_coin_makes_it_not_alone():
    pixels = draw_disc(130, 120, 40)
    pixels[100:150, 165:250] = 200
    circles = [c for c in find_circles(pixels, SEARCH) if c.quality]
    assert circles and not any(c.alone for c in circles)


@pytest.mark.parametrize("distance", [36, 40, 48])
def test_a_coin_that_another_peeps_out_from_beneath_is_not_alone(distance):
    """The upper one's outline is whole and round, and the lower one's is hardly seen."""
    lower = draw_disc(150 + distance * 0.8, 120 - distance * 0.6, 29, coin=140)
    pixels = np.maximum(lower, draw_disc(150, 120, 45))
    whole = max(
        find_circles(pixels, Search(24, 60, max_off_patch=0.13)), key=lambda thing: thing.quality
    )
    assert whole.quality > 0.9 and whole.radius_px == pytest.approx(45, abs=1) and not whole.alone


@pytest.mark.parametrize("x, seen", [(60, True), (42, True), (15, False), (0, False)])
def test_a_coin_that_the_border_cuts_is_left_out(x, seen):
    circles = [c for c in find_circles(draw_disc(x, 120, 40), SEARCH) if c.quality]
    assert bool(circles) is seen


@pytest.mark.parametrize("radius", [15, 75])
def test_circles_of_another_size_are_not_coins(radius):
    assert [c for c in find_circles(draw_disc(160, 120, radius), SEARCH) if c.quality] == []


def test_an_inner_ring_is_not_taken_for_the_outline():
    pixels = draw_disc(160, 120, 50)
    cv2.circle(pixels, (160, 120), 36, (90, 60, 40), 4)
    (circle,) = find_circles(cv2.GaussianBlur(pixels, (0, 0), 0.7), SEARCH)
    assert abs(circle.radius_px - 50) < 0.5


@pytest.mark.parametrize("radius", [20, 28, 40, 60])
@pytest.mark.parametrize("gap", [0.7, 0.3, 0.1])
def test_sixty_coins_in_a_frame_are_all_found(radius, gap):
    crowd = draw_crowd(60, radius, gap * radius)
    circles = find_circles(crowd.pixels, Search(0.7 * radius, 1.25 * radius))
    assert count_found(crowd, circles) == 60
    assert sum(circle.quality > 0 for circle in circles) == 60


@pytest.mark.parametrize("radius", [28, 40])
def test_of_coins_packed_as_closely_as_can_be_none_that_touches_is_called_alone(radius):
    crowd = draw_crowd(60, radius, 0)
    circles = find_circles(crowd.pixels, Search(0.7 * radius, 1.25 * radius))
    assert count_found(crowd, circles) >= 57
    assert list_alone_though_touching(crowd, circles) == []


@pytest.fixture
def scales():
    """Circles like the scales of a fish: more than coins of that size have room side by side."""
    pixels = np.full((480, 640, 3), 90, np.uint8)
    for y in range(20, 460, 30):
        for x in range(20, 620, 30):
            cv2.circle(pixels, (x, y), 24, (220, 220, 220), 1, cv2.LINE_AA)
    detect._warn_of_pattern.cache_clear()
    return pixels


def test_more_circles_than_coins_have_room_are_seen_and_not_alone(scales):
    things = find_circles(scales, SEARCH)
    assert len(things) > 120 and not any(thing.alone for thing in things)


def test_circles_that_are_not_measured_are_said_once(scales, caplog):
    with caplog.at_level(logging.WARNING):
        find_circles(scales, SEARCH)
        find_circles(scales, SEARCH)
    assert [record.message.count("not measured") for record in caplog.records] == [1]


@pytest.mark.parametrize("ring", [116, 125, 140])
def test_a_core_with_stronger_edges_is_not_taken_for_its_coin(ring):
    """A bimetal coin with a ring of nearly the belt's colour: Hough's transform finds the core."""
    pixels = draw_disc(160, 120, 48, coin=ring)
    cv2.circle(pixels, (160, 120), 32, (210, 210, 200), -1, cv2.LINE_AA)
    (coin,) = find_circles(cv2.GaussianBlur(pixels, (0, 0), 0.7), SEARCH)
    assert coin.radius_px == pytest.approx(48, abs=0.5) and coin.alone


def test_a_coin_on_a_larger_thing_is_not_taken_for_it():
    pixels = np.full((240, 320, 3), 90, np.uint8)
    pixels[60:180, 100:260] = 130
    cv2.circle(pixels, (150, 120), 32, (220, 220, 220), -1, cv2.LINE_AA)
    circles = find_circles(cv2.GaussianBlur(pixels, (0, 0), 0.7), SEARCH)
    coin = max(circles, key=lambda circle: circle.quality)
    assert coin.radius_px == pytest.approx(32, abs=1) and not coin.alone


BY_EXTENT = Search(24, 66, min_quality=0.5, by_extent=True)


@settings(max_examples=30, deadline=None)
@given(st.floats(80, 240), st.floats(80, 160), st.floats(27, 50))
def test_by_extent_a_disc_is_measured_to_a_pixel(x, y, radius):
    (circle,) = find_circles(draw_disc(x, y, radius), BY_EXTENT)
    assert abs(circle.x_px - x) < 0.5 and abs(circle.y_px - y) < 0.5
    assert -0.3 < circle.radius_px - radius < 1


def test_by_extent_a_shadow_counts_half_and_an_inner_edge_that_is_stronger_does_not():
    """A coin of 40 px on white paper, its shadow 4 px to one side.

    It is a crescent, and 1 px for the blur.
    """
    pixels = np.full((240, 320, 3), 150, np.uint8)
    cv2.circle(pixels, (156 * 16, 120 * 16), 40 * 16, (115, 115, 115), -1, cv2.LINE_AA, 4)
    cv2.circle(pixels, (160 * 16, 120 * 16), 40 * 16, (120, 100, 60), -1, cv2.LINE_AA, 4)
    cv2.circle(pixels, (160 * 16, 120 * 16), 31 * 16, (20, 20, 20), -1, cv2.LINE_AA, 4)
    (circle,) = find_circles(cv2.GaussianBlur(pixels, (0, 0), 0.7), BY_EXTENT)
    area = np.pi * 40**2 + 2 * 40 * 4
    assert circle.radius_px == pytest.approx((40 * ((area / np.pi) ** 0.5 + 1)) ** 0.5, abs=0.5)


@pytest.mark.parametrize("guess", [0.7, 1.0, 1.6])
def test_by_extent_a_candidate_may_be_far_off(guess):
    """Right to a third is what Hough promises.

    A coin of which no ray sees the inside is measured again from nearer.
    """
    (circle,) = contour.measure_outlines(
        draw_disc(160, 120, 30), np.array([(160, 120, 30 * guess)], np.float32), by_extent=True
    )
    assert circle.radius_px == pytest.approx(30, abs=1)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((240, 320), np.uint8),
        np.zeros((240, 320, 4), np.uint8),
        np.zeros((240, 320, 3), np.float32),
        np.zeros((0, 0, 3), np.uint8),
        "a string",
        None,
    ],
)
def test_a_frame_of_the_wrong_type_is_refused_in_one_line(frame):
    with pytest.raises(FrameError, match="camera") as error:
        find_circles(frame, SEARCH)
    assert "\n" not in str(error.value)
