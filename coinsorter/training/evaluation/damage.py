"""Damage drawn onto pictures of genuine coins: synthetic, for want of a drawer full of spoilt ones. Does the anomaly score notice?

Shapes are drawn finer than the crop and averaged down, so that their edges are those of a photograph. What is missing of a coin shows the
belt, in the crop's own corrected light.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from coinsorter.training.evaluation import metrics
from coinsorter.training.evaluation.metrics import Proportion
from coinsorter.training.evaluation.predictions import Prediction, Predictor
from coinsorter.vision.crop import RIM, CropSpec, gamma_lut, inverse_gamma_lut

FINER = 4
SEED = 2024
SCRATCHES = 1, 5  # how many, the latter excluded
SCRATCH_WIDTH = 0.025, 0.06  # of the radius
HOLE_RADIUS = 0.09, 0.24  # of the radius
CLIPPED_AREA = 0.05, 0.20  # of the coin's
PAINTED_AREA = 0.08, 0.30
PAINT_COVERS = 0.88  # what shines through is the relief's light and shadow
BELT_NOISE = 2.5  # grey levels
TARNISH_RGB = 0.46, 0.47, 0.30  # what is left of each colour where it is worst: a greenish brown


@dataclass(frozen=True)
class CoinPlacement:
    """Where the coin is in a crop: its middle and radius in pixels, both axes alike; and the belt's colour there, RGB 0..255."""

    middle_px: float
    radius_px: float
    belt: tuple[float, float, float]

    @classmethod
    def of(cls, spec: CropSpec, diameter_mm: float | None) -> "CoinPlacement":
        share = 1.0 if diameter_mm is None else spec.share(diameter_mm)
        return cls((spec.size_px - 1) / 2, share * spec.size_px / 2 / spec.margin, spec.surround)


@dataclass(frozen=True)
class DamageMetrics:
    """One kind of damage, drawn on every coin.

    auroc: that a damaged coin's anomaly score is above an intact one's. rejected: by the machine, whatever the reason.
    """

    auroc: float | None
    rejected: Proportion


@dataclass(frozen=True, eq=False)
class DamageStudy:
    """synthetic: always True; these coins were damaged with a brush. kinds: by name, "all" together at the end.

    intact_rejected: of the same coins as they are. examples: by kind, the first crops as they were and as they became, uint8 (k, n, n, 3) each.
    """

    synthetic: bool
    intact_rejected: Proportion
    kinds: dict[str, DamageMetrics]
    examples: dict[str, tuple[np.ndarray, np.ndarray]]


def study(
    judge: Predictor,
    records: Sequence[Prediction],
    progress: Callable[[int], None],
    examples: int = 8,
) -> DamageStudy:
    """Of genuine coins found in their pictures; the diameter is taken to be the undamaged coin's."""
    scores, rejected, shown = {}, {}, {}
    picked = np.unique(
        np.linspace(0, len(records) - 1, min(examples, len(records))).astype(int)
    ).tolist()
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([SEED, number])
        crops = [damaged(kind, r.crop, judge.models.crop, r.diameter_mm, rng) for r in records]
        judged = [
            judge.coin(r.path, r.label, crop, r.diameter_mm) for r, crop in zip(records, crops)
        ]
        scores[kind], rejected[kind] = (
            [j.anomaly for j in judged],
            sum(not j.accepted for j in judged),
        )
        shown[kind] = (
            np.stack([records[i].crop for i in picked]),
            np.stack([crops[i] for i in picked]),
        )
        progress(number + 1)
    as_they_were = [
        judge.coin(r.path, r.label, r.crop, r.diameter_mm) for r in records
    ]  # their outlines are not asked either
    intact = [j.anomaly for j in as_they_were]
    kinds = {
        kind: DamageMetrics(
            metrics.auroc(intact, scores[kind]), Proportion.counted(rejected[kind], len(records))
        )
        for kind in KINDS
    }
    together = [score for kind in KINDS for score in scores[kind]]
    kinds["all"] = DamageMetrics(
        metrics.auroc(intact, together), Proportion.counted(sum(rejected.values()), len(together))
    )
    return DamageStudy(
        True,
        Proportion.counted(sum(not j.accepted for j in as_they_were), len(records)),
        kinds,
        shown,
    )


def damaged(
    kind: str, crop: np.ndarray, spec: CropSpec, diameter_mm: float | None, rng: np.random.Generator
) -> np.ndarray:
    """A crop, uint8 (n, n, 3), with damage of one of KINDS, drawn in the light as it was before the crop's gamma; the rest is as it was."""
    was = cv2.LUT(crop, inverse_gamma_lut(spec.gamma))
    drawn = KINDS[kind](was, CoinPlacement.of(spec, diameter_mm), rng)
    return np.where(
        (drawn != was).any(axis=2, keepdims=True), cv2.LUT(drawn, gamma_lut(spec.gamma)), crop
    )


def scratched(crop: np.ndarray, place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """Long strokes to the bright metal, each with a dark flank."""
    bright, dark = _blank(crop), _blank(crop)
    for _ in range(int(rng.integers(*SCRATCHES))):
        points, width = _stroke(place, rng), float(rng.uniform(*SCRATCH_WIDTH)) * place.radius_px
        _draw_line(dark, points + 0.6 * width, width)
        _draw_line(bright, points, width)
    gleam = np.minimum(255.0, 1.35 * np.percentile(_coin_pixels(crop, place), 94, axis=0) + 20)
    shadowed = _laid(
        crop.astype(np.float32), 0.45 * crop.astype(np.float32), 0.8 * _on_coin(_down(dark), place)
    )
    return _rounded(_laid(shadowed, gleam, 0.9 * _on_coin(_down(bright), place)))


def drilled(crop: np.ndarray, place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A round hole through which the belt is seen, its near edge in shadow, with a burr that catches the light."""
    radius = float(rng.uniform(*HOLE_RADIUS)) * place.radius_px
    reach, angle = (
        (0.92 * place.radius_px - radius) * float(np.sqrt(rng.uniform(0, 1))),
        float(rng.uniform(0, 2 * np.pi)),
    )
    x, y = place.middle_px + reach * np.cos(angle), place.middle_px + reach * np.sin(angle)
    hole, burr = _circle(crop, x, y, radius), _circle(crop, x, y, radius + 0.035 * place.radius_px)
    lit = _circle(
        crop, x + 0.3 * radius, y + 0.3 * radius, radius
    )  # what the lamp at the upper left reaches of the belt below
    floor = _belt(crop, place, rng) * (0.55 + 0.45 * lit[..., None])
    gleaming = _laid(crop.astype(np.float32), np.minimum(255.0, crop * 1.3 + 15), burr)
    return _rounded(_laid(gleaming, floor, hole))


def clipped(crop: np.ndarray, place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A piece cut off along a straight line; the belt is where it was."""
    depth = _chord(float(rng.uniform(*CLIPPED_AREA)))
    angle = float(rng.uniform(0, 2 * np.pi))
    yy, xx = np.indices(crop.shape[:2], np.float32) - place.middle_px
    beyond = (
        np.cos(angle) * xx + np.sin(angle) * yy - depth * place.radius_px
    )  # pixels beyond the cut
    gone = np.clip(beyond + 0.5, 0, 1) * (
        np.hypot(xx, yy) <= RIM * place.radius_px
    )  # as far as crops show anything
    shadow = np.clip(1 - np.abs(beyond - 1.0) / 1.5, 0, 1) * float(
        np.cos(angle) + np.sin(angle) > 0
    )  # away from the lamp
    return _rounded(
        _laid(
            crop.astype(np.float32), _belt(crop, place, rng) * (1 - 0.3 * shadow[..., None]), gone
        )
    )


def painted(crop: np.ndarray, place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A blob of bright paint that lets a little of the relief through, and glistens."""
    blob = _blob(crop, place, rng)
    bright = np.uint8(
        [[[rng.integers(0, 180), rng.integers(205, 256), rng.integers(170, 245)]]]
    )  # hue in half degrees, saturation, value
    colour = cv2.cvtColor(bright, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
    relief = np.clip(1 + 0.25 * (grey / max(1.0, float(grey.mean())) - 1), 0.85, 1.2)
    gloss = (
        70
        * _down(cv2.GaussianBlur(cv2.resize(blob, None, fx=FINER, fy=FINER), (0, 0), 2 * FINER))[
            ..., None
        ]
        ** 6
    )
    return _rounded(
        _laid(
            crop.astype(np.float32),
            np.clip(colour * relief + 0.4 * gloss, 0, 255),
            PAINT_COVERS * blob,
        )
    )


def tarnished(crop: np.ndarray, place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """All of the coin gone dark and greenish brown, here more and there less."""
    clouds = 0.3 + 0.7 * _clouds(crop, rng, 4) ** 0.7
    left = 1 - clouds[..., None] * (
        1 - np.array(TARNISH_RGB, np.float32) * float(rng.uniform(0.7, 1.1))
    )
    dull = cv2.GaussianBlur(crop, (0, 0), 0.6).astype(np.float32)
    return _rounded(_laid(crop.astype(np.float32), dull * left, _within(crop, place, 1.0)))


KINDS: dict[str, Callable[[np.ndarray, CoinPlacement, np.random.Generator], np.ndarray]] = {
    "scratched": scratched,
    "drilled": drilled,
    "clipped": clipped,
    "painted": painted,
    "tarnished": tarnished,
}


def _blank(crop: np.ndarray) -> np.ndarray:
    return np.zeros((crop.shape[0] * FINER, crop.shape[1] * FINER), np.uint8)


def _down(fine: np.ndarray) -> np.ndarray:
    """A mask drawn FINER times too large, 0..255 or 0..1, as float32 at the crop's size, 0..1."""
    small = cv2.resize(fine, None, fx=1 / FINER, fy=1 / FINER, interpolation=cv2.INTER_AREA).astype(
        np.float32
    )
    return small / 255 if fine.dtype == np.uint8 else small


def _circle(crop: np.ndarray, x_px: float, y_px: float, radius_px: float) -> np.ndarray:
    """1 inside, 0 outside, in between on the edge: float32 (n, n)."""
    yy, xx = np.indices(crop.shape[:2], np.float32)
    return np.clip(radius_px - np.hypot(xx - x_px, yy - y_px) + 0.5, 0, 1)


def _within(crop: np.ndarray, place: CoinPlacement, share: float) -> np.ndarray:
    return _circle(crop, place.middle_px, place.middle_px, share * place.radius_px)


def _on_coin(mask: np.ndarray, place: CoinPlacement) -> np.ndarray:
    return mask * _within(mask, place, 1.0)


def _laid(under: np.ndarray, over: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return under + cover[..., None] * (over - under)


def _rounded(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _belt(crop: np.ndarray, place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.normal(0, 1, crop.shape[:2]).astype(np.float32), (0, 0), 0.8)
    return np.array(place.belt, np.float32) + BELT_NOISE * 2 * noise[..., None]


def _coin_pixels(crop: np.ndarray, place: CoinPlacement) -> np.ndarray:
    return crop[_within(crop, place, 0.95) > 0.5].astype(np.float32)


def _stroke(place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """A slightly bent line over much of the coin: float (12, 2) of x, y in crop pixels."""
    start, end = (
        place.middle_px + place.radius_px * 0.9 * np.sqrt(rng.uniform(0.2, 1)) * _direction(rng)
        for _ in range(2)
    )
    t = np.linspace(0, 1, 12)[:, None]
    aside = np.array([start[1] - end[1], end[0] - start[0]]) * float(rng.normal(0, 0.08))
    return start + t * (end - start) + np.sin(np.pi * t) * aside


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _draw_line(fine: np.ndarray, points_px: np.ndarray, width_px: float) -> None:
    """Thin at its ends, as scratches are."""
    places = np.rint(((points_px + 0.5) * FINER - 0.5) * 16).astype(int)
    for number, (a, b) in enumerate(zip(places, places[1:])):
        taper = np.sin(np.pi * (number + 1) / len(places)) ** 0.5
        cv2.line(
            fine,
            a.tolist(),
            b.tolist(),
            255,
            max(1, round(width_px * taper * FINER)),
            cv2.LINE_AA,
            shift=4,
        )


def _chord(area: float) -> float:
    """How far from the middle, in radii, the cut runs that takes this share of a disc's area away."""
    depths = np.linspace(0, 1, 1001)
    segments = (np.arccos(depths) - depths * np.sqrt(1 - depths**2)) / np.pi
    return float(np.interp(-area, -segments, depths))


def _clouds(crop: np.ndarray, rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth unevenness, float32 (n, n), 0..1."""
    size = crop.shape[0]
    coarse = cv2.resize(
        rng.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_CUBIC
    )
    fine = cv2.resize(
        rng.random((3 * cells, 3 * cells), np.float32), (size, size), interpolation=cv2.INTER_CUBIC
    )
    both = 0.75 * coarse + 0.25 * fine
    return (both - both.min()) / max(1e-6, float(both.max() - both.min()))


def _blob(crop: np.ndarray, place: CoinPlacement, rng: np.random.Generator) -> np.ndarray:
    """One rounded patch somewhere on the coin, of a share of its area between PAINTED_AREA: float32 (n, n)."""
    on_coin, middle = (
        _within(crop, place, 1.0),
        place.middle_px + 0.55 * place.radius_px * _direction(rng) * np.sqrt(rng.uniform(0, 1)),
    )
    yy, xx = np.indices(crop.shape[:2], np.float32)
    height = (
        0.5 * _clouds(crop, rng, 6) - np.hypot(xx - middle[0], yy - middle[1]) / place.radius_px
    )
    level = np.quantile(height[on_coin > 0.5], 1 - float(rng.uniform(*PAINTED_AREA)))
    steep = max(1e-6, float(np.median(np.hypot(*np.gradient(height)))))
    return (np.clip((height - level) / steep + 0.5, 0, 1) * on_coin).astype(np.float32)
