"""Crops -> trained networks.

A training that was killed goes on after its last whole epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.random import Generator

from coinsorter.recognition.anomaly import count_worst_pixels, halve
from coinsorter.recognition.views import show_crops
from coinsorter.training.exposure.mix import ExposureMix
from coinsorter.training.fitting import defects, networks
from coinsorter.training.fitting.augment import augment_crops, corrupt_crops, shift_colours
from coinsorter.training.fitting.batches import (
    BatchPlan,
    NetworkSettings,
    TrainingBatches,
    ValidationBatches,
)
from coinsorter.training.fitting.checkpoints import (
    DropoutSeeds,
    EpochLog,
    count_done_epochs,
    load_weights,
    save_weights,
)
from coinsorter.training.fitting.memory import keep_freed_memory
from coinsorter.training.progress import ReportEpoch
from coinsorter.training.recipe import (
    ClassifierSettings,
    DefectDetectorSettings,
    GateSettings,
    Recipe,
)
from coinsorter.training.samples.samples import Samples, hold_out
from coinsorter.vision.crop import CropSpec

#: A coin with no place more defective than this, of 1, counts as free of defects.
MIN_DEFECT = 0.3

#: What a wholly defective place counts for beside a sound one, less 1: they are few.
DEFECT_WEIGHT = 4

#: What the mean over all places counts for beside the coin's own score.
PLACES_WEIGHT = 3

#: Mean error of features, of 1, that an autoencoder is to have on foreign things at least: genuine
#: coins' are a fifth of it.
FOREIGN_ERROR = 0.4

#: Streams of random numbers, beside the recipe's seed; each use has its own.
CLASSIFIER_STREAM = 1
AUTOENCODER_STREAM = 2
VALIDATION_STREAM = 5
DEFECT_DETECTOR_STREAM = 8
GATE_STREAM = 14


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A trained network and its figures after each epoch.

    history: the loss, and of a classifier the accuracy; of validation crops under `val_` names.
    """

    model: keras.Model
    history: list[dict[str, float]]


def fit_classifier(
    samples: Samples,
    classes: int,
    spec: CropSpec,
    recipe: Recipe,
    report: ReportEpoch,
    work: Path | None = None,
    mix: ExposureMix | None = None,
) -> FittedNetwork:
    """A network trained on labels 0..classes-1 and FOREIGN_LABEL, which becomes the last class.

    All classes weigh alike, however many crops they have. work: folder where the training is kept
    from epoch to epoch, so that it can go on after a kill; None: nowhere. mix: things of the last
    class, shown in place of the samples' own, as many as genuine coins: to tell near-coins from
    coins it has to look at the design, and then names coins better, too.
    """
    settings = recipe.classifier
    if mix is not None:
        samples = samples.select(samples.is_genuine)
    labels = np.where(samples.is_genuine, samples.labels, classes)
    is_validation = _choose_validation(samples, settings, recipe.seed)
    training = np.flatnonzero(~is_validation)
    weights = _balance_classes(labels, training, classes if mix else classes + 1)

    def show(crops: np.ndarray) -> np.ndarray:
        return show_crops(crops, model.input_shape[1:], spec).astype(np.float32)

    def make_batch(places: np.ndarray, rng: Generator) -> tuple[np.ndarray, ...]:
        index = training[places]
        if mix is not None:
            crops = _mix_crops(samples.crops[index], mix, spec, recipe, rng)
            return show(crops), *_add_things(labels[index], weights[index], classes)
        crops = augment_crops(samples.crops[index], spec, recipe.augment, rng)
        return show(crops), labels[index], weights[index]

    seed = [recipe.seed, CLASSIFIER_STREAM]
    model = _build_seeded(
        seed, lambda: networks.build_classifier(spec.size_px, classes + 1, settings)
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plan = BatchPlan(len(training), settings.repeat, settings.batch, seed, make_batch)
    _compile(model, loss, plan, settings, metrics=["accuracy"])
    validation = None
    if is_validation.any():
        own = samples.select(is_validation)
        validation = ValidationBatches(own, labels[is_validation], show)
    patience = settings.patience if validation is not None else 0
    run = _Run(report, work / "classifier" if work else None, validation, patience)
    return run.fit(model, plan, settings.epochs)


def _choose_validation(samples: Samples, settings: ClassifierSettings, seed: int) -> np.ndarray:
    """Which crops show when to stop training: a boolean array, all False without patience."""
    if not settings.patience:
        return np.zeros(len(samples), bool)
    rng = np.random.default_rng([seed, VALIDATION_STREAM])
    return hold_out(samples, settings.validation_share, rng)


def _balance_classes(labels: np.ndarray, training: np.ndarray, classes: int) -> np.ndarray:
    """Weights of all crops, float32 (n,), that make the training crops' classes weigh alike."""
    counts = np.bincount(labels[training], minlength=classes)
    class_weights: np.ndarray = len(training) / classes / np.maximum(counts, 1)
    weights: np.ndarray = class_weights[labels].astype(np.float32)
    return weights


def fit_autoencoder(
    samples: Samples,
    spec: CropSpec,
    recipe: Recipe,
    report: ReportEpoch,
    work: Path | None = None,
) -> FittedNetwork:
    """A network trained to give back genuine coins, at half the size, from corrupted crops.

    work: as for the classifier.
    """
    settings = recipe.autoencoder
    genuine = np.flatnonzero(samples.is_genuine)

    def make_batch(places: np.ndarray, rng: Generator) -> tuple[np.ndarray, ...]:
        intact = augment_crops(samples.crops[genuine[places]], spec, recipe.augment, rng)
        corrupted = corrupt_crops(intact, spec, rng).astype(np.float32)
        halves = np.stack([halve(crop) for crop in intact])
        return corrupted, halves.astype(np.float32)

    seed = [recipe.seed, AUTOENCODER_STREAM]
    model = _build_seeded(seed, lambda: networks.build_autoencoder(spec.size_px, settings))
    plan = BatchPlan(len(genuine), settings.repeat, settings.batch, seed, make_batch)
    _compile(model, _measure_copy_error, plan, settings, metrics=[])
    run = _Run(report, work / "autoencoder" if work else None)
    return run.fit(model, plan, settings.epochs)


def _measure_copy_error(truth: Any, copy: Any) -> Any:
    """Mean squared error, in units of half the range of grey levels."""
    return keras.ops.mean(keras.ops.square((truth - copy) / networks.HALF_RANGE))


def fit_gate(
    genuine: Samples,
    mix: ExposureMix,
    classes: int,
    spec: CropSpec,
    recipe: Recipe,
    settings: GateSettings,
    report: ReportEpoch,
    work: Path | None = None,
) -> FittedNetwork:
    """A network trained to separate genuine coins, by label, from as many things that are none.

    mix: of those things. Labels weigh alike. work: as for the classifier.
    """
    weights = _balance_classes(genuine.labels, np.arange(len(genuine)), classes)

    def make_batch(places: np.ndarray, rng: Generator) -> tuple[np.ndarray, ...]:
        crops = _mix_crops(genuine.crops[places], mix, spec, recipe, rng)
        answers = _add_things(genuine.labels[places], weights[places], classes)
        return crops.astype(np.float32), *answers

    seed = [recipe.seed, GATE_STREAM]
    model = _build_seeded(seed, lambda: networks.build_gate(spec.size_px, classes + 1, settings))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plan = BatchPlan(len(genuine), settings.repeat, settings.batch, seed, make_batch)
    _compile(model, loss, plan, settings, metrics=["accuracy"])
    run = _Run(report, work / "gate" if work else None)
    return run.fit(model, plan, settings.epochs)


def fit_feature_autoencoder(
    genuine: Samples,
    mix: ExposureMix,
    exposed: keras.Model,
    spec: CropSpec,
    recipe: Recipe,
    report: ReportEpoch,
    work: Path | None = None,
) -> FittedNetwork:
    """An autoencoder of a trained network's features, which gives back genuine coins' alone.

    exposed: a gate, or an exposed classifier. mix: things whose features it learns not to give back
    (outlier exposure: Hendrycks et al., 2019); without them smooth things are given back better
    than worn coins. work: as for the classifier.
    """
    settings = recipe.autoencoder

    def make_batch(places: np.ndarray, rng: Generator) -> tuple[np.ndarray, ...]:
        crops = _mix_crops(genuine.crops[places], mix, spec, recipe, rng)
        is_foreign = np.repeat(np.array([0, 1], np.float32), len(places))
        return crops.astype(np.float32), is_foreign

    seed = [recipe.seed, AUTOENCODER_STREAM]
    model = _build_seeded(seed, lambda: networks.build_feature_autoencoder(exposed, settings.code))
    plan = BatchPlan(len(genuine), settings.repeat, settings.batch, seed, make_batch)
    _compile(model, _measure_exposed_error, plan, settings, metrics=[])
    run = _Run(report, work / "autoencoder" if work else None)
    return run.fit(model, plan, settings.epochs)


def _mix_crops(
    genuine: np.ndarray, mix: ExposureMix, spec: CropSpec, recipe: Recipe, rng: Generator
) -> np.ndarray:
    """Genuine crops and as many things, augmented: uint8 (2 n, size, size, 3)."""
    things = mix.draw_many(len(genuine), rng)
    shifted = [shift_colours(crop, spec, rng) for crop in (*genuine, *things)]
    return augment_crops(np.stack(shifted), spec, recipe.augment, rng)


def _add_things(
    labels: np.ndarray, weights: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and weights of coins and of as many things, which are of class `classes`."""
    things = np.full(len(labels), classes)
    ones = np.ones(len(labels), np.float32)
    return np.concatenate([labels, things]), np.concatenate([weights, ones])


def _measure_exposed_error(is_foreign: Any, errors: Any) -> Any:
    """The errors of genuine coins, and what those of foreign things lack of FOREIGN_ERROR."""
    means = keras.ops.mean(errors, axis=(1, 2, 3))
    is_foreign = keras.ops.reshape(is_foreign, (-1,))
    missing = keras.ops.relu(FOREIGN_ERROR - means)
    return keras.ops.mean(keras.ops.where(is_foreign > 0, missing, means))


def fit_defect_detector(
    samples: Samples,
    spec: CropSpec,
    recipe: Recipe,
    settings: DefectDetectorSettings,
    report: ReportEpoch,
    work: Path | None = None,
) -> FittedNetwork:
    """A network trained to find the defects that are drawn onto every other coin.

    work: as for the classifier.
    """

    def make_batch(places: np.ndarray, rng: Generator) -> tuple[np.ndarray, ...]:
        return defects.make_examples(samples.crops[places], spec, recipe.augment, rng)

    seed = [recipe.seed, DEFECT_DETECTOR_STREAM]
    model = _build_seeded(seed, lambda: networks.build_defect_detector(spec.size_px, settings))
    plan = BatchPlan(len(samples), settings.repeat, settings.batch, seed, make_batch)
    _compile(model, _measure_defect_loss, plan, settings, metrics=[])
    run = _Run(report, work / "defect-detector" if work else None)
    return run.fit(model, plan, settings.epochs)


def _measure_defect_loss(truth: Any, logits: Any) -> Any:
    """Cross-entropy of every place, plus that of the coin's score as the machine computes it.

    A place of a coarser map is as defective as the worst that it covers. Another order of
    operations rounds gradients differently: the same recipe gives another bundle.
    """
    factor = truth.shape[1] // logits.shape[1]
    if factor > 1:
        truth = keras.ops.max_pool(truth, factor)
    places = truth.shape[1] * truth.shape[2]
    truth = keras.ops.reshape(truth, (-1, places))
    logits = keras.ops.reshape(logits, (-1, places))
    weights = 1 + DEFECT_WEIGHT * truth
    losses = keras.ops.softplus(logits) - truth * logits
    places_loss = keras.ops.mean(weights * losses)
    worst_logits = keras.ops.top_k(logits, count_worst_pixels(places))[0]
    score = keras.ops.mean(worst_logits, axis=1)
    is_defective = keras.ops.cast(keras.ops.max(truth, axis=1) > MIN_DEFECT, "float32")
    coin_loss = keras.ops.mean(keras.ops.softplus(score) - is_defective * score)
    return PLACES_WEIGHT * places_loss + coin_loss


def _build_seeded(seed: list[int], build: Callable[[], keras.Model]) -> keras.Model:
    """A network whose first weights follow from the seed alone, whatever was trained before."""
    (state,) = np.random.SeedSequence(seed).generate_state(1)
    keras.utils.set_random_seed(int(state))
    return build()


def _compile(
    model: keras.Model, loss: Any, plan: BatchPlan, settings: NetworkSettings, metrics: list[str]
) -> None:
    """Sets Adam with a cosine schedule down to nothing (Loshchilov and Hutter, 2017)."""
    steps = settings.epochs * max(1, plan.count_batches())
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), loss, weighted_metrics=metrics)


@dataclass(frozen=True, eq=False)
class _Run:
    """One training. work: where it is kept, without an ending; None: nowhere."""

    report: ReportEpoch
    work: Path | None
    validation: ValidationBatches | None = None
    patience: int = 0

    def fit(self, model: keras.Model, plan: BatchPlan, epochs: int) -> FittedNetwork:
        """Trains a network, or takes what was trained before."""
        log = EpochLog(self.report, self.work and self.work.with_suffix(".jsonl"))
        done = self.work and self.work.with_suffix(".weights.h5")
        if done and done.exists():
            load_weights(model, done)
            log.report_all()
            return FittedNetwork(model, log.history)
        callbacks = [log, *self._make_callbacks()]
        keep_freed_memory()
        model.fit(
            TrainingBatches(plan, self._find_first_epoch()),
            validation_data=self.validation,
            epochs=epochs,
            shuffle=False,
            callbacks=callbacks,
            verbose=0,
        )
        if done:
            save_weights(model, done)
        return FittedNetwork(model, log.history)

    def _find_first_epoch(self) -> int:
        """0 with patience: such a training begins again, as its best epoch is not on the disk."""
        if self.work is None or self.validation is not None:
            return 0
        return count_done_epochs(self.work)

    def _make_callbacks(self) -> list[keras.callbacks.Callback]:
        if self.validation is not None:
            return [
                keras.callbacks.EarlyStopping(
                    "val_loss", patience=self.patience, restore_best_weights=True
                )
            ]
        if self.work is None:
            return []
        backup = keras.callbacks.BackupAndRestore(
            str(self.work), double_checkpoint=True, delete_checkpoint=False
        )
        return [backup, DropoutSeeds()]
