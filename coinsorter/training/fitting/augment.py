"""Crops changed at random, as light, wear and a coin's turn would change them."""

from functools import cache

import cv2
import numpy as np

from coinsorter.training.recipe import AugmentSettings
from coinsorter.vision.crop import FILL, CropSpec, mask_coin

BLURRED = 0.4  # share of crops that are blurred at all
NOISE_FIELD = 1 << 20


def augment_crops(
    crops: np.ndarray, spec: CropSpec, knobs: AugmentSettings, rng: np.random.Generator
) -> np.ndarray:
    """Each crop turned by any angle and changed within the knobs' limits: uint8, same shape; never mirrored."""
    off = mask_coin(spec) == 0
    out = np.empty_like(crops)
    for index, picture in enumerate(crops):
        out[index] = _changed(picture, knobs, rng)
        out[index][off] = FILL
    return out


def corrupt_crops(crops: np.ndarray, spec: CropSpec, rng: np.random.Generator) -> np.ndarray:
    """Each crop with up to three patches painted over, taken from another crop, or wiped: uint8, same shape."""
    off = mask_coin(spec) == 0
    out = crops.copy()
    for picture in out:
        for _ in range(int(rng.integers(0, 4))):
            tall, wide = rng.integers(spec.size_px // 16, spec.size_px // 4, 2)
            top, left = rng.integers(0, spec.size_px - tall), rng.integers(0, spec.size_px - wide)
            patch = picture[top : top + tall, left : left + wide]
            patch[:] = _cover(
                patch, crops[rng.integers(len(crops))][top : top + tall, left : left + wide], rng
            )
        picture[off] = FILL
    return out


def _cover(patch: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    choice = rng.random()
    if choice < 0.4:
        return rng.integers(0, 256, 3).astype(np.uint8)
    return other if choice < 0.7 else patch.mean((0, 1)).astype(np.uint8)


def _changed(picture: np.ndarray, knobs: AugmentSettings, rng: np.random.Generator) -> np.ndarray:
    size = len(picture)
    middle = (size - 1) / 2
    turn = cv2.getRotationMatrix2D(
        (middle, middle), rng.uniform(0, 360), rng.uniform(1 - knobs.zoom, 1 + knobs.zoom)
    )
    turn[:, 2] += rng.normal(0, knobs.shift_px, 2)
    moved = cv2.warpAffine(
        picture, turn, (size, size), borderMode=cv2.BORDER_CONSTANT, borderValue=(FILL,) * 3
    )
    lit = cv2.LUT(moved, _light(knobs, rng))
    if knobs.blur_px and rng.random() < BLURRED:
        lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.2, 1) * knobs.blur_px)
    if rng.random() < knobs.cut_out:
        tall, wide = rng.integers(size // 10, size // 3, 2)
        top, left = rng.integers(0, size - tall), rng.integers(0, size - wide)
        lit[top : top + tall, left : left + wide] = rng.integers(0, 256)
    if rng.random() < knobs.jpeg:
        lit = cv2.imdecode(
            cv2.imencode(".jpg", lit, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))))[1],
            cv2.IMREAD_COLOR,
        )
    return cv2.add(
        lit, _noise(lit.shape, rng) * np.float32(rng.uniform(0, knobs.noise)), dtype=cv2.CV_8U
    )


def _light(knobs: AugmentSettings, rng: np.random.Generator) -> np.ndarray:
    """Contrast, brightness and white balance as a table: uint8 (1, 256, 3)."""
    contrast = rng.uniform(1 - knobs.contrast, 1 + knobs.contrast)
    gains = rng.uniform(1 - knobs.brightness, 1 + knobs.brightness) * rng.uniform(
        1 - knobs.colour, 1 + knobs.colour, 3
    )
    return np.clip(((np.arange(256)[:, None] - FILL) * contrast + FILL) * gains, 0, 255).astype(
        np.uint8
    )[None]


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Unit noise, float32: a random stretch of a fixed field, since drawing it anew takes longer than all the rest."""
    start = int(rng.integers(0, len(_field()) - np.prod(shape)))
    return _field()[start : start + np.prod(shape)].reshape(shape)


@cache
def _field() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(NOISE_FIELD, np.float32)
