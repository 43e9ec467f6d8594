"""Cross-validation: networks of each fold, trained and asked in processes of their own.

The same processes train the bundle's own networks and its defect detector. What they learn lies in
the folder of the training, where it is taken from afterwards. Each process computes in one thread,
so that its networks are the same wherever it runs and however many there are.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from coinsorter.recognition.bundle_files import CLASSIFIER
from coinsorter.recognition.views import count_views, show_crops
from coinsorter.training.export import quantize
from coinsorter.training.export.runtime_parity import TURNS, classify_in_runtimes
from coinsorter.training.fitting import networks
from coinsorter.training.fitting.batches import PREDICT_BATCH
from coinsorter.training.fitting.checkpoints import read_epochs
from coinsorter.training.fitting.fit import FittedNetwork
from coinsorter.training.parallel import Workers
from coinsorter.training.progress import OpenProgress, hide_progress
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.assemble import AssembledSamples
from coinsorter.training.samples.samples import Samples
from coinsorter.training.samples.saved_samples import load_samples, save_samples
from coinsorter.training.thresholds.heldout import HeldOutSets, collect_evidence
from coinsorter.training.trained_networks import (
    TrainedNetworks,
    choose_detector_fold,
    choose_genuine,
    fit_networks,
    train_defect_detector,
    train_networks,
)
from coinsorter.vision.crop import CropSpec

#: Held-out crops that float and int8 are compared on.
COMPARED_CROPS = 4000
#: Folder, in that of a training, of the bundle's own networks.
OWN = "own"
#: Seconds between two looks at how far the processes are.
LOOK_S = 1.0


@dataclass(frozen=True, eq=False)
class FoldEvaluation:
    """What networks make of coins that they did not see.

    is_right: which of the coins the classifier names rightly, bool (n,), as floats and as int8 in
    each runtime. groups: those coins', int (n,), see `Samples`.
    """

    evidence: HeldOutSets
    is_right: dict[str, np.ndarray]
    groups: np.ndarray


@dataclass(frozen=True, eq=False)
class _Answers:
    """What a fold's networks say of its held-out coins.

    classifier: the int8 one. compared, labels, groups: crops that it is compared on, and what they
    are. float_labels: what the float one takes them for.
    """

    evidence: HeldOutSets
    classifier: bytes
    compared: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    float_labels: np.ndarray

    def compare_runtimes(self, spec: CropSpec) -> FoldEvaluation:
        """The answers, beside those that the int8 classifier gives here in each runtime."""
        numbers = classify_in_runtimes(self.classifier, self.compared, spec)
        numbers[quantize.FLOAT] = self.float_labels
        is_right = {name: answers == self.labels for name, answers in numbers.items()}
        return FoldEvaluation(self.evidence, is_right, self.groups)


@dataclass(frozen=True)
class _Job:
    """A training. work: the folder of all trainings, with the samples in it. fold: its number."""

    work: Path
    recipe: Recipe
    fold: int = 0


def cross_validate(
    assembled: AssembledSamples,
    recipe: Recipe,
    work: Path,
    workers: Workers,
    open_progress: OpenProgress,
) -> list[FoldEvaluation]:
    """Trains everything, and evaluates the folds' networks on their held-out coins.

    work: folder where the trainings are kept from epoch to epoch. The bundle's own networks and its
    defect detector are in it when this returns, and need no training any more.
    """
    save_samples(assembled, work)
    job = _Job(work, recipe)
    common: list[Callable[[_Job], None]] = [_fit_own]
    if recipe.defect_detector:
        common.insert(0, _fit_detector)
    folds = [replace(job, fold=number) for number in range(len(assembled.folds))]
    with _show_epochs(recipe, len(folds), work, open_progress):
        for _ in workers.run(_call, [(function, job) for function in common], isolated=True):
            pass
        answers = list(workers.run(_answer_fold, folds, isolated=True))
    return [own.compare_runtimes(assembled.spec) for own in answers]


def evaluate(
    trained: TrainedNetworks,
    held_out: Samples,
    anomalies: Samples,
    open_progress: OpenProgress,
) -> FoldEvaluation:
    """What networks make of held-out coins, and of objects that must be rejected."""
    answers = _ask(trained, held_out, anomalies, open_progress)
    return answers.compare_runtimes(trained.classifier.bundle.crop)


def _call(call: tuple[Callable[[_Job], None], _Job]) -> None:
    function, job = call
    function(job)


def _fit_detector(job: _Job) -> None:
    train_defect_detector(_begin(job), job.recipe, hide_progress, job.work)


def _fit_own(job: _Job) -> None:
    assembled = _begin(job)
    fit_networks(assembled, assembled.training, job.recipe, hide_progress, job.work / OWN)


def _answer_fold(job: _Job) -> _Answers:
    """Trains a fold's networks and asks them about its held-out coins."""
    assembled = _begin(job)
    training, held_out = assembled.folds[job.fold]
    detector = None
    if job.fold == choose_detector_fold(assembled):
        detector = train_defect_detector(assembled, job.recipe, hide_progress, job.work)
    work = job.work / f"fold-{job.fold + 1}"
    trained = train_networks(assembled, training, job.recipe, detector, hide_progress, work)
    answers = _ask(trained, held_out, assembled.anomalies, hide_progress)
    if job.recipe.defect_detector and detector is None:
        return replace(answers, evidence=answers.evidence.without_defects())
    return answers


def _begin(job: _Job) -> AssembledSamples:
    """Prepares a process for a training; the samples."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    networks.reset_layer_names()
    return load_samples(job.work)


def _ask(
    trained: TrainedNetworks, held_out: Samples, anomalies: Samples, open_progress: OpenProgress
) -> _Answers:
    evidence = collect_evidence(trained.classifier, held_out, anomalies, open_progress)
    compared = held_out.select(choose_genuine(held_out, COMPARED_CROPS, seed=0))
    crops = compared.crops[:]
    spec = trained.classifier.bundle.crop
    float_labels = _classify_as_floats(trained.fitted[CLASSIFIER], crops, spec)
    classifier = trained.models[CLASSIFIER]
    return _Answers(evidence, classifier, crops, compared.labels, compared.groups, float_labels)


def _classify_as_floats(network: FittedNetwork, crops: np.ndarray, spec: CropSpec) -> np.ndarray:
    """The likeliest label of each crop in all its views together: int (n,)."""
    model = network.model
    shape = model.input_shape[1:]
    logits = np.float32(0)
    for turn in range(count_views(shape, TURNS)):
        turned = np.rot90(crops, turn, (1, 2))
        views = show_crops(turned, shape, spec).astype(np.float32)
        logits = logits + model.predict(views, batch_size=PREDICT_BATCH, verbose=0)
    numbers: np.ndarray = np.asarray(logits)[:, :-1].argmax(axis=1)
    return numbers


@contextmanager
def _show_epochs(
    recipe: Recipe, folds: int, work: Path, open_progress: OpenProgress
) -> Iterator[None]:
    """Shows how many epochs of all trainings are done, and the last one's figures.

    By what their processes log.
    """
    total = _count_epochs(recipe, folds)
    is_over = threading.Event()

    def watch(report: Callable[..., None]) -> None:
        reported = 0
        while not is_over.wait(LOOK_S):
            logs = sorted(work.rglob("*.jsonl"), key=lambda log: log.stat().st_mtime_ns)
            epochs = [epoch for log in logs for epoch in read_epochs(log)]
            if len(epochs) > reported:
                reported = len(epochs)
                report(min(reported, total), epochs[-1])

    with open_progress("own networks and folds", total) as report:
        watcher = threading.Thread(target=watch, args=(report,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()
        report(total)


def _count_epochs(recipe: Recipe, folds: int) -> int:
    """Epochs of all trainings, if none stops early."""
    one_set = recipe.classifier.epochs + recipe.autoencoder.epochs
    if recipe.gate:
        one_set += recipe.gate.epochs
    detector = recipe.defect_detector.epochs if recipe.defect_detector else 0
    return (folds + 1) * one_set + detector
