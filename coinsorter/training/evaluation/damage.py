"""Whether the anomaly score notices damage, which is drawn onto crops of genuine coins.

The damage is synthetic, as there is no collection of damaged coins to photograph. Shapes are drawn
larger than the crop and averaged down, so that their edges look like those of a photograph. What
is missing of a coin shows the belt, in the crop's own corrected light.

`training.fitting.defects` draws the damage that the defect detector learns from. It shares nothing
with this module on purpose: the detector is measured on damage of other shapes and colours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from coinsorter.training.evaluation.metrics import Proportion, compute_auroc
from coinsorter.training.evaluation.predictions import Prediction, Predictor
from coinsorter.vision.crop import RIM, CropSpec, gamma_lut, inverse_gamma_lut

#: Strokes are drawn this many times larger and averaged down.
OVERSAMPLING = 4
#: Seed of every random draw: the same crops always get the same damage.
SEED = 2024
#: Crops shown as examples of each kind of damage.
MAX_EXAMPLES = 8
# How large damage is was chosen by eye: from hardly visible to plain.
#: Scratches on a coin, the latter excluded.
SCRATCH_COUNT = (1, 5)
#: Width of a scratch over the coin's radius.
SCRATCH_WIDTH = (0.025, 0.06)
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


@dataclass(frozen=True)
class CoinPlacement:
    """Where the coin is in a crop.

    centre_px: on both axes. belt_rgb: the belt's colour in the crop, 0..255.
    """

    centre_px: float
    radius_px: float
    belt_rgb: tuple[float, float, float]

    @classmethod
    def from_spec(cls, spec: CropSpec, diameter_mm: float | None) -> "CoinPlacement":
        """The placement of a coin of a diameter; without one, of a coin that fills the crop."""
        share = 1.0 if diameter_mm is None else spec.compute_share(diameter_mm)
        radius_px = share * spec.size_px / 2 / spec.margin
        return cls((spec.size_px - 1) / 2, radius_px, spec.surround)


@dataclass(frozen=True)
class DamageMetrics:
    """One kind of damage, drawn on every coin.

    auroc: probability that a damaged coin's anomaly score is above an intact one's.
    rejected: by the machine, for any reason.
    """

    auroc: float | None
    rejected: Proportion


@dataclass(frozen=True, eq=False)
class DamageStudy:
    """How well damaged coins are told from intact ones.

    intact_rejected: of the same coins without damage. kinds: by name, "all" of them at the end.
    examples: by kind, the same few crops before and after, uint8 (k, n, n, 3) each.
    """

    intact_rejected: Proportion
    kinds: dict[str, DamageMetrics]
    examples: dict[str, tuple[np.ndarray, np.ndarray]]


def study_damage(
    predictor: Predictor,
    predictions: Sequence[Prediction],
    report_progress: Callable[[int], None],
) -> DamageStudy:
    """Figures of genuine coins found in their images.

    The diameter is taken to be the undamaged coin's, and outlines are not checked.
    """
    damaged: dict[str, list[Prediction]] = {}
    for number, kind in enumerate(KINDS):
        damaged[kind] = _predict_damaged(predictor, predictions, number, kind)
        report_progress(number + 1)
    intact = [_predict_again(predictor, p, p.crop) for p in predictions]
    kinds = {kind: _measure_damage(intact, damaged[kind]) for kind in KINDS}
    kinds["all"] = _measure_damage(intact, [p for kind in KINDS for p in damaged[kind]])
    examples = {kind: _pick_examples(predictions, damaged[kind]) for kind in KINDS}
    return DamageStudy(_count_rejected(intact), kinds, examples)


def _predict_damaged(
    predictor: Predictor, predictions: Sequence[Prediction], number: int, kind: str
) -> list[Prediction]:
    rng = np.random.default_rng([SEED, number])
    spec = predictor.bundle.crop
    crops = [damage_crop(kind, p.crop, spec, p.diameter_mm, rng) for p in predictions]
    return [_predict_again(predictor, p, crop) for p, crop in zip(predictions, crops)]


def _predict_again(predictor: Predictor, prediction: Prediction, crop: np.ndarray) -> Prediction:
    return predictor.predict_crop(prediction.path, prediction.label, crop, prediction.diameter_mm)


def _measure_damage(intact: Sequence[Prediction], damaged: Sequence[Prediction]) -> DamageMetrics:
    auroc = compute_auroc([p.anomaly for p in intact], [p.anomaly for p in damaged])
    return DamageMetrics(auroc, _count_rejected(damaged))


def _count_rejected(predictions: Sequence[Prediction]) -> Proportion:
    rejected = sum(not p.accepted for p in predictions)
    return Proportion.from_counts(rejected, len(predictions))


def _pick_examples(
    intact: Sequence[Prediction], damaged: Sequence[Prediction]
) -> tuple[np.ndarray, np.ndarray]:
    count = min(MAX_EXAMPLES, len(intact))
    indices = np.unique(np.linspace(0, len(intact) - 1, count).astype(int)).tolist()
    before = np.stack([intact[index].crop for index in indices])
    after = np.stack([damaged[index].crop for index in indices])
    return before, after


def damage_crop(
    kind: str, crop: np.ndarray, spec: CropSpec, diameter_mm: float | None, rng: np.random.Generator
) -> np.ndarray:
    """A crop, uint8 (n, n, 3), with damage of one of KINDS.

    It is drawn in the light before the crop's gamma; pixels that it leaves alone stay the same.
    """
    linear = cv2.LUT(crop, inverse_gamma_lut(spec.gamma))
    damaged = KINDS[kind](linear, CoinPlacement.from_spec(spec, diameter_mm), rng)
    changed = (damaged != linear).any(axis=2, keepdims=True)
    return np.where(changed, cv2.LUT(damaged, gamma_lut(spec.gamma)), crop)


def scratch(crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A crop with long strokes down to the bright metal, each with a dark flank."""
    bright, dark = _draw_scratches(crop, coin, rng)
    intact = crop.astype(np.float32)
    metal = np.percentile(_coin_pixels(crop, coin), 94, axis=0)
    shine = np.minimum(255.0, 1.35 * metal + 20)
    shaded = _blend(intact, 0.45 * intact, 0.8 * dark)
    return _round(_blend(shaded, shine, 0.9 * bright))


def _draw_scratches(
    crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Opacities of the strokes and of their flanks on the coin: float32 (n, n), 0..1."""
    edge_px = crop.shape[0] * OVERSAMPLING
    bright = np.zeros((edge_px, edge_px), np.uint8)
    dark = np.zeros((edge_px, edge_px), np.uint8)
    for _ in range(int(rng.integers(*SCRATCH_COUNT))):
        points_px = _draw_stroke(coin, rng)
        width_px = float(rng.uniform(*SCRATCH_WIDTH)) * coin.radius_px
        _draw_line(dark, points_px + 0.6 * width_px, width_px)
        _draw_line(bright, points_px, width_px)
    on_coin = _coin_mask(crop, coin)
    return _average_down(bright) * on_coin, _average_down(dark) * on_coin


def _draw_stroke(coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A slightly bent line over much of the coin: float (12, 2) of x, y in crop pixels."""
    start = _pick_point(coin, rng)
    end = _pick_point(coin, rng)
    along = np.linspace(0, 1, 12)[:, None]
    aside = np.array([start[1] - end[1], end[0] - start[0]]) * float(rng.normal(0, 0.08))
    return start + along * (end - start) + np.sin(np.pi * along) * aside


def _pick_point(coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A point on the coin, rarely near its centre."""
    distance_px = coin.radius_px * 0.9 * np.sqrt(rng.uniform(0.2, 1))
    return coin.centre_px + distance_px * _pick_direction(rng)


def _pick_direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _draw_line(mask: np.ndarray, points_px: np.ndarray, width_px: float) -> None:
    """Draws onto a mask OVERSAMPLING times too large; thin at its ends, as scratches are."""
    # Sixteenths of a pixel, as OpenCV's shift of 4 bits takes them.
    corners = np.rint(((points_px + 0.5) * OVERSAMPLING - 0.5) * 16).astype(int)
    for number, (start, end) in enumerate(pairwise(corners)):
        taper = np.sin(np.pi * (number + 1) / len(corners)) ** 0.5
        thickness = max(1, round(width_px * taper * OVERSAMPLING))
        cv2.line(mask, start.tolist(), end.tolist(), 255, thickness, cv2.LINE_AA, shift=4)


def drill(crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A crop with a round hole that shows the belt, partly in shadow, and a burr around it."""
    radius_px = float(rng.uniform(*HOLE_RADIUS)) * coin.radius_px
    reach_px = (0.92 * coin.radius_px - radius_px) * float(np.sqrt(rng.uniform(0, 1)))
    angle = float(rng.uniform(0, 2 * np.pi))
    x_px = coin.centre_px + reach_px * np.cos(angle)
    y_px = coin.centre_px + reach_px * np.sin(angle)
    hole = _disc_mask(crop, x_px, y_px, radius_px)
    burr = _disc_mask(crop, x_px, y_px, radius_px + 0.035 * coin.radius_px)
    # What the lamp at the upper left reaches of the belt below the coin.
    lit = _disc_mask(crop, x_px + 0.3 * radius_px, y_px + 0.3 * radius_px, radius_px)
    floor = _draw_belt(crop, coin, rng) * (0.55 + 0.45 * lit[..., None])
    shine = np.minimum(255.0, crop * 1.3 + 15)
    burred = _blend(crop.astype(np.float32), shine, burr)
    return _round(_blend(burred, floor, hole))


def clip(crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A crop with a piece cut off along a straight line, where the belt is seen instead."""
    depth = _chord_depth(float(rng.uniform(*CLIPPED_AREA)))
    angle = float(rng.uniform(0, 2 * np.pi))
    y, x = np.indices(crop.shape[:2], np.float32) - coin.centre_px
    beyond_px = np.cos(angle) * x + np.sin(angle) * y - depth * coin.radius_px
    # As far out as a crop shows anything.
    in_crop = np.hypot(x, y) <= RIM * coin.radius_px
    missing = np.clip(beyond_px + 0.5, 0, 1) * in_crop
    # On the side away from the lamp the cut throws a narrow shadow.
    is_shaded = float(np.cos(angle) + np.sin(angle) > 0)
    shadow = np.clip(1 - np.abs(beyond_px - 1.0) / 1.5, 0, 1) * is_shaded
    belt = _draw_belt(crop, coin, rng) * (1 - 0.3 * shadow[..., None])
    return _round(_blend(crop.astype(np.float32), belt, missing))


def _chord_depth(area: float) -> float:
    """Distance from the centre, in radii, of a cut that takes this share of a disc's area away."""
    depths = np.linspace(0, 1, 1001)
    segments = (np.arccos(depths) - depths * np.sqrt(1 - depths**2)) / np.pi
    return float(np.interp(-area, -segments, depths))


def paint(crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A crop with a blob of bright glossy paint, through which a little of the relief shows."""
    blob = _draw_blob(crop, coin, rng)
    colour = _pick_bright_colour(rng)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
    relief = np.clip(1 + 0.25 * (grey / max(1.0, float(grey.mean())) - 1), 0.85, 1.2)
    covered = np.clip(colour * relief + 0.4 * _draw_gloss(blob), 0, 255)
    return _round(_blend(crop.astype(np.float32), covered, PAINT_OPACITY * blob))


def _draw_blob(crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """Opacity of one rounded patch on the coin, a share of PAINTED_AREA of it: float32 (n, n)."""
    on_coin = _coin_mask(crop, coin)
    direction = _pick_direction(rng)
    centre = coin.centre_px + 0.55 * coin.radius_px * direction * np.sqrt(rng.uniform(0, 1))
    y, x = np.indices(crop.shape[:2], np.float32)
    distance = np.hypot(x - centre[0], y - centre[1]) / coin.radius_px
    height = 0.5 * _draw_clouds(crop, rng, 6) - distance
    level = np.quantile(height[on_coin > 0.5], 1 - float(rng.uniform(*PAINTED_AREA)))
    steepness = max(1e-6, float(np.median(np.hypot(*np.gradient(height)))))
    edge = np.clip((height - level) / steepness + 0.5, 0, 1)
    return (edge * on_coin).astype(np.float32)


def _pick_bright_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour of any hue, bright and saturated: float32 (3,), RGB 0..255."""
    hue = rng.integers(0, 180)  # in units of two degrees, as OpenCV has them
    saturation = rng.integers(205, 256)
    value = rng.integers(170, 245)
    hsv = np.array([[[hue, saturation, value]]]).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def _draw_gloss(blob: np.ndarray) -> np.ndarray:
    """Grey levels that the middle of a blob of paint is brighter by: float32 (n, n, 1)."""
    fine = cv2.resize(blob, None, fx=OVERSAMPLING, fy=OVERSAMPLING)
    smooth = _average_down(cv2.GaussianBlur(fine, (0, 0), 2 * OVERSAMPLING))
    return 70 * smooth[..., None] ** 6


def tarnish(crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A crop whose whole coin is dark and greenish brown, unevenly."""
    clouds = 0.3 + 0.7 * _draw_clouds(crop, rng, 4) ** 0.7
    darkest = np.array(TARNISH_RGB, np.float32) * float(rng.uniform(0.7, 1.1))
    remaining = 1 - clouds[..., None] * (1 - darkest)
    dull = cv2.GaussianBlur(crop, (0, 0), 0.6).astype(np.float32)
    return _round(_blend(crop.astype(np.float32), dull * remaining, _coin_mask(crop, coin)))


#: Every kind of damage, by the name that figures have it under.
KINDS: dict[str, Callable[[np.ndarray, CoinPlacement, np.random.Generator], np.ndarray]] = {
    "scratched": scratch,
    "drilled": drill,
    "clipped": clip,
    "painted": paint,
    "tarnished": tarnish,
}


def _average_down(fine: np.ndarray) -> np.ndarray:
    """A mask drawn OVERSAMPLING times too large at the crop's size: float32, 0..1.

    A uint8 mask is taken to range from 0 to 255, any other from 0 to 1.
    """
    scale = 1 / OVERSAMPLING
    small = cv2.resize(fine, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small.astype(np.float32)
    return small / 255 if fine.dtype == np.uint8 else small


def _disc_mask(crop: np.ndarray, x_px: float, y_px: float, radius_px: float) -> np.ndarray:
    """1 inside, 0 outside, in between on the edge: float32 (n, n)."""
    y, x = np.indices(crop.shape[:2], np.float32)
    return np.clip(radius_px - np.hypot(x - x_px, y - y_px) + 0.5, 0, 1)


def _coin_mask(crop: np.ndarray, coin: CoinPlacement, share: float = 1.0) -> np.ndarray:
    """The disc within a share of the coin's radius: float32 (n, n), 0..1."""
    return _disc_mask(crop, coin.centre_px, coin.centre_px, share * coin.radius_px)


def _coin_pixels(crop: np.ndarray, coin: CoinPlacement) -> np.ndarray:
    return crop[_coin_mask(crop, coin, 0.95) > 0.5].astype(np.float32)


def _draw_belt(crop: np.ndarray, coin: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A patch of the belt as large as the crop: float32 (n, n, 3), 0..255."""
    noise = rng.normal(0, 1, crop.shape[:2]).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.8)
    # The blur takes about half of the noise away.
    return np.array(coin.belt_rgb, np.float32) + BELT_NOISE * 2 * noise[..., None]


def _draw_clouds(crop: np.ndarray, rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth unevenness: float32 (n, n), 0..1."""
    coarse = _draw_cells(crop, rng, cells)
    fine = _draw_cells(crop, rng, 3 * cells)
    clouds = 0.75 * coarse + 0.25 * fine
    return (clouds - clouds.min()) / max(1e-6, float(clouds.max() - clouds.min()))


def _draw_cells(crop: np.ndarray, rng: np.random.Generator, cells: int) -> np.ndarray:
    edge_px = crop.shape[0]
    values = rng.random((cells, cells), np.float32)
    return cv2.resize(values, (edge_px, edge_px), interpolation=cv2.INTER_CUBIC)


def _blend(under: np.ndarray, over: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return under + opacity[..., None] * (over - under)


def _round(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
