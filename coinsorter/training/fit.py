"""Crops -> trained networks."""

from collections.abc import Callable

import keras
import numpy as np

from coinsorter.classify import halved
from coinsorter.crop import CropSpec
from coinsorter.training import networks
from coinsorter.training.augment import augmented, damaged
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples import NONE, Samples

Progress = Callable[[int, dict[str, float]], None]
SLICE = 4096  # crops augmented and held as floats at a time


def fit_classifier(samples: Samples, classes: int, spec: CropSpec, recipe: Recipe, progress: Progress) -> keras.Model:
    """Trains on labels 0..classes-1 and NONE, which becomes the class after the last; labels weigh alike, however many crops they have."""
    knobs = recipe.classifier
    labels = np.where(samples.labels == NONE, classes, samples.labels)
    counts = np.bincount(labels, minlength=classes + 1)
    weights = (len(labels) / (classes + 1) / np.maximum(counts, 1))[labels].astype(np.float32)
    model = networks.classifier(spec.size_px, classes + 1, knobs)
    _compile(model, keras.losses.SparseCategoricalCrossentropy(from_logits=True), knobs, len(samples))
    rng = np.random.default_rng([recipe.seed, 1])
    for epoch in range(knobs.epochs):
        order = _epoch_order(len(samples), knobs.repeat, rng)
        losses = []
        for part in _slices(order, knobs.batch):
            crops = augmented(samples.crops[part], spec, recipe.augment, rng).astype(np.float32)
            losses.append(_train(model, crops, labels[part], weights[part], knobs.batch))
        progress(epoch + 1, {"loss": float(np.mean(losses))})
    return model


def fit_autoencoder(samples: Samples, spec: CropSpec, recipe: Recipe, progress: Progress) -> keras.Model:
    """Trains to give back genuine coins, clean and at half the size, from damaged ones."""
    knobs = recipe.autoencoder
    genuine = samples.where(samples.labels != NONE)
    model = networks.autoencoder(spec.size_px, knobs)
    _compile(model, lambda truth, copy: keras.ops.mean(keras.ops.square((truth - copy) / 127.5)), knobs, len(genuine))
    rng = np.random.default_rng([recipe.seed, 2])
    for epoch in range(knobs.epochs):
        order = _epoch_order(len(genuine), knobs.repeat, rng)
        losses = []
        for part in _slices(order, knobs.batch):
            clean = augmented(genuine.crops[part], spec, recipe.augment, rng)
            losses.append(_train(model, damaged(clean, spec, rng).astype(np.float32), _targets(clean), None, knobs.batch))
        progress(epoch + 1, {"loss": float(np.mean(losses))})
    return model


def _targets(crops: np.ndarray) -> np.ndarray:
    return np.stack([halved(picture) for picture in crops]).astype(np.float32)


def _compile(model: keras.Model, loss, knobs, samples: int) -> None:
    """Adam with a cosine schedule down to nothing (Loshchilov and Hutter, 2017)."""
    steps = knobs.epochs * max(1, -(-samples * knobs.repeat // knobs.batch))
    rate = keras.optimizers.schedules.CosineDecay(knobs.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), loss)


def _epoch_order(samples: int, repeat: int, rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([rng.permutation(samples) for _ in range(repeat)])


def _slices(order: np.ndarray, batch: int) -> list[np.ndarray]:
    step = max(batch, SLICE // batch * batch)
    return [order[start : start + step] for start in range(0, len(order), step)]


def _train(model: keras.Model, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None, batch: int) -> float:
    history = model.fit(inputs, targets, sample_weight=weights, batch_size=batch, shuffle=False, verbose=0)
    return float(history.history["loss"][0])
