"""How far a coin is, as the classifier sees it, from the known coins of every label.

The numbers that a classifier's last layer decides by (its embedding of the picture) lie about each label's mean like a normal distribution
with one covariance for all labels; the Mahalanobis distance in it tells what was never seen, where the classifier's own confidence does not
(Lee et al., NeurIPS 2018).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class EmbeddingStats:
    """Known coins' embeddings.

    means: float32 (labels, n), of each label. whitening: (n, n), a root of the inverse covariance about them: what it is multiplied with has
    covariance 1; float16, which is half of a bundle's largest array and tells distances within 0.1 %.
    """

    means: np.ndarray
    whitening: np.ndarray


class EmbeddingDistances:
    """Tells how far an embedding is from each label's known coins."""

    def __init__(self, known: EmbeddingStats) -> None:
        self._whitening = known.whitening.astype(np.float32)
        self._means = known.means @ self._whitening

    def measure(self, embedding: np.ndarray) -> np.ndarray:
        """float32 (n,) -> Mahalanobis distances: float32 (labels,)."""
        return np.linalg.norm(embedding @ self._whitening - self._means, axis=1)
