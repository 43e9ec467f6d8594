"""Crops changed at random, as light, wear and a coin's rotation would change them."""

from functools import cache

import cv2
import numpy as np
from numpy.random import Generator

from coinsorter.training.recipe import AugmentSettings
from coinsorter.vision.crop import FILL, CropSpec, mask_coin

#: Share of crops that are blurred at all; the cameras that we know are mostly in focus.
BLURRED_SHARE = 0.4

#: Numbers in the field of noise that all noise is taken from.
NOISE_FIELD = 1 << 20

#: JPEG quality of crops that are compressed once more, from and below.
JPEG_QUALITIES = (30, 95)

#: Share of crops whose colours are shifted, and how far: factors of the saturation, and standard
#: deviations of the logarithms of contrast and brightness. Two bursts of pale 25 centavos, legible
#: and refused, showed that `AugmentSettings` alone does not reach another day's light.
SHIFTED_SHARE = 0.6
SATURATIONS = (0.1, 1.4)
CONTRAST_STD = 0.3
BRIGHTNESS_STD = 0.12

#: A corrupted crop has fewer patches than this.
PATCHES = 4

#: What hides a patch: a colour below the first number, another crop below the second; else its
#: mean colour.
COVER_SHARES = (0.4, 0.7)


def augment_crops(
    crops: np.ndarray, spec: CropSpec, settings: AugmentSettings, rng: Generator
) -> np.ndarray:
    """Each crop rotated by any angle and changed within the settings: uint8, same shape.

    No crop is mirrored.
    """
    is_outside = mask_coin(spec) == 0
    augmented = np.empty_like(crops)
    for index, crop in enumerate(crops):
        augmented[index] = _augment(crop, settings, rng)
        augmented[index][is_outside] = FILL
    return augmented


def _augment(crop: np.ndarray, settings: AugmentSettings, rng: Generator) -> np.ndarray:
    moved = _move(crop, settings, rng)
    lit = cv2.LUT(moved, _make_light_lut(settings, rng))
    if settings.blur_px and rng.random() < BLURRED_SHARE:
        blur_px = rng.uniform(0.2, 1) * settings.blur_px
        lit = cv2.GaussianBlur(lit, (0, 0), blur_px)
    if rng.random() < settings.cut_out:
        _cut_out(lit, rng)
    if rng.random() < settings.jpeg:
        lit = _compress(lit, rng)
    noise = _take_noise(lit.shape, rng)
    noise_std = rng.uniform(0, settings.noise)
    return cv2.add(lit, noise * np.float32(noise_std), dtype=cv2.CV_8U)


def _move(crop: np.ndarray, settings: AugmentSettings, rng: Generator) -> np.ndarray:
    """A crop rotated about its middle, zoomed and shifted."""
    size_px = len(crop)
    middle_px = (size_px - 1) / 2
    angle_deg = rng.uniform(0, 360)
    zoom = rng.uniform(1 - settings.zoom, 1 + settings.zoom)
    middle = (middle_px, middle_px)
    matrix: np.ndarray = cv2.getRotationMatrix2D(middle, angle_deg, zoom)
    matrix[:, 2] += rng.normal(0, settings.shift_px, 2)
    return cv2.warpAffine(
        crop,
        matrix,
        (size_px, size_px),
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(FILL, FILL, FILL),
    )


def _make_light_lut(settings: AugmentSettings, rng: Generator) -> np.ndarray:
    """Contrast, brightness and white balance as a look-up table: uint8 (1, 256, 3)."""
    contrast = rng.uniform(1 - settings.contrast, 1 + settings.contrast)
    brightness = rng.uniform(1 - settings.brightness, 1 + settings.brightness)
    colours = rng.uniform(1 - settings.colour, 1 + settings.colour, 3)
    gains = brightness * colours
    levels = np.arange(256)[:, None]
    contrasted = (levels - FILL) * contrast + FILL
    lut = np.clip(contrasted * gains, 0, 255)
    return lut.astype(np.uint8)[None]


def shift_colours(crop: np.ndarray, spec: CropSpec, rng: Generator) -> np.ndarray:
    """A crop as another day's light and camera would show it: uint8, same shape.

    Saturation, contrast and brightness change further than `augment_crops` changes them: coins in
    glare or shade are pale or dark as a whole, and genuine all the same.
    """
    if rng.random() >= SHIFTED_SHARE:
        return crop
    mask = mask_coin(spec)
    saturation = rng.uniform(*SATURATIONS)
    contrast = np.exp(rng.normal(0, CONTRAST_STD))
    brightness = np.exp(rng.normal(0, BRIGHTNESS_STD))
    mixing = saturation * np.eye(3) + (1 - saturation) / 3  # towards each pixel's grey
    mean = mixing @ cv2.mean(crop, mask)[:3]
    offset = (brightness - contrast) * mean  # contrast is about the coin's mean
    shifted = cv2.transform(crop, np.column_stack([contrast * mixing, offset]))
    shifted[mask == 0] = FILL
    return shifted


def _cut_out(crop: np.ndarray, rng: Generator) -> None:
    """Paints a patch of a crop in one grey (Cutout: DeVries and Taylor, 2017)."""
    size_px = len(crop)
    patch = _choose_patch(size_px, size_px // 10, size_px // 3, rng)
    crop[patch] = rng.integers(0, 256)


def _choose_patch(size_px: int, low_px: int, high_px: int, rng: Generator) -> tuple[slice, slice]:
    """A rectangle anywhere in a crop, its edges from low_px and below high_px."""
    height, width = rng.integers(low_px, high_px, 2)
    top = rng.integers(0, size_px - height)
    left = rng.integers(0, size_px - width)
    return slice(top, top + height), slice(left, left + width)


def _compress(crop: np.ndarray, rng: Generator) -> np.ndarray:
    quality = int(rng.integers(*JPEG_QUALITIES))
    _, content = cv2.imencode(".jpg", crop, (cv2.IMWRITE_JPEG_QUALITY, quality))
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
    return crop if decoded is None else decoded


def _take_noise(shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    """Unit noise, float32: a random stretch of a fixed field.

    Drawing as much noise for every crop takes longer than all the rest.
    """
    count = np.prod(shape)
    field = _make_noise_field()
    start = int(rng.integers(0, len(field) - count))
    return field[start : start + count].reshape(shape)


@cache
def _make_noise_field() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(NOISE_FIELD, np.float32)


def corrupt_crops(crops: np.ndarray, spec: CropSpec, rng: Generator) -> np.ndarray:
    """Each crop with up to three patches hidden: uint8, same shape.

    A patch is painted over, taken from another crop, or smoothed to its mean colour.
    """
    is_outside = mask_coin(spec) == 0
    corrupted = crops.copy()
    for crop in corrupted:
        for _ in range(int(rng.integers(0, PATCHES))):
            _hide_patch(crop, crops, rng)
        crop[is_outside] = FILL
    return corrupted


def _hide_patch(crop: np.ndarray, others: np.ndarray, rng: Generator) -> None:
    size_px = len(crop)
    patch = _choose_patch(size_px, size_px // 16, size_px // 4, rng)
    other = others[rng.integers(len(others))]
    crop[patch] = _choose_cover(crop[patch], other[patch], rng)


def _choose_cover(patch: np.ndarray, other: np.ndarray, rng: Generator) -> np.ndarray:
    choice = rng.random()
    painted_share, other_share = COVER_SHARES
    if choice < painted_share:
        return rng.integers(0, 256, 3).astype(np.uint8)
    if choice < other_share:
        return other
    mean_colour: np.ndarray = patch.mean((0, 1))
    return mean_colour.astype(np.uint8)
