"""The motifs of the invented currency's coins, and those that only tokens bear.

Everything is drawn from polygons and ellipses; no photograph is used. See `masks` for what a mask
is and for its coordinates.
"""

from collections.abc import Callable

import cv2
import numpy as np

from coinsorter.simulator.masks import (
    CENTRE_PX,
    RELIEF_PX,
    RELIEF_RADIUS_PX,
    draw_numeral,
    empty_mask,
    fill_box,
    fill_circle,
    fill_ellipse,
    fill_polygon,
    list_polar_points,
    list_star_points,
    measure_radii,
)


def _draw_rays(
    count: int,
    inner: float,
    outer: float,
    half_width: float,
) -> np.ndarray:
    """Pointed rays all around, `half_width` wide at their feet."""
    mask = empty_mask()
    for angle in np.arange(count) * 2 * np.pi / count:
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-np.sin(angle), np.cos(angle)])
        foot = inner * along
        side = half_width * across
        tip = outer * along
        fill_polygon(mask, np.array([foot + side, tip, foot - side]))
    return mask


def _draw_leaf() -> np.ndarray:
    mask = empty_mask()
    lobes = {-90: 0.34, -150: 0.28, -30: 0.28, 150: 0.2, 30: 0.2}
    for turn_deg, half_length in lobes.items():
        angle = np.deg2rad(turn_deg)
        x = 0.27 * np.cos(angle)
        y = 0.05 + 0.27 * np.sin(angle)
        fill_ellipse(mask, (x, y), (half_length, 0.12), turn_deg)
    stem = [
        (-0.025, 0.05),
        (0.025, 0.05),
        (0.05, 0.55),
        (-0.05, 0.55),
    ]
    fill_polygon(mask, stem)
    return mask


def _draw_fish() -> np.ndarray:
    mask = empty_mask()
    tail = [
        (0.22, 0),
        (0.55, -0.26),
        (0.48, 0),
        (0.55, 0.26),
    ]
    fin = [
        (-0.15, -0.18),
        (0.12, -0.36),
        (0.18, -0.12),
    ]
    fill_ellipse(mask, (-0.08, 0), (0.42, 0.22))
    fill_polygon(mask, tail)
    fill_polygon(mask, fin)
    _cut_eye_and_gills(mask)
    return mask


def _cut_eye_and_gills(mask: np.ndarray) -> None:
    fill_circle(mask, (-0.32, -0.05), 0.04, value=0)
    y_px = round(CENTRE_PX)
    for x in (-0.12, 0.02, 0.15):
        x_px = round(CENTRE_PX + x * RELIEF_RADIUS_PX)
        cv2.ellipse(mask, (x_px, y_px), (8, 20), 0, -70, 70, 0, 2, cv2.LINE_AA)


def _draw_sun() -> np.ndarray:
    mask = _draw_rays(12, 0.3, 0.6, 0.065)
    fill_circle(mask, (0, 0), 0.25)
    return mask


def _draw_tree() -> np.ndarray:
    mask = empty_mask()
    _fill_foliage(mask)
    trunk = [
        (-0.05, 0.0),
        (0.05, 0.0),
        (0.08, 0.5),
        (0.22, 0.56),
        (-0.22, 0.56),
        (-0.08, 0.5),
    ]
    fill_polygon(mask, trunk)
    gaps = [
        (-0.15, -0.2),
        (0.1, -0.3),
        (0.2, -0.08),
        (-0.04, -0.04),
    ]
    for gap in gaps:
        fill_ellipse(mask, gap, (0.035, 0.05), value=0)
    return mask


def _fill_foliage(mask: np.ndarray) -> None:
    large = [
        (0, -0.32),
        (-0.2, -0.15),
        (0.2, -0.15),
    ]
    small = [
        (-0.1, 0.0),
        (0.12, 0.0),
    ]
    for centre in large:
        fill_ellipse(mask, centre, (0.2, 0.2 * 0.85))
    for centre in small:
        fill_ellipse(mask, centre, (0.17, 0.17 * 0.85))


def _draw_ship() -> np.ndarray:
    mask = empty_mask()
    hull = [
        (-0.5, 0.22),
        (0.5, 0.22),
        (0.36, 0.46),
        (-0.36, 0.46),
    ]
    main_sail = [
        (0.07, -0.45),
        (0.42, 0.12),
        (0.07, 0.12),
    ]
    fore_sail = [
        (-0.06, -0.35),
        (-0.06, 0.12),
        (-0.36, 0.12),
    ]
    fill_polygon(mask, hull)
    fill_box(mask, -0.02, -0.52, 0.03, 0.2)
    fill_polygon(mask, main_sail)
    fill_polygon(mask, fore_sail)
    return mask


def _draw_tower() -> np.ndarray:
    mask = empty_mask()
    wall = [
        (-0.26, -0.3),
        (0.26, -0.3),
        (0.32, 0.5),
        (-0.32, 0.5),
    ]
    fill_polygon(mask, wall)
    for merlon in (-0.31, -0.09, 0.13):
        fill_box(mask, merlon, -0.5, merlon + 0.17, -0.26)
    fill_ellipse(mask, (0, 0.38), (0.1, 0.2), value=0)
    for window in (-0.13, 0.13):
        fill_box(mask, window - 0.035, -0.12, window + 0.035, 0.04, value=0)
    return mask


def _draw_crown() -> np.ndarray:
    mask = empty_mask()
    band = [
        (-0.5, -0.3),
        (-0.26, 0.02),
        (0, -0.42),
        (0.26, 0.02),
        (0.5, -0.3),
        (0.4, 0.3),
        (-0.4, 0.3),
    ]
    fill_polygon(mask, band)
    fill_box(mask, -0.4, 0.36, 0.4, 0.46)
    pearls = [
        (-0.5, -0.36),
        (0, -0.48),
        (0.5, -0.36),
    ]
    for pearl in pearls:
        fill_circle(mask, pearl, 0.065)
    return mask


def _draw_star() -> np.ndarray:
    mask = empty_mask()
    points = list_star_points(5, 0.58, 0.23, -np.pi / 2)
    fill_polygon(mask, points)
    fill_circle(mask, (0, 0), 0.12, value=0)
    fill_circle(mask, (0, 0), 0.07)
    return mask


#: What the reverse of each denomination bears, by the motif's name.
MOTIFS: dict[str, Callable[[], np.ndarray]] = {
    "leaf": _draw_leaf,
    "fish": _draw_fish,
    "sun": _draw_sun,
    "tree": _draw_tree,
    "ship": _draw_ship,
    "tower": _draw_tower,
    "crown": _draw_crown,
    "star": _draw_star,
}


def _draw_rings(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    count = int(rng.integers(2, 4))
    radii = np.sort(rng.uniform(0.12, 0.6, count))
    for radius in radii[::-1]:
        fill_circle(mask, (0, 0), radius)
        fill_circle(mask, (0, 0), radius - 0.08, value=0)
    return mask


def _draw_letters(rng: np.random.Generator) -> np.ndarray:
    alphabet = list("ABGKMPQRTWXYZ&#?")
    count = int(rng.integers(1, 3))
    text = "".join(rng.choice(alphabet, count))
    height = float(rng.uniform(0.42, 0.62))
    return draw_numeral(text, height)


def _draw_gear(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    teeth = int(rng.integers(7, 15))
    outer = rng.uniform(0.5, 0.6)
    inner = rng.uniform(0.38, 0.46)
    phase = rng.uniform(0, 3)
    points = list_star_points(teeth, outer, inner, phase)
    fill_polygon(mask, points)
    fill_circle(mask, (0, 0), rng.uniform(0.1, 0.25), value=0)
    return mask


def _draw_cross(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    wide = rng.uniform(0.06, 0.16)
    long = rng.uniform(0.4, 0.6)
    fill_box(mask, -wide, -long, wide, long)
    fill_box(mask, -long, -wide, long, wide)
    return mask


def _draw_bars(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    count = int(rng.integers(3, 7))
    for y in np.linspace(-0.5, 0.5, count):
        fill_box(mask, -0.5, y - 0.05, 0.5, y + 0.05)
    return mask


def _draw_head(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    half_width = rng.uniform(0.2, 0.28)
    half_height = rng.uniform(0.26, 0.34)
    shoulders = [
        (-0.1, 0.05),
        (0.18, 0.05),
        (0.34, 0.5),
        (-0.34, 0.5),
    ]
    nose = [
        (-0.2, -0.2),
        (-0.36, -0.08),
        (-0.2, -0.04),
    ]
    fill_ellipse(mask, (0.02, -0.18), (half_width, half_height))
    fill_polygon(mask, shoulders)
    fill_polygon(mask, nose)
    return mask


def _draw_heart(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    size = rng.uniform(0.2, 0.27)
    fill_circle(mask, (-size * 0.85, -0.15), size)
    fill_circle(mask, (size * 0.85, -0.15), size)
    point = [
        (-1.75 * size, -0.02),
        (1.75 * size, -0.02),
        (0, 0.55),
    ]
    fill_polygon(mask, point)
    return mask


def _draw_diamond(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    wide, tall = rng.uniform(0.25, 0.55, 2)
    _fill_diamond(mask, wide, tall, 255)
    _fill_diamond(mask, wide / 2, tall / 2, 0)
    return mask


def _fill_diamond(
    mask: np.ndarray,
    wide: float,
    tall: float,
    value: int,
) -> None:
    corners = [
        (0, -tall),
        (wide, 0),
        (0, tall),
        (-wide, 0),
    ]
    fill_polygon(mask, corners, value)


def _draw_polygon(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    count = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = rng.uniform(0.2, 0.62, count)
    corners = list_polar_points(radii.tolist(), angles)
    fill_polygon(mask, corners)
    if rng.random() < 0.5:
        half_width, half_height = rng.uniform(0.05, 0.2, 2)
        fill_ellipse(mask, (0, 0), (half_width, half_height), value=0)
    return mask


def _draw_blob(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.random((7, 7), np.float32)
    cloud = cv2.resize(coarse, (RELIEF_PX, RELIEF_PX), interpolation=cv2.INTER_CUBIC)
    dense = cloud > rng.uniform(0.45, 0.65)
    inside = measure_radii() < 0.62
    return np.where(dense & inside, 255, 0).astype(np.uint8)


def _draw_strokes(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    for _ in range(int(rng.integers(3, 9))):
        ends = rng.uniform(-0.45, 0.45, (2, 2))
        ends_px = np.rint(ends * RELIEF_RADIUS_PX + CENTRE_PX)
        start_px, end_px = ends_px.astype(int).tolist()
        thickness = int(rng.integers(5, 18))
        cv2.line(mask, start_px, end_px, 255, thickness, cv2.LINE_AA)
    return mask


def _draw_dots(rng: np.random.Generator) -> np.ndarray:
    mask = empty_mask()
    for _ in range(int(rng.integers(2, 12))):
        x, y = rng.uniform(-0.4, 0.4, 2)
        half_width, half_height = rng.uniform(0.05, 0.17, 2)
        turn_deg = float(rng.uniform(0, 180))
        fill_ellipse(mask, (x, y), (half_width, half_height), turn_deg)
    return mask


#: What tokens may bear, by the motif's name; each is drawn differently for every random state.
FOREIGN_MOTIFS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "ring": _draw_rings,
    "letters": _draw_letters,
    "gear": _draw_gear,
    "cross": _draw_cross,
    "bars": _draw_bars,
    "head": _draw_head,
    "heart": _draw_heart,
    "diamond": _draw_diamond,
    "polygon": _draw_polygon,
    "blob": _draw_blob,
    "strokes": _draw_strokes,
    "dots": _draw_dots,
}
