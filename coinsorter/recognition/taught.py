"""Logits of labels that were taught without training, by a few of their coins' embeddings.

The classifier knows nothing of such a label. But its embedding tells coins apart that it was never
shown: a new coin lies near the few that taught its label. With one covariance for all labels, the
log likelihood ratio of two labels is half the difference of the squared Mahalanobis distances
(linear discriminant analysis: Fisher, 1936), and the trained label that lies nearest is what the
new one is compared with.
"""

import numpy as np

#: What half the difference of squared distances counts for. Distances of coins that were not
#: trained on are longer than the covariance says, which was measured on those that were. From 0.05
#: to 1 it makes no difference to Korean coins taught to models/brl (`benchmarks.teaching`).
RATIO_WEIGHT = 0.25
#: The most, either way, that a taught label's logit differs from the nearest trained one's.
MAX_RATIO = 20.0


def add_taught_logits(logits: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The classifier's logits with those of taught labels before "none of these".

    logits: float32 (trained + 1,). distances: float32 (labels,), of the embedding, the taught
    labels' last; see `EmbeddingDistances`. Returns float32 (labels + 1,).
    """
    trained = len(logits) - 1
    taught = distances[trained:]
    if not len(taught):
        return logits
    nearest = int(distances[:trained].argmin())
    ratios = RATIO_WEIGHT * (distances[nearest] ** 2 - taught**2) / 2
    own = logits[nearest] + np.clip(ratios, -MAX_RATIO, MAX_RATIO)
    return np.concatenate([logits[:-1], own, logits[-1:]]).astype(np.float32)
