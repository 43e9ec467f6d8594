"""embedding: the distance is Mahalanobis' own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.recognition.embedding import EmbeddingDistances, EmbeddingStats


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 9))
def test_a_distance_is_mahalanobis_own(seed, labels, length):
    rng = np.random.default_rng(seed)
    root = rng.normal(0, 1, (length, length)) + 3 * np.eye(length)
    precision = root @ root.T
    means, embedding = rng.normal(0, 5, (labels, length)), rng.normal(0, 5, length)
    known = EmbeddingStats(
        means.astype(np.float32), np.linalg.cholesky(precision).astype(np.float32)
    )
    expected = [np.sqrt((embedding - mean) @ precision @ (embedding - mean)) for mean in means]
    assert EmbeddingDistances(known).measure(embedding.astype(np.float32)) == pytest.approx(
        expected, rel=1e-3, abs=1e-3
    )
