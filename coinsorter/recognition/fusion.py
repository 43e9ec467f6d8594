"""Images, relief and diameter of a coin -> one probability for every label, by Bayes' rule.

The last class, "none of these", has no diameter of its own: any is equally likely. One coin is a
list of plain numbers; a table of held-out coins is fused by the same functions, row by row.
"""

from collections.abc import Sequence
from math import exp, hypot, isnan, lgamma, log, log1p, pi
from typing import NamedTuple

import numpy as np

from coinsorter.recognition.bundle import Fusion
from coinsorter.recognition.relief import compute_relief_logits

#: Width of the range of relative diameters that a foreign object may have, all equally likely:
#: some 35 % either way of the labels' own.
FOREIGN_DIAMETER_RANGE = 0.7


class LogPosteriors(NamedTuple):
    """Log probabilities of every label and, last, of "none of these".

    image: from the images alone.
    fused: with the diameter too; the same as `image` where the diameter is unknown.
    """

    image: list[float]
    fused: list[float]


def combine_logits(
    logits: np.ndarray, similarities: np.ndarray, gate_logits: np.ndarray, fusion: Fusion
) -> np.ndarray:
    """The classifier's logits with the shares of reliefs and gate: float32 (..., labels + 1).

    logits: float32 (..., labels + 1). similarities, gate_logits: float32 (..., labels), see
    `Evidence`. Each source is independent evidence, and counts for its weight in `Fusion`.
    """
    if fusion.relief_weight:
        logits = logits + fusion.relief_weight * compute_relief_logits(similarities)
    if fusion.gate_weight:
        no_label = np.zeros_like(logits[..., -1:])
        logits = logits + fusion.gate_weight * np.concatenate([gate_logits, no_label], axis=-1)
    return logits


def close_set(logits: np.ndarray) -> np.ndarray:
    """Logits (..., labels + 1) in which "none of these" cannot be: a gate answers for it."""
    closed = np.array(logits, np.float32)
    closed[..., -1] = -np.inf
    return closed


def compute_log_posteriors(
    logits: Sequence[float],
    diameter_mm: float,
    scale_sem: float,
    nominal_mm: Sequence[float],
    fusion: Fusion,
) -> LogPosteriors:
    """The log posteriors of one coin.

    logits: of every label and "none of these", relief included.
    diameter_mm: as measured; NaN where it is unknown.
    scale_sem: relative standard error of the view's scale where the coin lay.
    nominal_mm: the labels' diameters.
    """
    image = log_softmax([logit / fusion.temperature for logit in logits])
    if isnan(diameter_mm):
        return LogPosteriors(image, image)
    likelihoods = compute_diameter_log_likelihoods(diameter_mm, nominal_mm, fusion, scale_sem)
    weight = fusion.diameter_weight
    weighted = [log_p + weight * likely for log_p, likely in zip(image, likelihoods)]
    return LogPosteriors(image, log_softmax(weighted))


def compute_log_posterior_array(
    logits: np.ndarray,
    diameters_mm: np.ndarray,
    scale_sems: np.ndarray,
    nominal_mm: Sequence[float],
    fusion: Fusion,
) -> np.ndarray:
    """The fused log posteriors of n coins, float64 (n, labels + 1), each as of one coin.

    logits: (n, labels + 1). diameters_mm, scale_sems: (n,). See `compute_log_posteriors`.
    """
    coins = zip(logits.tolist(), diameters_mm.tolist(), scale_sems.tolist())
    rows = []
    for own_logits, diameter_mm, sem in coins:
        posteriors = compute_log_posteriors(own_logits, diameter_mm, sem, nominal_mm, fusion)
        rows.append(posteriors.fused)
    return np.array(rows).reshape(logits.shape)


def compute_diameter_log_likelihoods(
    diameter_mm: float, nominal_mm: Sequence[float], fusion: Fusion, scale_sem: float = 0.0
) -> list[float]:
    """Log likelihoods of a measured diameter under each label and, last, under "none of these".

    A label's is Student's t about its nominal diameter; its scale is the coins' own scatter and
    the view's scale error together. Under "none of these" it is flat.
    """
    scale = hypot(fusion.diameter_std, scale_sem)
    freedom = fusion.degrees_of_freedom
    power = (freedom + 1) / 2
    peak = lgamma(power) - lgamma(freedom / 2) - 0.5 * log(freedom * pi) - log(scale)
    likelihoods = []
    for nominal in nominal_mm:
        error = diameter_mm / nominal - 1
        z = error / scale
        likelihoods.append(peak - power * log1p(z * z / freedom))
    none_of_these = -log(FOREIGN_DIAMETER_RANGE)
    return [*likelihoods, none_of_these]


def log_softmax(values: Sequence[float]) -> list[float]:
    """The logarithms of the softmax of some values.

    In plain Python: for the few numbers of a coin it takes a third of NumPy's time.
    """
    top = max(values)
    shares = (exp(value - top) for value in values)
    total = top + log(sum(shares))
    return [value - total for value in values]
