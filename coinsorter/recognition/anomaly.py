"""How unlike a genuine coin of its label a coin looks: one score out of four kinds of evidence.

Each part is measured against genuine held-out coins of the label, in their own robust standard
deviations. One coin and a table of coins are scored by the same function.
"""

from math import inf, isnan, log
from typing import NamedTuple

import cv2
import numpy as np

from coinsorter.recognition.bundle import AnomalyScale, Fusion, RobustStats

#: Share of the defect detector's map whose mean is its answer: 8 of 32 x 32 pixels. A scratch is on
#: few of them, a stain on many.
DEFECT_SHARE = 8 / 1024
#: Mahalanobis distance that shorter ones are taken for: a distance of 0 has no logarithm.
MIN_DISTANCE = 1e-6


class AnomalyParts(NamedTuple):
    """The evidence on a coin that is taken for one label; see `Evidence` for the units."""

    reconstruction_error: float
    similarity: float
    defect_logit: float
    distance: float


def score_anomaly(parts: AnomalyParts, scale: AnomalyScale, fusion: Fusion) -> float:
    """The anomaly score, in robust standard deviations of genuine coins; inf where a part is NaN.

    The weighted sum of four distances from genuine coins of the label: of the logarithm of the
    autoencoder's error (in either direction: a blank coin is copied too well), of the relief's
    similarity where it is less, of the defect logit where it is more, and of the logarithm of the
    embedding's distance where it is more. What looks better than usual in one part makes up for
    nothing in another. Parts that the bundle does not weigh are not looked at.
    """
    if not parts.reconstruction_error > 0:
        return inf
    log_error = log(parts.reconstruction_error)
    z_error = _standardise(log_error, scale)
    total = fusion.reconstruction_weight * abs(z_error)
    if fusion.similarity_weight and scale.similarity:
        z_similarity = _standardise(parts.similarity, scale.similarity)
        total += fusion.similarity_weight * _clip_below(-z_similarity)
    if fusion.defect_weight and scale.defect:
        z_defect = _standardise(parts.defect_logit, scale.defect)
        total += fusion.defect_weight * _clip_below(z_defect)
    if fusion.distance_weight and scale.distance:
        z_distance = _standardise(log_distance(parts.distance), scale.distance)
        total += fusion.distance_weight * _clip_below(z_distance)
    score = _standardise(total, scale.combined) if scale.combined else total
    return inf if isnan(score) else score


def score_anomaly_array(
    reconstruction_errors: np.ndarray,
    similarities: np.ndarray,
    defect_logits: np.ndarray,
    distances: np.ndarray,
    scale: AnomalyScale,
    fusion: Fusion,
) -> np.ndarray:
    """The anomaly scores of n coins that are all taken for one label: float64 (n,).

    All arrays: (n,), the fields of `AnomalyParts`.
    """
    columns = (reconstruction_errors, similarities, defect_logits, distances)
    rows = zip(*(column.tolist() for column in columns))
    coins = (AnomalyParts(*row) for row in rows)
    scores = [score_anomaly(coin, scale, fusion) for coin in coins]
    return np.array(scores)


def log_distance(distance: float) -> float:
    """The logarithm of an embedding's distance, at least that of MIN_DISTANCE; NaN of NaN."""
    return log(max(distance, MIN_DISTANCE))


def count_worst_pixels(count: int) -> int:
    """How many of a defect map's `count` pixels its answer is the mean of: at least one."""
    return max(1, round(DEFECT_SHARE * count))


def halve(crop: np.ndarray) -> np.ndarray:
    """A crop at half its size, uint8 (n / 2, n / 2, 3): what the autoencoder has to reproduce."""
    return cv2.resize(crop, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _standardise(value: float, genuine: RobustStats) -> float:
    return (value - genuine.median) / genuine.mad_std


def _clip_below(z: float) -> float:
    """The value, or 0 where it is negative; NaN stays NaN."""
    return z if not z <= 0.0 else 0.0
