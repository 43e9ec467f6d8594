"""How well one score of all evidence distinguishes foreign objects from genuine coins.

Fisher's method (Statistical Methods for Research Workers, 1925): the sum, over independent pieces
of evidence, of the negative logarithm of the probability that a genuine coin looks as unusual or
more. One minus the classifier's confidence by the image alone is such evidence already, and so is
the probability that the gate gives to its being none of the coins. The
anomaly score and the diameter's distance from nominal, both in standard deviations, have the
heavy tails of a Student-t distribution.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log, log1p

from coinsorter.recognition.bundle import Bundle
from coinsorter.training.evaluation.metrics import compute_auroc
from coinsorter.training.evaluation.predictions import (
    JOBS_PER_PROCESS,
    Prediction,
    Predictor,
    select_foreign,
    select_genuine,
    split_predictions,
)
from coinsorter.training.parallel import HERE, Workers

#: Smaller probabilities are taken for this: so far out, no distribution here is known.
MIN_PROBABILITY = 1e-12
#: The name that all foreign folders together have among the figures.
ALL_FOLDERS = "all"


@dataclass(frozen=True)
class OodMetrics:
    """AUROC of the fused score, by foreign folder and for "all" of them.

    with_diameter: empty where diameters are not known.
    """

    with_diameter: dict[str, float | None]
    without_diameter: dict[str, float | None]


def measure_ood(
    predictor: Predictor,
    predictions: Sequence[Prediction],
    report_progress: Callable[[int], None],
    workers: Workers = HERE,
) -> OodMetrics:
    """Figures of genuine coins and foreign objects that were found in their images.

    workers: share these.
    """
    jobs = [_Job(predictor, part) for part in split_predictions(predictions)]
    by_looks: list[Prediction] = []
    for own in workers.run(_predict_by_looks, jobs, JOBS_PER_PROCESS):
        by_looks.extend(own)
        report_progress(len(by_looks))
    have_diameters = all(p.diameter_mm is not None for p in predictions)
    return OodMetrics(
        _compute_areas(predictor.bundle, predictions) if have_diameters else {},
        _compute_areas(predictor.bundle, by_looks),
    )


@dataclass(frozen=True, eq=False)
class _Job:
    """Some coins and objects to look at again, as another process may do it."""

    predictor: Predictor
    predictions: Sequence[Prediction]


def _predict_by_looks(job: _Job) -> list[Prediction]:
    """The predictions of the same crops where their diameters are not known."""
    predict = job.predictor.predict_crop
    return [predict(own.path, own.label, own.crop, None) for own in job.predictions]


def _compute_areas(bundle: Bundle, predictions: Iterable[Prediction]) -> dict[str, float | None]:
    predictions = list(predictions)
    genuine = [compute_ood_score(bundle, p) for p in select_genuine(predictions, bundle.labels)]
    folders: dict[str, list[float]] = {}
    for prediction in select_foreign(predictions, bundle.labels):
        score = compute_ood_score(bundle, prediction)
        folders.setdefault(str(prediction.label), []).append(score)
    every = [score for scores in folders.values() for score in scores]
    return {
        name: compute_auroc(genuine, scores)
        for name, scores in (folders | {ALL_FOLDERS: every}).items()
    }


def compute_ood_score(bundle: Bundle, prediction: Prediction) -> float:
    """How unlike a genuine coin of its likeliest label something is; 0 is not unusual at all."""
    fusion = bundle.manifest.fusion
    score = -log(max(prediction.image_confidence, MIN_PROBABILITY))
    score += _surprise(prediction.anomaly, fusion.degrees_of_freedom)
    score += _doubt_membership(prediction.membership)
    if prediction.diameter_mm is not None:
        nominal_mm = bundle.labels[prediction.predicted].diameter_mm
        deviations = (prediction.diameter_mm / nominal_mm - 1) / fusion.diameter_std
        score += _surprise(abs(deviations), fusion.degrees_of_freedom)
    return score


def _doubt_membership(membership: float) -> float:
    """Negative logarithm of the probability that it is a coin of the bundle, by its log odds."""
    highest = -log(MIN_PROBABILITY)
    return highest if not membership > -highest else log1p(exp(-membership))


def _surprise(deviations: float, degrees_of_freedom: float) -> float:
    """Negative logarithm of the probability that a genuine coin is as many deviations off."""
    if not deviations < inf:
        return -log(MIN_PROBABILITY)
    from scipy.stats import t as student_t  # a second, which not every evaluation needs

    return -log(max(float(student_t.sf(deviations, degrees_of_freedom)), MIN_PROBABILITY))
