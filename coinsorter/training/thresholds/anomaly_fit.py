"""Held-out coins -> what genuine coins of each label are like in every part of the anomaly score.

Each part weighs less the further genuine coins of all labels stray in it: inversely to what all but
a share of them stay within. So no part in which a few genuine coins are odd drowns the others, and
the foreign objects to come need not be known. Weights learnt from simulated and damaged ones let
in two to four times as many euro coins (euro-crops-64/train, against held-out coins of
brl-frames/day1). Did the defect detector count four times, the AUROC of scratches on
brl-frames/day2 would be 0.86 in place of 0.82, and 96.1 % of its coins accepted, not 97.2 %.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from coinsorter.recognition.anomaly import MIN_DISTANCE, score_anomaly_array
from coinsorter.recognition.bundle import AnomalyScale, Fusion, Label, RobustStats
from coinsorter.robust import mad_std
from coinsorter.training.thresholds.heldout import HeldOut

#: The weights of the parts, by their names in `Fusion`; all but the first may be missing.
WEIGHTS = ("reconstruction_weight", "similarity_weight", "defect_weight", "distance_weight")
#: Robust standard deviations: most coins of any distribution lie nearer than that.
MIN_REACH = 1.0
#: Least standard deviation of a part, in its own units: equal coins have none.
MIN_STD = 1e-4


def assign_labels(held: HeldOut, labels: Sequence[Label], fusion: Fusion) -> HeldOut:
    """The same with the reliefs' share in the logits, and a label for every foreign object.

    A foreign object gets the label that its images alone are taken for.
    """
    weighed = held.combine(fusion)
    likeliest = weighed.logits[:, :-1].argmax(axis=1)
    return replace(weighed, labels=np.where(held.labels < 0, likeliest, held.labels))


def fit_anomaly(
    held: HeldOut, labels: Sequence[Label], fusion: Fusion, share: float
) -> tuple[dict[str, AnomalyScale], Fusion]:
    """The anomaly scale of each label, and the fusion with the weights of the score's parts.

    share: of genuine coins that may lie beyond a part's reach.
    """
    scales = {
        label.name: _measure_parts(held.select_label(number), number)
        for number, label in enumerate(labels)
    }
    fusion = fusion.model_copy(update=_fit_weights(held, labels, scales, share))
    for number, label in enumerate(labels):
        scale = scales[label.name]
        combined = score_label(held.select_label(number), number, scale, fusion)
        update = {"combined": _measure(combined)}
        scales[label.name] = scale.model_copy(update=update)
    return scales, fusion


def score_label(held: HeldOut, label: int, scale: AnomalyScale, fusion: Fusion) -> np.ndarray:
    """The anomaly scores of coins that are all taken for one label: float (n,)."""
    return score_anomaly_array(
        held.reconstruction_errors,
        held.similarities[:, label],
        held.defect_logits,
        held.distances[:, label],
        scale,
        fusion,
    )


def score_taken_for(
    held: HeldOut,
    taken_for: np.ndarray,
    labels: Sequence[Label],
    scales: dict[str, AnomalyScale],
    fusion: Fusion,
) -> np.ndarray:
    """The anomaly scores of coins, each as of the label that it is taken for: float (n,).

    taken_for: int (n,), the labels' places.
    """
    scores = np.empty(len(held))
    for number, label in enumerate(labels):
        scale = scales[label.name]
        places = np.flatnonzero(taken_for == number)
        own = held.select(places)
        scores[places] = score_label(own, number, scale, fusion)
    return scores


def find_reach(share: float, values: np.ndarray) -> float:
    """What all but a share of some values are at most; 0 of none."""
    return float(np.quantile(values, 1 - share)) if len(values) else 0.0


def _measure_parts(own: HeldOut, label: int) -> AnomalyScale:
    errors = _measure(np.log(own.reconstruction_errors))
    similarity = defect = distance = None
    if own.similarities.any():
        similarities = own.similarities[:, label]
        similarity = _measure(similarities)
    if own.defect_logits.any():
        defect = _measure(own.defect_logits)
    if own.distances.any():
        distances = np.maximum(own.distances[:, label], MIN_DISTANCE)
        distance = _measure(np.log(distances))
    return AnomalyScale(
        median=errors.median,
        mad_std=errors.mad_std,
        similarity=similarity,
        defect=defect,
        distance=distance,
    )


def _measure(values: np.ndarray) -> RobustStats:
    median = float(np.median(values))
    std = round(mad_std(values), 5)
    return RobustStats(median=round(median, 5), mad_std=max(MIN_STD, std))


def _fit_weights(
    held: HeldOut, labels: Sequence[Label], scales: dict[str, AnomalyScale], share: float
) -> dict[str, float]:
    """Of the parts that exist, by their names in `Fusion`; their sum is 1."""
    weights = {}
    for name in WEIGHTS:
        alone = _weigh_alone(name)
        scores = score_taken_for(held, held.labels, labels, scales, alone)
        reach = find_reach(share, scores)
        weights[name] = _has_part(name, scales) / max(reach, MIN_REACH)
    total = sum(weights.values())
    return {name: round(weight / total, 4) for name, weight in weights.items()}


def _weigh_alone(name: str) -> Fusion:
    """A fusion in which only one part of the anomaly score counts."""
    weights = {"reconstruction_weight": 0.0} | {name: 1.0}
    return Fusion(temperature=1, diameter_std=0.1, degrees_of_freedom=1, **weights)


def _has_part(name: str, scales: dict[str, AnomalyScale]) -> bool:
    if name == "reconstruction_weight":
        return True
    part = name.removesuffix("_weight")
    return any(getattr(scale, part) for scale in scales.values())
