"""Damage, drawn onto crops of genuine coins.

Strokes are drawn larger than the crop and averaged down, so that their edges look like those of a
photograph. What is missing of a coin shows the belt, in the crop's own corrected light.

`training.fitting.defects` draws the damage that the defect detector learns from. It shares nothing
with this module on purpose: the detector is measured on damage of other shapes and colours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import cv2
import numpy as np
from numpy.random import Generator

from coinsorter.vision.crop import RIM, CropSpec, gamma_lut, inverse_gamma_lut

#: Strokes are drawn this many times larger and averaged down.
OVERSAMPLING = 4
# How large damage is was chosen by eye: from hardly visible to plain.
#: Scratches on a coin, the latter excluded.
SCRATCH_COUNT = (1, 5)
#: Width of a scratch over the coin's radius.
SCRATCH_WIDTH = (0.025, 0.06)
#: Points that a scratch runs through.
SCRATCH_POINTS = 12
#: Bits of a pixel's fraction in the coordinates that OpenCV draws lines by.
SHIFT_BITS = 4
#: Radius of a hole over the coin's.
HOLE_RADIUS = (0.09, 0.24)
#: Share of the coin's area that is cut off.
CLIPPED_AREA = (0.05, 0.20)
#: Share of the coin's area that is painted.
PAINTED_AREA = (0.08, 0.30)
#: Opacity of paint; the light and shadow of the relief shine through.
PAINT_OPACITY = 0.88
#: Grey levels of noise on the belt that is seen through a hole.
BELT_NOISE = 2.5
#: What is left of red, green and blue where tarnish is worst: a greenish brown.
TARNISH_RGB = (0.46, 0.47, 0.30)
#: The least that something may be divided by.
EPSILON = 1e-6


@dataclass(frozen=True, eq=False)
class Canvas:
    """A crop that damage is drawn onto.

    crop: uint8 (n, n, 3) RGB. centre_px: of the coin, on both axes. belt_rgb: the belt's colour in
    the crop, 0..255. Masks are float32 (n, n), 0..1.
    """

    crop: np.ndarray
    centre_px: float
    radius_px: float
    belt_rgb: tuple[float, float, float]
    rng: Generator

    @classmethod
    def from_spec(
        cls, crop: np.ndarray, spec: CropSpec, diameter_mm: float | None, rng: Generator
    ) -> Self:
        """The canvas of a coin of a diameter; without one, of a coin that fills the crop."""
        share = 1.0 if diameter_mm is None else spec.compute_share(diameter_mm)
        radius_px = share * spec.size_px / 2 / spec.margin
        centre_px = (spec.size_px - 1) / 2
        return cls(crop, centre_px, radius_px, spec.surround, rng)

    @property
    def edge_px(self) -> int:
        """The edge of the crop."""
        return len(self.crop)

    @property
    def pixels(self) -> np.ndarray:
        """The crop as float32."""
        return self.crop.astype(np.float32)

    def draw_uniform(self, bounds: tuple[float, float]) -> float:
        """A random number between two bounds."""
        return float(self.rng.uniform(*bounds))

    def draw_angle(self) -> float:
        """A random angle, radians."""
        return self.draw_uniform((0, 2 * np.pi))

    def draw_direction(self) -> np.ndarray:
        """A random direction: float (2,), x and y of a vector of length 1."""
        angle = self.draw_angle()
        return np.array([np.cos(angle), np.sin(angle)])

    def draw_belt(self) -> np.ndarray:
        """A patch of the belt as large as the crop: float32 (n, n, 3), 0..255."""
        size = (self.edge_px, self.edge_px)
        noise = self.rng.normal(0, 1, size).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 0.8)
        belt = np.array(self.belt_rgb, np.float32)
        # The blur takes about half of the noise away.
        return belt + BELT_NOISE * 2 * smooth[..., None]

    def draw_clouds(self, cells: int) -> np.ndarray:
        """Smooth unevenness as a mask."""
        coarse = self._draw_cells(cells)
        fine = self._draw_cells(3 * cells)
        clouds = 0.75 * coarse + 0.25 * fine
        lowest = clouds.min()
        span = float(clouds.max() - lowest)
        mask: np.ndarray = (clouds - lowest) / max(EPSILON, span)
        return mask

    def _draw_cells(self, cells: int) -> np.ndarray:
        values = self.rng.random((cells, cells), np.float32)
        size = (self.edge_px, self.edge_px)
        return cv2.resize(values, size, interpolation=cv2.INTER_CUBIC)

    def measure_offsets(self, x_px: float, y_px: float) -> tuple[np.ndarray, np.ndarray]:
        """How far each pixel lies to the right of and below a point: float32 (n, n) each."""
        y, x = np.indices((self.edge_px, self.edge_px), np.float32)
        return x - x_px, y - y_px

    def mask_disc(self, x_px: float, y_px: float, radius_px: float) -> np.ndarray:
        """A disc as a mask: 1 inside, 0 outside, in between on the edge."""
        distance_px = np.hypot(*self.measure_offsets(x_px, y_px))
        return _clamp(radius_px - distance_px + 0.5)

    def mask_coin(self, share: float = 1.0) -> np.ndarray:
        """The disc within a share of the coin's radius as a mask."""
        return self.mask_disc(self.centre_px, self.centre_px, share * self.radius_px)


def damage_crop(
    kind: str, crop: np.ndarray, spec: CropSpec, diameter_mm: float | None, rng: Generator
) -> np.ndarray:
    """A crop, uint8 (n, n, 3), with damage of one of KINDS.

    It is drawn in the light before the crop's gamma; pixels that it leaves alone stay the same.
    """
    linear = cv2.LUT(crop, inverse_gamma_lut(spec.gamma))
    canvas = Canvas.from_spec(linear, spec, diameter_mm, rng)
    damaged = KINDS[kind](canvas)
    changed = (damaged != linear).any(axis=2, keepdims=True)
    corrected = cv2.LUT(damaged, gamma_lut(spec.gamma))
    return np.where(changed, corrected, crop)


def scratch(canvas: Canvas) -> np.ndarray:
    """The crop with long strokes down to the bright metal, each with a dark flank."""
    bright, dark = _draw_scratches(canvas)
    on_coin = canvas.mask_coin(0.95) > 0.5
    metal = np.percentile(canvas.pixels[on_coin], 94, axis=0)
    shine = np.minimum(255.0, 1.35 * metal + 20)
    shaded = _blend(canvas.pixels, 0.45 * canvas.pixels, 0.8 * dark)
    return _round(_blend(shaded, shine, 0.9 * bright))


def _draw_scratches(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    """The strokes and their flanks on the coin, as masks."""
    fine_px = canvas.edge_px * OVERSAMPLING
    bright = np.zeros((fine_px, fine_px), np.uint8)
    dark = np.zeros_like(bright)
    count = int(canvas.rng.integers(*SCRATCH_COUNT))
    for _ in range(count):
        points_px = _draw_stroke(canvas)
        width_px = canvas.draw_uniform(SCRATCH_WIDTH) * canvas.radius_px
        _draw_line(dark, points_px + 0.6 * width_px, width_px)
        _draw_line(bright, points_px, width_px)
    on_coin = canvas.mask_coin()
    return _average_down(bright) * on_coin, _average_down(dark) * on_coin


def _draw_stroke(canvas: Canvas) -> np.ndarray:
    """A slightly bent line over much of the coin: float (SCRATCH_POINTS, 2), x and y in pixels."""
    start = _draw_point(canvas)
    end = _draw_point(canvas)
    along = np.linspace(0, 1, SCRATCH_POINTS)[:, None]
    x_px, y_px = end - start
    across = np.array([-y_px, x_px])
    bend = float(canvas.rng.normal(0, 0.08))
    points: np.ndarray = start + along * (end - start)
    return points + np.sin(np.pi * along) * (across * bend)


def _draw_point(canvas: Canvas) -> np.ndarray:
    """A point on the coin, rarely near its centre."""
    share = np.sqrt(canvas.rng.uniform(0.2, 1))
    distance_px = canvas.radius_px * 0.9 * share
    point: np.ndarray = canvas.centre_px + distance_px * canvas.draw_direction()
    return point


def _draw_line(mask: np.ndarray, points_px: np.ndarray, width_px: float) -> None:
    """Draws onto a mask OVERSAMPLING times too large; thin at its ends, as scratches are."""
    fine_px = (points_px + 0.5) * OVERSAMPLING - 0.5
    corners = np.rint(fine_px * 2**SHIFT_BITS).astype(int).tolist()
    for number, (start, end) in enumerate(pairwise(corners), 1):
        taper = np.sin(np.pi * number / len(corners)) ** 0.5
        thickness = max(1, round(width_px * taper * OVERSAMPLING))
        cv2.line(mask, start, end, 255, thickness, cv2.LINE_AA, SHIFT_BITS)


def drill(canvas: Canvas) -> np.ndarray:
    """The crop with a round hole that shows the belt, partly in shadow, and a burr around it."""
    radius_px = canvas.draw_uniform(HOLE_RADIUS) * canvas.radius_px
    x_px, y_px = _draw_place_on_coin(canvas, radius_px)
    hole = canvas.mask_disc(x_px, y_px, radius_px)
    burr = canvas.mask_disc(x_px, y_px, radius_px + 0.035 * canvas.radius_px)
    # What the lamp at the upper left reaches of the belt below the coin.
    shift_px = 0.3 * radius_px
    lit = canvas.mask_disc(x_px + shift_px, y_px + shift_px, radius_px)
    light = 0.55 + 0.45 * lit[..., None]
    floor = canvas.draw_belt() * light
    shine = np.minimum(255.0, canvas.crop * 1.3 + 15)
    burred = _blend(canvas.pixels, shine, burr)
    return _round(_blend(burred, floor, hole))


def _draw_place_on_coin(canvas: Canvas, radius_px: float) -> tuple[float, float]:
    """Where a disc of a radius lies on the coin: x and y of its centre, in pixels."""
    free_px = 0.92 * canvas.radius_px - radius_px
    share = float(np.sqrt(canvas.rng.uniform(0, 1)))
    distance_px = free_px * share
    angle = canvas.draw_angle()
    x_px = canvas.centre_px + distance_px * np.cos(angle)
    y_px = canvas.centre_px + distance_px * np.sin(angle)
    return x_px, y_px


def clip(canvas: Canvas) -> np.ndarray:
    """The crop with a piece cut off along a straight line, where the belt is seen instead."""
    depth = _chord_depth(canvas.draw_uniform(CLIPPED_AREA))
    angle = canvas.draw_angle()
    x, y = canvas.measure_offsets(canvas.centre_px, canvas.centre_px)
    along_px = np.cos(angle) * x + np.sin(angle) * y
    beyond_px = along_px - depth * canvas.radius_px
    # As far out as a crop shows anything.
    is_coin = np.hypot(x, y) <= RIM * canvas.radius_px
    missing = _clamp(beyond_px + 0.5) * is_coin
    # On the side away from the lamp the cut throws a narrow shadow.
    is_shaded = float(np.cos(angle) + np.sin(angle) > 0)
    from_edge_px = np.abs(beyond_px - 1.0)
    shadow = _clamp(1 - from_edge_px / 1.5) * is_shaded
    light = 1 - 0.3 * shadow[..., None]
    belt = canvas.draw_belt() * light
    return _round(_blend(canvas.pixels, belt, missing))


def _chord_depth(area: float) -> float:
    """Distance from the centre, in radii, of a cut that takes this share of a disc's area away."""
    depths = np.linspace(0, 1, 1001)
    triangles = depths * np.sqrt(1 - depths**2)
    segments = (np.arccos(depths) - triangles) / np.pi
    return float(np.interp(-area, -segments, depths))


def paint(canvas: Canvas) -> np.ndarray:
    """The crop with a blob of bright glossy paint, through which a little of the relief shows."""
    blob = _draw_blob(canvas)
    colour = _draw_bright_colour(canvas.rng)
    grey = cv2.cvtColor(canvas.crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    brightness = max(1.0, float(grey.mean()))
    contrast = grey[..., None] / brightness - 1
    relief = np.clip(1 + 0.25 * contrast, 0.85, 1.2)
    lit = colour * relief + 0.4 * _make_gloss(blob)
    covered = np.clip(lit, 0, 255)
    return _round(_blend(canvas.pixels, covered, PAINT_OPACITY * blob))


def _draw_blob(canvas: Canvas) -> np.ndarray:
    """One rounded patch on the coin, a share of PAINTED_AREA of it, as a mask."""
    on_coin = canvas.mask_coin()
    direction = canvas.draw_direction()
    reach_px = 0.55 * canvas.radius_px * direction
    share = np.sqrt(canvas.rng.uniform(0, 1))
    x_px, y_px = canvas.centre_px + reach_px * share
    offsets_px = canvas.measure_offsets(x_px, y_px)
    distance = np.hypot(*offsets_px) / canvas.radius_px
    height = 0.5 * canvas.draw_clouds(6) - distance
    area = canvas.draw_uniform(PAINTED_AREA)
    level = np.quantile(height[on_coin > 0.5], 1 - area)
    slope = np.hypot(*np.gradient(height))
    steepness = max(EPSILON, float(np.median(slope)))
    blob: np.ndarray = _clamp((height - level) / steepness + 0.5) * on_coin
    return blob.astype(np.float32)


def _draw_bright_colour(rng: Generator) -> np.ndarray:
    """A colour of any hue, bright and saturated: float32 (3,), RGB 0..255."""
    hue = rng.integers(0, 180)  # in units of two degrees, as OpenCV has them
    saturation = rng.integers(205, 256)
    value = rng.integers(170, 245)
    hsv = np.array([[[hue, saturation, value]]]).astype(np.uint8)
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    colour: np.ndarray = rgb.astype(np.float32)
    return colour


def _make_gloss(blob: np.ndarray) -> np.ndarray:
    """Grey levels that the middle of a blob of paint is brighter by: float32 (n, n, 1)."""
    fine = cv2.resize(blob, None, fx=OVERSAMPLING, fy=OVERSAMPLING)
    blurred = cv2.GaussianBlur(fine, (0, 0), 2 * OVERSAMPLING)
    gloss: np.ndarray = _average_down(blurred)[..., None] ** 6
    return 70 * gloss


def tarnish(canvas: Canvas) -> np.ndarray:
    """The crop whose whole coin is dark and greenish brown, unevenly."""
    clouds = 0.3 + 0.7 * canvas.draw_clouds(4) ** 0.7
    strength = canvas.draw_uniform((0.7, 1.1))
    darkest = np.array(TARNISH_RGB, np.float32) * strength
    remaining = 1 - clouds[..., None] * (1 - darkest)
    dull = cv2.GaussianBlur(canvas.crop, (0, 0), 0.6).astype(np.float32)
    tarnished = _blend(canvas.pixels, dull * remaining, canvas.mask_coin())
    return _round(tarnished)


#: Every kind of damage, by the name that figures have it under.
KINDS: dict[str, Callable[[Canvas], np.ndarray]] = {
    "scratched": scratch,
    "drilled": drill,
    "clipped": clip,
    "painted": paint,
    "tarnished": tarnish,
}


def _average_down(fine: np.ndarray) -> np.ndarray:
    """A mask drawn OVERSAMPLING times too large at the crop's size.

    A uint8 mask is taken to range from 0 to 255, any other from 0 to 1.
    """
    scale = 1 / OVERSAMPLING
    small = cv2.resize(fine, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mask = small.astype(np.float32)
    return mask / 255 if fine.dtype == np.uint8 else mask


def _blend(under: np.ndarray, over: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    blended: np.ndarray = under + opacity[..., None] * (over - under)
    return blended


def _clamp(mask: np.ndarray) -> np.ndarray:
    clamped: np.ndarray = np.clip(mask, 0, 1)
    return clamped


def _round(pixels: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.clip(np.rint(pixels), 0, 255)
    return rounded.astype(np.uint8)
