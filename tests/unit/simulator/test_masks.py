"""Masks that reliefs are made from."""

import numpy as np
import pytest

from coinsorter.simulator import masks


def count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask > 127))


def test_an_empty_mask_has_nothing_on_it():
    mask = masks.empty_mask()
    assert mask.shape == (288, 288) and mask.dtype == np.uint8 and not mask.any()


def test_radii_are_counted_from_the_centre_in_coin_radii():
    radii = masks.measure_radii()
    row = radii[144]
    assert radii.min() < 0.01 and row[0] == pytest.approx(143.5 / 140, abs=1e-3)
    assert np.array_equal(radii, radii.T)


def test_a_circle_has_the_area_of_its_radius():
    mask = masks.empty_mask()
    masks.fill_circle(mask, (0, 0), 0.5)
    assert count(mask) == pytest.approx(np.pi * 70**2, rel=0.03)


def test_a_box_is_filled_between_its_corners_and_value_0_cuts_it_out():
    mask = masks.empty_mask()
    masks.fill_box(mask, -0.5, -0.25, 0.5, 0.25)
    assert count(mask) == pytest.approx(140 * 70, rel=0.03)
    masks.fill_box(mask, -0.6, -0.3, 0.6, 0.3, value=0)
    assert not mask.any()


def test_an_ellipse_is_turned_clockwise():
    mask = masks.empty_mask()
    masks.fill_ellipse(mask, (0, 0), (0.6, 0.05), turn_deg=45)
    down = round(masks.to_pixels(0.3))
    up = round(masks.to_pixels(-0.3))
    assert mask[down, down] == 255 and mask[up, down] == 0


def test_a_star_has_its_tips_and_notches_in_turn():
    points = masks.list_star_points(5, 0.6, 0.2, -np.pi / 2)
    distances = [np.hypot(x, y) for x, y in points]
    assert distances == pytest.approx([0.6, 0.2] * 5)
    assert points[0] == pytest.approx((0, -0.6))


def test_letters_of_a_legend_lie_on_its_circle():
    mask = masks.draw_legend("COIN", -90, 0.76)
    distances = masks.measure_radii()[mask > 127]
    assert distances.min() > 0.6 and distances.max() < 0.92
    assert not mask[masks.RELIEF_PX // 2 :].any()


def test_an_upright_legend_at_the_bottom_can_be_read():
    letter = masks.draw_legend("T", 90, 0.76, upright=True)
    rows = np.flatnonzero(letter.any(axis=1))
    bar, foot = letter[rows[2]] > 127, letter[rows[-3]] > 127
    assert bar.sum() > 2 * foot.sum()


@pytest.mark.parametrize("text, height", [("5", 0.52), ("10", 0.42)])
def test_a_numeral_is_about_as_high_as_asked(text, height):
    rows = np.flatnonzero(masks.draw_numeral(text, height).any(axis=1))
    assert (rows[-1] - rows[0]) / masks.RELIEF_RADIUS_PX == pytest.approx(1.3 * height, abs=0.5)
    assert (rows[-1] - rows[0]) / masks.RELIEF_RADIUS_PX > height
