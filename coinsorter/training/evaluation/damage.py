"""Whether the anomaly score notices damage, which is drawn onto crops of genuine coins.

The damage is synthetic, as there is no collection of damaged coins to photograph.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coinsorter.training.evaluation.damage_drawing import KINDS, damage_crop
from coinsorter.training.evaluation.metrics import Proportion, compute_auroc
from coinsorter.training.evaluation.predictions import (
    IMAGES_PER_JOB,
    JOBS_PER_PROCESS,
    Prediction,
    Predictor,
)
from coinsorter.training.parallel import HERE, Workers

#: Seed of every random draw: the same crops always get the same damage.
SEED = 2024
#: Crops shown as examples of each kind of damage.
MAX_EXAMPLES = 8


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
    """How well damaged coins are distinguished from intact ones.

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
    workers: Workers = HERE,
) -> DamageStudy:
    """Figures of genuine coins found in their images.

    The diameter is taken to be the undamaged coin's, and outlines are not checked. workers: share
    the kinds of damage.
    """
    jobs = [_Job(predictor, predictions, number, kind) for number, kind in enumerate(KINDS)]
    is_much = len(predictions) >= IMAGES_PER_JOB * JOBS_PER_PROCESS
    damaged: dict[str, list[Prediction]] = {}
    for job, own in zip(jobs, workers.run(_predict_damaged, jobs, 1 if is_much else len(jobs))):
        damaged[job.kind] = own
        report_progress(len(damaged))
    intact = [_predict_again(predictor, p, p.crop) for p in predictions]
    kinds = {kind: _measure_damage(intact, damaged[kind]) for kind in KINDS}
    every = [prediction for kind in KINDS for prediction in damaged[kind]]
    kinds["all"] = _measure_damage(intact, every)
    examples = {kind: _pick_examples(predictions, damaged[kind]) for kind in KINDS}
    return DamageStudy(_count_rejected(intact), kinds, examples)


@dataclass(frozen=True, eq=False)
class _Job:
    """Coins that get one kind of damage, as another process may do it. number: the kind's."""

    predictor: Predictor
    predictions: Sequence[Prediction]
    number: int
    kind: str


def _predict_damaged(job: _Job) -> list[Prediction]:
    rng = np.random.default_rng([SEED, job.number])
    spec = job.predictor.bundle.crop
    damaged = []
    for prediction in job.predictions:
        crop = damage_crop(job.kind, prediction.crop, spec, prediction.diameter_mm, rng)
        damaged.append(_predict_again(job.predictor, prediction, crop))
    return damaged


def _predict_again(predictor: Predictor, prediction: Prediction, crop: np.ndarray) -> Prediction:
    return predictor.predict_crop(prediction.path, prediction.label, crop, prediction.diameter_mm)


def _measure_damage(intact: Sequence[Prediction], damaged: Sequence[Prediction]) -> DamageMetrics:
    intact_scores = [p.anomaly for p in intact]
    damaged_scores = [p.anomaly for p in damaged]
    auroc = compute_auroc(intact_scores, damaged_scores)
    return DamageMetrics(auroc, _count_rejected(damaged))


def _count_rejected(predictions: Sequence[Prediction]) -> Proportion:
    rejected = sum(not p.accepted for p in predictions)
    return Proportion.from_counts(rejected, len(predictions))


def _pick_examples(
    intact: Sequence[Prediction], damaged: Sequence[Prediction]
) -> tuple[np.ndarray, np.ndarray]:
    count = min(MAX_EXAMPLES, len(intact))
    evenly = np.linspace(0, len(intact) - 1, count)
    indices = np.unique(evenly.astype(int)).tolist()
    before = np.stack([intact[index].crop for index in indices])
    after = np.stack([damaged[index].crop for index in indices])
    return before, after
