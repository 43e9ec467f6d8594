"""Masks to draw defects with: lines, patches, discs and bites, each float (n, n) of 0..1."""

import cv2
import numpy as np
from numpy.random import Generator

from coinsorter.vision.crop import RIM

#: Lines are drawn this many times larger and averaged down.
OVERSAMPLING = 4

#: Bits behind the binary point of the coordinates that OpenCV draws lines by.
LINE_SHIFT = 4

#: Points of each line.
LINE_POINTS = 14

#: Smallest and largest patch, as shares of the coin's face.
PATCH_SHARES = (0.015, 0.4)


def make_disc(size_px: int, radius_px: float, rng: Generator | None = None) -> np.ndarray:
    """1 on the coin and 0 off it; with a generator its edge is up to half a pixel off."""
    shift_px = rng.uniform(-0.5, 0.5) if rng else 0.0
    x, y = _offsets_px(size_px)
    inside_px = radius_px - np.hypot(x, y) + shift_px
    return _clip(inside_px)


def make_lines(size_px: int, rng: Generator) -> np.ndarray:
    """One to four arcs anywhere, 0.7 to 2.6 pixels wide."""
    large_px = OVERSAMPLING * size_px
    large = np.zeros((large_px, large_px), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        arc = _make_arc(size_px, rng)
        width_px = max(1, int(rng.uniform(0.7, 2.6) * OVERSAMPLING))
        points = np.round(arc * OVERSAMPLING * (1 << LINE_SHIFT)).astype(np.int32)
        cv2.polylines(large, [points], False, 255, width_px, cv2.LINE_AA, shift=LINE_SHIFT)
    lines = cv2.resize(large, (size_px, size_px), interpolation=cv2.INTER_AREA)
    lines = lines.astype(np.float32)
    return lines / np.float32(255)


def _make_arc(size_px: int, rng: Generator) -> np.ndarray:
    """A quadratic Bezier curve: float (LINE_POINTS, 2), in pixels."""
    t = np.linspace(0, 1, LINE_POINTS)[:, None]
    reach_px = 0.47 * size_px
    first, last = ends = size_px / 2 + reach_px * rng.uniform(-1, 1, (2, 2))
    middle = ends.mean(axis=0)
    bend = middle + rng.normal(0, 0.06 * size_px, 2)
    from_first = (1 - t) ** 2 * first
    from_bend = 2 * t * (1 - t) * bend
    from_last = t * t * last
    arc: np.ndarray = from_first + from_bend + from_last
    return arc


def make_patch(size_px: int, radius_px: float, rng: Generator) -> np.ndarray:
    """A ragged patch of 1.5 to 40 % of the coin."""
    x, y = _offsets_px(size_px)
    x_px, y_px = _choose_point(0.9 * radius_px, rng)
    cells = int(rng.integers(3, 9))
    clouds = make_clouds(size_px, cells, rng)
    distance = np.hypot(x - x_px, y - y_px) / radius_px
    height = 0.6 * clouds - distance
    smallest, largest = PATCH_SHARES
    log_share = rng.uniform(np.log(smallest), np.log(largest))
    is_coin = np.hypot(x, y) <= radius_px
    level = np.quantile(height[is_coin], 1 - np.exp(log_share))
    steepness = rng.uniform(8, 40)
    above = (height - level) * steepness
    return _clip(above + 0.5)


def make_spot(size_px: int, radius_px: float, rng: Generator) -> np.ndarray:
    """A disc, or nearly one, anywhere on the coin."""
    x, y = _offsets_px(size_px)
    x_px, y_px = _choose_point(radius_px, rng)
    spot_px = rng.uniform(0.06, 0.3) * radius_px
    stretch = rng.uniform(0.8, 1.25)
    distance_px = np.hypot(x - x_px, (y - y_px) * stretch)
    inside_px = spot_px - distance_px
    return _clip(inside_px + 0.5)


def make_bite(size_px: int, radius_px: float, rng: Generator) -> np.ndarray:
    """What is missing of a coin that was cut at its edge, straight or round."""
    x, y = _offsets_px(size_px)
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    if rng.random() < 0.6:
        along_px = cos * x + sin * y
        cut_px = rng.uniform(0.5, 0.93) * radius_px
        depth_px = along_px - cut_px
    else:
        round_px = rng.uniform(0.2, 0.8) * radius_px
        middle_px = radius_px + round_px * rng.uniform(0.2, 0.8)
        x_px = middle_px * cos
        y_px = middle_px * sin
        depth_px = round_px - np.hypot(x - x_px, y - y_px)
    coin = make_disc(size_px, RIM * radius_px)
    bite: np.ndarray = _clip(depth_px + 0.5) * coin
    return bite


def make_clouds(size_px: int, cells: int, rng: Generator) -> np.ndarray:
    """Smooth noise with so many random values along each side: float32 (n, n), about 0..1."""
    values = rng.random((cells, cells), np.float32)
    return cv2.resize(values, (size_px, size_px), interpolation=cv2.INTER_CUBIC)


def _clip(values: np.ndarray) -> np.ndarray:
    clipped: np.ndarray = np.clip(values, 0, 1)
    return clipped


def _offsets_px(size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's offset (x, y) from the crop's middle: float32 (n, n) each."""
    middle_px = np.float32((size_px - 1) / 2)
    y, x = np.indices((size_px, size_px), np.float32)
    return x - middle_px, y - middle_px


def _choose_point(max_radius_px: float, rng: Generator) -> tuple[float, float]:
    """A point (x, y) in a disc about the middle, each as likely."""
    angle = rng.uniform(0, 2 * np.pi)
    distance_px = max_radius_px * np.sqrt(rng.uniform(0, 1))
    x_px = distance_px * np.cos(angle)
    y_px = distance_px * np.sin(angle)
    return x_px, y_px
