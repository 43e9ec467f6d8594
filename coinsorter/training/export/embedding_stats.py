"""Crops of known coins -> where the classifier's embeddings of them lie; see `coinsorter.recognition.embedding`."""

from collections.abc import Callable

import numpy as np
from sklearn.covariance import LedoitWolf

from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.training.fitting.augment import augment_crops
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples
from coinsorter.vision.crop import CropSpec

TIMES = 4  # that each coin is looked at, in other light and another turn each time
MOST = 1000  # coins that are looked at
LEAST_VARIANCE = (
    1e-6  # int8 rounds by more: a number that is the same for all known coins tells nothing
)


def fit_embedding_stats(
    seen: Samples,
    labels: int,
    embed: Callable[[np.ndarray], np.ndarray],
    spec: CropSpec,
    recipe: Recipe,
) -> EmbeddingStats:
    """Means by label and a covariance for all, shrunk as far as so few coins want it (Ledoit and Wolf, 2004).

    embed: a crop, uint8 (s, s, 3) -> float (n,), as the machine's int8 network has it.
    """
    rng = np.random.default_rng([recipe.seed, 11])
    genuine = rng.permutation(np.flatnonzero(seen.labels != FOREIGN_LABEL))[:MOST]
    places = np.sort(np.tile(genuine, TIMES))
    found = np.array(
        [
            embed(augment_crops(seen.crops[[place]], spec, recipe.augment, rng)[0])
            for place in places
        ],
        np.float64,
    )
    own = seen.labels[places]
    means = np.array([found[own == label].mean(axis=0) for label in range(labels)])
    covariance = LedoitWolf(assume_centered=True).fit(found - means[own]).covariance_
    precision = np.linalg.inv(covariance + LEAST_VARIANCE * np.eye(len(covariance)))
    return EmbeddingStats(
        means.astype(np.float32), np.linalg.cholesky(precision).astype(np.float16)
    )
