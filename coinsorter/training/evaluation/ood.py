"""How surely things that are none of the bundle's coins are told from genuine ones: everything that is known of each, in one score.

Fisher's method (Statistical Methods for Research Workers, 1925): the sum, over independent pieces of evidence, of the negative logarithm of
the probability that a genuine coin looks as odd or odder. The classifier's doubt by pictures alone is such a probability already; the anomaly score
and the diameter's distance from its label's, both in spreads, have the heavy tails of a Student-t distribution.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, log

from scipy.stats import t as student

from coinsorter.recognition.bundle import Bundle
from coinsorter.training.evaluation import metrics
from coinsorter.training.evaluation.predictions import Prediction, Predictor

LEAST = 1e-12  # no probability is taken for smaller: beyond, logarithms say nothing


@dataclass(frozen=True)
class OodMetrics:
    """Areas under the ROC curve of the fused score, by foreign folder and "all": with the diameter, None where it is not known, and without."""

    with_diameter: dict[str, float | None]
    without_diameter: dict[str, float | None]


def study(
    judge: Predictor, records: Sequence[Prediction], progress: Callable[[int], None]
) -> OodMetrics:
    """Of genuine coins and foreign things that were found in their pictures."""
    by_looks = []
    for done, record in enumerate(records, 1):
        by_looks.append(
            replace(judge.coin(record.path, record.label, record.crop, None), diameter_mm=None)
        )
        progress(done)
    measured = all(record.diameter_mm is not None for record in records)
    return OodMetrics(
        _areas(judge.models, records) if measured else {}, _areas(judge.models, by_looks)
    )


def score(models: Bundle, record: Prediction) -> float:
    """How little a thing is like a genuine coin of the label that it is likeliest: 0 is not at all odd."""
    degrees_of_freedom = models.manifest.fusion.degrees_of_freedom
    odd = -log(max(record.image_confidence, LEAST)) + _oddness(record.anomaly, degrees_of_freedom)
    if record.diameter_mm is not None:
        off = (
            record.diameter_mm / models.labels[record.predicted].diameter_mm - 1
        ) / models.manifest.fusion.diameter_std
        odd += _oddness(abs(off), degrees_of_freedom)
    return odd


def _oddness(spreads: float, degrees_of_freedom: float) -> float:
    return (
        -log(max(float(student.sf(spreads, degrees_of_freedom)), LEAST))
        if spreads < inf
        else -log(LEAST)
    )


def _areas(models: Bundle, records: Sequence[Prediction]) -> dict[str, float | None]:
    genuine = [score(models, record) for record in records if record.label in models.labels]
    folders: dict[str, list[float]] = {}
    for record in records:
        if record.label is not None and record.label not in models.labels:
            folders.setdefault(record.label, []).append(score(models, record))
    every = {"all": [value for values in folders.values() for value in values]}
    return {name: metrics.auroc(genuine, values) for name, values in (folders | every).items()}
