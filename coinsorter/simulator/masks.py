"""Masks to draw reliefs from: filled polygons, ellipses and text on a disc's field.

A mask is uint8, shape (RELIEF_PX, RELIEF_PX), 255 where something is raised. Positions and
lengths are in coin radii from the centre, x to the right and y down.
"""

from collections.abc import Sequence

import cv2
import numpy as np

#: Side of every mask and relief, px: some three times as fine as a frame of the simulated camera.
RELIEF_PX = 288
#: Radius of the coin's outline in a mask, px; the rest is a border of 4 px.
RELIEF_RADIUS_PX = 140.0
#: Middle of a mask, px, for both axes.
CENTRE_PX = (RELIEF_PX - 1) / 2

#: OpenCV's font size 1 is about this high, px, with its stroke.
FONT_HEIGHT_PX = 14
#: A numeral stands this much above the middle, coin radii, because the unit is written below it.
NUMERAL_LIFT = 0.08

Point = tuple[float, float]


def empty_mask() -> np.ndarray:
    """A mask with nothing on it."""
    return np.zeros((RELIEF_PX, RELIEF_PX), np.uint8)


def measure_radii() -> np.ndarray:
    """Distance of each pixel from the centre in coin radii, float32 (RELIEF_PX, RELIEF_PX)."""
    pixels = np.arange(RELIEF_PX, dtype=np.float32)
    steps = (pixels - CENTRE_PX) / RELIEF_RADIUS_PX
    x, y = np.meshgrid(steps, steps)
    radii: np.ndarray = np.hypot(x, y)
    return radii


def to_pixels(radii: float) -> float:
    """A coordinate in coin radii as a pixel coordinate of the mask."""
    return radii * RELIEF_RADIUS_PX + CENTRE_PX


def fill_polygon(
    mask: np.ndarray,
    points: Sequence[Point] | np.ndarray,
    value: int = 255,
) -> None:
    """Fill a polygon; value 0 cuts it out."""
    corners = np.array(points, np.float32) * RELIEF_RADIUS_PX + CENTRE_PX
    corners_px = np.rint(corners).astype(np.int32)
    cv2.fillPoly(mask, [corners_px], value, cv2.LINE_AA)


def fill_box(
    mask: np.ndarray,
    left: float,
    top: float,
    right: float,
    bottom: float,
    value: int = 255,
) -> None:
    """Fill an upright rectangle; value 0 cuts it out."""
    corners = [
        (left, top),
        (right, top),
        (right, bottom),
        (left, bottom),
    ]
    fill_polygon(mask, corners, value)


def fill_ellipse(
    mask: np.ndarray,
    centre: Point,
    half_axes: Point,
    turn_deg: float = 0,
    value: int = 255,
) -> None:
    """Fill an ellipse, turned clockwise by turn_deg; value 0 cuts it out."""
    x, y = centre
    x_px = round(to_pixels(x))
    y_px = round(to_pixels(y))
    half_axes_px = [_to_half_axis_px(half_axis) for half_axis in half_axes]
    cv2.ellipse(mask, (x_px, y_px), half_axes_px, turn_deg, 0, 360, value, -1, cv2.LINE_AA)


def _to_half_axis_px(half_axis: float) -> int:
    """At least one pixel, so that even the smallest ellipse shows."""
    return max(1, round(half_axis * RELIEF_RADIUS_PX))


def fill_circle(
    mask: np.ndarray,
    centre: Point,
    radius: float,
    value: int = 255,
) -> None:
    """Fill a circle; value 0 cuts it out."""
    fill_ellipse(mask, centre, (radius, radius), value=value)


def list_star_points(
    tips: int,
    outer: float,
    inner: float,
    phase: float,
) -> list[Point]:
    """Corners of a star, tips and notches in turn, the first tip at the angle `phase` (radians)."""
    angles = phase + np.arange(2 * tips) * np.pi / tips
    radii = [outer, inner] * tips
    return list_polar_points(radii, angles)


def list_polar_points(
    radii: Sequence[float],
    angles: np.ndarray,
) -> list[Point]:
    """Points at these radii and angles (radians, 0 to the right, clockwise)."""
    points = []
    for radius, angle in zip(radii, angles):
        x = radius * np.cos(angle)
        y = radius * np.sin(angle)
        points.append((x, y))
    return points


def draw_numeral(
    text: str,
    height: float,
) -> np.ndarray:
    """A mask with a short text in its middle, about `height` coin radii high."""
    mask = empty_mask()
    font = cv2.FONT_HERSHEY_SIMPLEX
    size = height * RELIEF_RADIUS_PX / FONT_HEIGHT_PX
    thickness = round(size * 3.6)
    (width_px, height_px), _ = cv2.getTextSize(text, font, size, thickness)
    left = CENTRE_PX - width_px / 2
    bottom = CENTRE_PX + height_px / 2 - NUMERAL_LIFT * RELIEF_RADIUS_PX
    origin = (round(left), round(bottom))
    cv2.putText(mask, text, origin, font, size, 255, thickness, cv2.LINE_AA)
    return mask


def draw_legend(
    text: str,
    middle_deg: float,
    radius: float,
    upright: bool = False,
) -> np.ndarray:
    """A mask with letters along a circle.

    middle_deg: where the text's middle is (0 right, 90 bottom). upright: the feet of the letters
    point outwards, as at the bottom of a coin; otherwise their heads do.
    """
    mask = empty_mask()
    direction = -1 if upright else 1
    step = 0.155 / radius * direction
    start = np.deg2rad(middle_deg) - step * (len(text) - 1) / 2
    for index, letter in enumerate(text):
        angle = start + step * index
        turn_deg = np.rad2deg(angle) + 90 * direction
        letter_mask = _draw_letter(letter, radius, angle, turn_deg)
        mask = np.maximum(mask, letter_mask)
    return mask


def _draw_letter(
    letter: str,
    radius: float,
    angle: float,
    turn_deg: float,
) -> np.ndarray:
    tile = _draw_letter_tile(letter)
    radius_px = radius * RELIEF_RADIUS_PX
    x = CENTRE_PX + radius_px * np.cos(angle)
    y = CENTRE_PX + radius_px * np.sin(angle)
    turn = cv2.getRotationMatrix2D((20, 20), -turn_deg, 1.0)
    turn[:, 2] += (x - 20, y - 20)
    return cv2.warpAffine(tile, turn, (RELIEF_PX, RELIEF_PX))


def _draw_letter_tile(letter: str) -> np.ndarray:
    """The letter in the middle of a tile of 41 px."""
    font = cv2.FONT_HERSHEY_DUPLEX
    size = 0.75
    thickness = 2
    (width_px, height_px), _ = cv2.getTextSize(letter, font, size, thickness)
    tile = np.zeros((41, 41), np.uint8)
    origin = (round(20 - width_px / 2), round(20 + height_px / 2))
    cv2.putText(tile, letter, origin, font, size, 255, thickness, cv2.LINE_AA)
    return tile
