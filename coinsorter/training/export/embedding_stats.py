"""Crops of known coins -> where the classifier's embeddings of them lie."""

from collections.abc import Callable

import numpy as np
from sklearn.covariance import LedoitWolf

from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.training.fitting.augment import augment_crops
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples
from coinsorter.vision.crop import CropSpec

#: Augmented crops of each coin that are embedded, each in another light and another rotation.
CROPS_PER_COIN = 4
#: Coins that are embedded at most.
MAX_COINS = 1000
#: Added to every variance. int8 rounds by more; without it, a number that is the same for all known
#: coins would make distances infinite.
MIN_VARIANCE = 1e-6
#: Stream of random numbers for the choice of coins and their augmentation.
EMBEDDING_STREAM = 11


def fit_embedding_stats(
    samples: Samples,
    labels: int,
    embed: Callable[[np.ndarray], np.ndarray],
    spec: CropSpec,
    recipe: Recipe,
) -> EmbeddingStats:
    """Mean embeddings of each label and one covariance for all, shrunk (Ledoit and Wolf, 2004).

    labels: how many there are. embed: a crop, uint8 (s, s, 3), to its embedding, float (n,), as the
    machine's int8 network has it.
    """
    rng = np.random.default_rng([recipe.seed, EMBEDDING_STREAM])
    genuine = np.flatnonzero(samples.labels != FOREIGN_LABEL)
    chosen = rng.permutation(genuine)[:MAX_COINS]
    places = np.sort(np.tile(chosen, CROPS_PER_COIN))

    def embed_augmented(place: int) -> np.ndarray:
        crops = samples.crops[[place]]
        augmented = augment_crops(crops, spec, recipe.augment, rng)
        return embed(augmented[0])

    embeddings = np.array([embed_augmented(place) for place in places], np.float64)
    own = samples.labels[places]
    by_label = (embeddings[own == label] for label in range(labels))
    means = np.array([group.mean(axis=0) for group in by_label])
    whitening = _fit_whitening(embeddings - means[own])
    return EmbeddingStats(means.astype(np.float32), whitening)


def _fit_whitening(offsets: np.ndarray) -> np.ndarray:
    """A root of the inverse covariance of offsets from their means, (m, n): float16 (n, n)."""
    shrunk = LedoitWolf(assume_centered=True).fit(offsets)
    covariance = shrunk.covariance_
    ridge = MIN_VARIANCE * np.eye(len(covariance))
    precision = np.linalg.inv(covariance + ridge)
    root = np.linalg.cholesky(precision)
    return root.astype(np.float16)
