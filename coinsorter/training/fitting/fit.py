"""Crops -> trained networks.

Batches are read and augmented while the network trains on the one before; a training that was killed goes on after its last whole epoch.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from coinsorter.atomic import replace_file
from coinsorter.recognition.anomaly import count_worst_pixels, halve
from coinsorter.training.fitting import defects, networks
from coinsorter.training.fitting.augment import augment_crops, corrupt_crops
from coinsorter.training.recipe import (
    AutoencoderSettings,
    ClassifierSettings,
    DefectDetectorSettings,
    Recipe,
)
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples, hold_out
from coinsorter.vision.crop import CropSpec

Progress = Callable[[int, dict[str, float]], None]
# What one batch is made of: crops as read, float targets and weights; see `_Batches`.
Maker = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, ...]]
PREDICT_BATCH = 256
SPOILT = 0.3  # of 1: a coin with no place more blemished than this is taken for an unblemished one


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A trained network, and what was seen of it after each epoch: loss, and of a classifier accuracy, on held-back crops too (val_...)."""

    model: keras.Model
    history: list[dict[str, float]]


class _Batches(keras.utils.PyDataset):
    """Batches in an order and with changes that follow from seed, epoch and place alone: a training that goes on later sees the same."""

    def __init__(
        self,
        count: int,
        knobs: ClassifierSettings | AutoencoderSettings | DefectDetectorSettings,
        seed: list[int],
        make: Maker,
        epoch: int = 0,
    ) -> None:
        super().__init__()
        self._count, self._knobs, self._seed, self._make, self._epoch = (
            count,
            knobs,
            seed,
            make,
            epoch,
        )

    def __len__(self) -> int:
        return -(-self._count * self._knobs.repeat // self._knobs.batch)

    def __getitem__(self, place: int) -> tuple[np.ndarray, ...]:
        chosen = self._order()[place * self._knobs.batch : (place + 1) * self._knobs.batch]
        return self._make(chosen, np.random.default_rng([*self._seed, self._epoch, place]))

    def on_epoch_end(self) -> None:
        self._epoch += 1

    def _order(self) -> np.ndarray:
        rng = np.random.default_rng([*self._seed, self._epoch])
        return np.concatenate([rng.permutation(self._count) for _ in range(self._knobs.repeat)])


class _Kept(keras.utils.PyDataset):
    """Crops as they are, read batch by batch."""

    def __init__(self, samples: Samples, labels: np.ndarray) -> None:
        super().__init__()
        self._samples, self._labels = samples, labels

    def __len__(self) -> int:
        return -(-len(self._labels) // PREDICT_BATCH)

    def __getitem__(self, place: int) -> tuple[np.ndarray, ...]:
        chosen = slice(place * PREDICT_BATCH, (place + 1) * PREDICT_BATCH)
        return self._samples.crops[chosen].astype(np.float32), self._labels[chosen]


class _Told(keras.callbacks.Callback):
    """Tells how it goes, and keeps what it told beside the checkpoint."""

    def __init__(self, progress: Progress, log: Path | None) -> None:
        super().__init__()
        self._progress, self._log = progress, log
        self.history = _read_log(log)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.history = [
            *self.history[:epoch],
            {name: float(value) for name, value in (logs or {}).items()},
        ]
        if self._log:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._log.write_text("".join(json.dumps(line) + "\n" for line in self.history))
        self._progress(epoch + 1, self.history[-1])


class _SameDropout(keras.callbacks.Callback):
    """Lets a training that goes on drop out what it would have: checkpoints do not hold how far Keras' seeds were counted."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        for variable in self.model.variables:
            if variable.path.endswith("seed_generator_state"):
                seed = keras.ops.convert_to_numpy(variable)[0]
                variable.assign([seed, int(self.model.optimizer.iterations)])


def fit_classifier(
    samples: Samples,
    classes: int,
    spec: CropSpec,
    recipe: Recipe,
    progress: Progress,
    work: Path | None = None,
) -> FittedNetwork:
    """Trains on labels 0..classes-1 and NONE, which becomes the class after the last; labels weigh alike, however many crops they have.

    work: where the training is kept from epoch to epoch, so that it can go on after a kill; None: nowhere.
    """
    knobs = recipe.classifier
    labels = np.where(samples.labels == FOREIGN_LABEL, classes, samples.labels)
    back = _held_back(samples, knobs, recipe.seed)
    seen = np.flatnonzero(~back)
    counts = np.bincount(labels[seen], minlength=classes + 1)
    weights = (len(seen) / (classes + 1) / np.maximum(counts, 1))[labels].astype(np.float32)

    def batch(chosen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        index = seen[chosen]
        return (
            augment_crops(samples.crops[index], spec, recipe.augment, rng).astype(np.float32),
            labels[index],
            weights[index],
        )

    model = _built(
        [recipe.seed, 1], lambda: networks.build_classifier(spec.size_px, classes + 1, knobs)
    )
    _compile(
        model,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        knobs,
        len(seen),
        ["accuracy"],
    )
    judged = _Kept(samples.select(back), labels[back]) if back.any() else None
    return _fit(
        model,
        len(seen),
        knobs,
        [recipe.seed, 1],
        batch,
        judged,
        progress,
        work and work / "classifier",
    )


def fit_autoencoder(
    samples: Samples, spec: CropSpec, recipe: Recipe, progress: Progress, work: Path | None = None
) -> FittedNetwork:
    """Trains to give back genuine coins, clean and at half the size, from damaged ones. work: as for the classifier."""
    knobs = recipe.autoencoder
    genuine = np.flatnonzero(samples.labels != FOREIGN_LABEL)

    def batch(chosen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        clean = augment_crops(samples.crops[genuine[chosen]], spec, recipe.augment, rng)
        return corrupt_crops(clean, spec, rng).astype(np.float32), np.stack(
            [halve(picture) for picture in clean]
        ).astype(np.float32)

    model = _built([recipe.seed, 2], lambda: networks.build_autoencoder(spec.size_px, knobs))
    _compile(
        model,
        lambda truth, copy: keras.ops.mean(keras.ops.square((truth - copy) / 127.5)),
        knobs,
        len(genuine),
        [],
    )
    return _fit(
        model,
        len(genuine),
        knobs,
        [recipe.seed, 2],
        batch,
        None,
        progress,
        work and work / "autoencoder",
    )


def fit_defect_detector(
    samples: Samples,
    spec: CropSpec,
    recipe: Recipe,
    knobs: DefectDetectorSettings,
    progress: Progress,
    work: Path | None = None,
) -> FittedNetwork:
    """Trains to find blemishes that are drawn onto every other coin. work: as for the classifier."""

    def batch(chosen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        return defects.make_examples(samples.crops[chosen], spec, recipe.augment, rng)

    model = _built([recipe.seed, 8], lambda: networks.build_defect_detector(spec.size_px, knobs))
    _compile(model, _blemish_loss, knobs, len(samples), [])
    return _fit(
        model,
        len(samples),
        knobs,
        [recipe.seed, 8],
        batch,
        None,
        progress,
        work and work / "inspector",
    )


def _blemish_loss(truth, logits):
    """Cross-entropy of every place, blemished ones the more as they are few, and of the machine's score: is there any?"""
    places = truth.shape[1] * truth.shape[2]
    truth, logits = (keras.ops.reshape(values, (-1, places)) for values in (truth, logits))
    everywhere = keras.ops.mean((1 + 4 * truth) * (keras.ops.softplus(logits) - truth * logits))
    worst = keras.ops.mean(keras.ops.top_k(logits, count_worst_pixels(places))[0], axis=1)
    some = keras.ops.cast(keras.ops.max(truth, axis=1) > SPOILT, "float32")
    return 3 * everywhere + keras.ops.mean(keras.ops.softplus(worst) - some * worst)


def _held_back(samples: Samples, knobs: ClassifierSettings, seed: int) -> np.ndarray:
    """Crops that training is judged by while it runs, so that it can stop in time; a boolean array, all False without patience."""
    if not knobs.patience:
        return np.zeros(len(samples), bool)
    return hold_out(samples, knobs.validation_share, np.random.default_rng([seed, 5]))


def _built(seed: list[int], build: Callable[[], keras.Model]) -> keras.Model:
    """A network whose first weights follow from the seed alone, whatever was trained or taken up again before."""
    keras.utils.set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    return build()


def _compile(
    model: keras.Model,
    loss,
    knobs: ClassifierSettings | AutoencoderSettings | DefectDetectorSettings,
    count: int,
    metrics: list[str],
) -> None:
    """Adam with a cosine schedule down to nothing (Loshchilov and Hutter, 2017)."""
    steps = knobs.epochs * max(1, -(-count * knobs.repeat // knobs.batch))
    rate = keras.optimizers.schedules.CosineDecay(knobs.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), loss, weighted_metrics=metrics)


def _fit(
    model: keras.Model,
    count: int,
    knobs,
    seed: list[int],
    make: Maker,
    judged,
    progress: Progress,
    work: Path | None,
) -> FittedNetwork:
    """Trains; or takes what was trained before. With patience an unfinished training begins again: its best epoch is not kept."""
    told = _Told(progress, work and work.with_suffix(".jsonl"))
    done = work and work.with_suffix(".weights.h5")
    if done and done.exists():
        model.load_weights(done)
        return FittedNetwork(model, told.history)
    callbacks: list[keras.callbacks.Callback] = [told]
    if judged is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss", patience=knobs.patience, restore_best_weights=True
            )
        )
    elif work:
        callbacks += [
            keras.callbacks.BackupAndRestore(
                str(work), double_checkpoint=True, delete_checkpoint=False
            ),
            _SameDropout(),
        ]
    batches = _Batches(
        count, knobs, seed, make, _epochs_done(work) if work and judged is None else 0
    )
    model.fit(
        batches,
        validation_data=judged,
        epochs=knobs.epochs,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )
    if done:
        _save(model, done)
    return FittedNetwork(model, told.history)


def _save(model: keras.Model, path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as new:
        model.save_weights(new)


def _epochs_done(work: Path) -> int:
    """After how many whole epochs a training was left; what a kill left half written is thrown away."""
    place = work / "training_metadata.json"
    try:
        return int(json.loads(place.read_text())["epoch"])
    except FileNotFoundError:
        return 0
    except (json.JSONDecodeError, KeyError):
        shutil.rmtree(work)
        return 0


def _read_log(log: Path | None) -> list[dict[str, float]]:
    """What was told before; a line that a kill tore is the last."""
    lines = log.read_text().splitlines() if log and log.is_file() else []
    history = []
    for line in lines:
        try:
            history.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return history
