"""Blemishes drawn onto crops of coins, to train an inspector with: strokes, patches, discs, bites out of the edge and stains.

They are not meant to look like any damage in particular, but to be of every shape, size and colour that damage may have. What `evaluate`
draws (`judging.damage`) is another program's, of other shapes and colours, and nothing here was fitted to its figures on a test split.
"""

from collections.abc import Callable

import cv2
import numpy as np

from coinsorter.training.fitting.augment import augment_crops
from coinsorter.training.recipe import AugmentSettings
from coinsorter.vision.crop import FILL, RIM, CropSpec, gamma_lut, inverse_gamma_lut, mask_coin

FINER = 4  # strokes are drawn larger and averaged down
# Light changes less than for a classifier: it is by its darkness too that a stain is known.
GENTLE = 0.4
SECOND = 0.25  # share of blemished coins that have a second blemish
FULL_CHANGE = 20.0  # grey levels of change that make a place wholly blemished
# A shape for a crop of so many pixels, and the coin's radius in it: float32 (n, n), 0..1
Shape = Callable[[int, float, np.random.Generator], np.ndarray]


def make_examples(
    crops: np.ndarray, spec: CropSpec, knobs: AugmentSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Crops, augmented, every other one blemished; and where: float32 (n, size, size, 3) and (n, size / 2, size / 2, 1).

    Blur and noise come last and on all of them, so that nothing but its shape and colour tells what was drawn.
    """
    gentle = {name: GENTLE * getattr(knobs, name) for name in ("brightness", "colour", "contrast")}
    found = augment_crops(
        crops,
        spec,
        knobs.model_copy(update={**gentle, "blur_px": 0.0, "noise": 0.0, "cut_out": 0.0}),
        rng,
    )
    off, half = mask_coin(spec) == 0, spec.size_px // 2
    truth = np.zeros((len(crops), half, half, 1), np.float32)
    others = found.copy()
    for place in range(1, len(found), 2):
        found[place], cover = draw_defects(
            found[place], others[rng.integers(len(others))], spec, rng
        )
        truth[place, :, :, 0] = cv2.resize(cover, (half, half), interpolation=cv2.INTER_AREA)
    for picture in found:
        if rng.random() < 0.4:
            picture[:] = cv2.GaussianBlur(
                picture, (0, 0), rng.uniform(0.2, 1) * max(knobs.blur_px, 0.3)
            )
        noise = rng.normal(0, rng.uniform(0, knobs.noise) + 1e-6, picture.shape)
        picture[:] = np.clip(picture + noise, 0, 255)
        picture[off] = FILL
    return found.astype(np.float32), truth


def draw_defects(
    crop: np.ndarray, other: np.ndarray, spec: CropSpec, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A crop with a blemish or two, uint8 (n, n, 3), and how much of each pixel is blemished, float32 (n, n). other: what may show through.

    Drawn in the light as it was before the crop's gamma, as damage would be seen.
    """
    radius_px = spec.size_px / 2 / spec.margin
    was, other = (
        cv2.LUT(crop, inverse_gamma_lut(spec.gamma)),
        cv2.LUT(other, inverse_gamma_lut(spec.gamma)).astype(np.float32),
    )
    drawn, touched = was.astype(np.float32), np.zeros(crop.shape[:2], bool)
    for _ in range(1 if rng.random() >= SECOND else 2):
        draw = KINDS[rng.choice(len(KINDS), p=SHARES)]
        drawn, cover = draw(drawn, other, spec, radius_px, rng)
        touched |= cover > 0.02
    found = np.where(
        touched[..., None], cv2.LUT(np.round(drawn).astype(np.uint8), gamma_lut(spec.gamma)), crop
    )
    changed = np.abs(found.astype(np.float32) - crop).mean(axis=2) / FULL_CHANGE
    return found, np.minimum(1, changed).astype(np.float32)


def _strokes(
    drawn: np.ndarray, other: np.ndarray, spec: CropSpec, radius_px: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Bent lines, mostly bright as bare metal, some dark or coloured; many with a dark flank."""
    cover = _lines(spec.size_px, rng) * _disc(spec.size_px, radius_px, rng)
    on_coin, kind = drawn[_disc(spec.size_px, radius_px) > 0.5], rng.random()
    if kind < 0.7:
        colour = np.percentile(on_coin, rng.uniform(80, 99), axis=0) * rng.uniform(
            1, 1.6
        ) + rng.uniform(0, 40)
    elif kind < 0.85:
        colour = np.percentile(on_coin, rng.uniform(2, 20), axis=0) * rng.uniform(0.2, 0.8)
    else:
        colour = rng.uniform(0, 255, 3)
    if rng.random() < 0.6:
        flank = np.roll(cover, rng.integers(-1, 2, 2), (0, 1)) * _disc(spec.size_px, radius_px)
        drawn = drawn * (1 - flank[..., None] * rng.uniform(0.3, 0.9) * rng.uniform(0.3, 0.9))
    return _laid(drawn, np.clip(colour, 0, 255), rng.uniform(0.6, 1) * cover), cover


def _covered(shape: Shape) -> Callable:
    """A shape that something covers: paint, another coin's face, the belt that is seen through it, or dirt; some with a shadow or burr around."""

    def draw(
        drawn: np.ndarray,
        other: np.ndarray,
        spec: CropSpec,
        radius_px: float,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        cover, kind, dense = (
            shape(spec.size_px, radius_px, rng) * _disc(spec.size_px, radius_px, rng),
            rng.random(),
            rng.uniform(0.5, 1),
        )
        if kind < 0.4:
            over = rng.uniform(0, 255, 3) + rng.normal(0, 3, drawn.shape)
        elif kind < 0.6:
            over = other
        elif kind < 0.8:
            over, dense = _belt(spec, rng.uniform(0.4, 1.1), rng), 1.0
        else:
            over = cv2.GaussianBlur(drawn, (0, 0), 3) * rng.uniform(0.5, 1.5)
        if rng.random() < 0.4:
            around = np.clip(cv2.GaussianBlur(cover, (0, 0), 1.2) * 4 * (1 - cover), 0, 1)
            drawn = _laid(drawn, drawn * rng.uniform(0.4, 1.6), around)
        return _laid(drawn, over, dense * cover), cover

    return draw


def _bite(
    drawn: np.ndarray, other: np.ndarray, spec: CropSpec, radius_px: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A piece that is missing at the edge, cut straight or round; the belt is where it was."""
    x, y = _from_middle(spec.size_px)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    if rng.random() < 0.6:
        cover = along - rng.uniform(0.5, 0.93) * radius_px
    else:
        round_px = rng.uniform(0.2, 0.8) * radius_px
        middle = radius_px + round_px * rng.uniform(0.2, 0.8)
        cover = round_px - np.hypot(x - middle * np.cos(angle), y - middle * np.sin(angle))
    cover = np.clip(cover + 0.5, 0, 1) * _disc(spec.size_px, RIM * radius_px)
    return _laid(drawn, _belt(spec, rng.uniform(0.7, 1.1), rng), cover), cover


def _stain(
    drawn: np.ndarray, other: np.ndarray, spec: CropSpec, radius_px: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Dull and dark, of some tint, unevenly over much or all of the coin."""
    clouds = _clouds(spec.size_px, int(rng.integers(2, 6)), rng)
    clouds = (clouds - clouds.min()) / max(float(np.ptp(clouds)), 1e-6)
    cover = np.clip(rng.uniform(0.1, 0.9) + (clouds - 0.3) * rng.uniform(0.3, 1.2), 0, 1) * _disc(
        spec.size_px, radius_px, rng
    )
    tint = np.clip(rng.uniform(0.25, 0.65) * (1 + rng.normal(0, 0.2, 3)), 0.1, 1)
    return _laid(drawn, cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.3, 1.2)) * tint, cover), cover


def _patch(size_px: int, radius_px: float, rng: np.random.Generator) -> np.ndarray:
    """A ragged patch of 1.5 to 40 % of the coin."""
    x, y = _from_middle(size_px)
    x_px, y_px = _somewhere(0.9 * radius_px, rng)
    height = (
        0.6 * _clouds(size_px, int(rng.integers(3, 9)), rng)
        - np.hypot(x - x_px, y - y_px) / radius_px
    )
    level = np.quantile(
        height[np.hypot(x, y) <= radius_px], 1 - np.exp(rng.uniform(np.log(0.015), np.log(0.4)))
    )
    return np.clip((height - level) * rng.uniform(8, 40) + 0.5, 0, 1)


def _round(size_px: int, radius_px: float, rng: np.random.Generator) -> np.ndarray:
    """A disc, or nearly one."""
    x, y = _from_middle(size_px)
    x_px, y_px = _somewhere(radius_px, rng)
    return np.clip(
        rng.uniform(0.06, 0.3) * radius_px
        - np.hypot(x - x_px, (y - y_px) * rng.uniform(0.8, 1.25))
        + 0.5,
        0,
        1,
    )


def _lines(size_px: int, rng: np.random.Generator) -> np.ndarray:
    """One to four arcs anywhere, 0.7 to 2.6 pixels wide."""
    fine = np.zeros((FINER * size_px,) * 2, np.uint8)
    t = np.linspace(0, 1, 14)[:, None]
    for _ in range(int(rng.integers(1, 5))):
        ends = size_px / 2 + 0.47 * size_px * rng.uniform(-1, 1, (2, 2))
        bend = ends.mean(axis=0) + rng.normal(0, 0.06 * size_px, 2)
        arc = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * bend + t * t * ends[1]
        wide = max(1, int(rng.uniform(0.7, 2.6) * FINER))
        cv2.polylines(
            fine,
            [np.round(arc * FINER * 16).astype(np.int32)],
            False,
            255,
            wide,
            cv2.LINE_AA,
            shift=4,
        )
    return (
        cv2.resize(fine, (size_px, size_px), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    )


def _clouds(size_px: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    return cv2.resize(
        rng.random((cells, cells), np.float32), (size_px, size_px), interpolation=cv2.INTER_CUBIC
    )


def _disc(size_px: int, radius_px: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """1 on the coin; its edge to half a pixel anywhere, where a generator is given."""
    return np.clip(
        radius_px - np.hypot(*_from_middle(size_px)) + (rng.uniform(-0.5, 0.5) if rng else 0.0),
        0,
        1,
    )


def _from_middle(size_px: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.indices((size_px, size_px), np.float32) - np.float32((size_px - 1) / 2)
    return x, y


def _somewhere(reach_px: float, rng: np.random.Generator) -> tuple[float, float]:
    angle, away = rng.uniform(0, 2 * np.pi), reach_px * np.sqrt(rng.uniform(0, 1))
    return away * np.cos(angle), away * np.sin(angle)


def _belt(spec: CropSpec, light: float, rng: np.random.Generator) -> np.ndarray:
    return np.array(spec.surround) * light + cv2.GaussianBlur(
        rng.normal(0, 8, (spec.size_px, spec.size_px, 3)).astype(np.float32), (0, 0), 0.8
    )


def _laid(under: np.ndarray, over: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return np.clip(under + cover[..., None] * (over - under), 0, 255)


KINDS = _strokes, _covered(_patch), _covered(_round), _bite, _stain
SHARES = 0.34, 0.14, 0.12, 0.08, 0.32  # strokes and stains are the hardest to find
