"""How far embeddings are from known coins, and what a trained bundle makes of it."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.recognition.embedding import EmbeddingDistances, EmbeddingStats
from coinsorter.training.recipe import AugmentSettings, Recipe
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples
from coinsorter.vision.crop import CropSpec
from tests.conftest import needs_training

SPEC = CropSpec(16, 1.06, (136.0,) * 3, 0.0, 1.0)
RECIPE = Recipe.model_validate(
    {
        "name": "grey",
        "seed": 1,
        "source": "frames",
        "labels": [{"name": n, "value": 1, "currency": "EUR", "diameter_mm": 20} for n in "ab"],
        "augment": AugmentSettings(
            zoom=0, shift_px=0, brightness=0, colour=0, contrast=0, blur_px=0, noise=0
        ).model_dump(),
    }
)


def embed(crop: np.ndarray) -> np.ndarray:
    """Its middle's colours, and two sums of them that tell nothing new."""
    red, green, blue = crop[4:12, 4:12].reshape(-1, 3).mean(axis=0)
    return np.array([red, green, blue, red + green, blue - red])


def samples(seed: int, count: int = 200) -> Samples:
    """Coins of one colour each: those of one label nearly alike; every tenth is a strange thing."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    colours = np.array([[180, 120, 90], [90, 130, 180]])[labels] + rng.normal(
        0, [6, 3, 1], (count, 3)
    )
    crops = np.tile(np.clip(colours, 0, 255).astype(np.uint8)[:, None, None], (1, 16, 16, 1))
    strange = np.arange(count) % 10 == 9
    crops[strange] = 255
    return Samples(
        crops,
        np.select(strange, FOREIGN_LABEL, labels),
        (None,) * count,
        np.zeros(count),
        np.arange(count),
    )


def learn(
    seen: Samples, labels: int, seen_as: Callable[[np.ndarray], np.ndarray]
) -> EmbeddingStats:
    needs_training()
    from coinsorter.training.export import embedding_stats

    return embedding_stats.fit_embedding_stats(seen, labels, seen_as, SPEC, RECIPE)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 9))
def test_a_distance_is_mahalanobis_own(seed, labels, length):
    rng = np.random.default_rng(seed)
    root = rng.normal(0, 1, (length, length)) + 3 * np.eye(length)
    precision = root @ root.T
    means, picture = rng.normal(0, 5, (labels, length)), rng.normal(0, 5, length)
    known = EmbeddingStats(
        means.astype(np.float32), np.linalg.cholesky(precision).astype(np.float32)
    )
    expected = [np.sqrt((picture - mean) @ precision @ (picture - mean)) for mean in means]
    assert EmbeddingDistances(known).measure(picture.astype(np.float32)) == pytest.approx(
        expected, rel=1e-3, abs=1e-3
    )


def test_known_coins_lie_about_their_label_and_strange_things_far_from_all():
    distances = EmbeddingDistances(learn(samples(1), 2, embed))
    others = samples(2)
    found = np.array([distances.measure(embed(crop)) for crop in others.crops])
    genuine = others.labels != FOREIGN_LABEL
    assert (found[genuine].argmin(axis=1) == others.labels[genuine]).all()
    assert found[~genuine].min() > 3 * found[genuine].min(axis=1).max()
    # three of the five numbers vary: the square of a normal vector's length in them has a mean of 3
    assert (found[genuine].min(axis=1) ** 2).mean() == pytest.approx(3, rel=0.25)


def test_an_embedding_that_is_the_same_for_all_known_coins_makes_no_distance_infinite():
    known = learn(samples(1), 2, lambda crop: np.zeros(6))
    distances = EmbeddingDistances(known)
    assert (distances.measure(np.zeros(6, np.float32)) == 0).all() and np.isfinite(
        distances.measure(np.full(6, 3, np.float32))
    ).all()


def test_a_few_coins_of_one_colour_are_enough_for_a_covariance():
    few = samples(1, 20).select(np.arange(20) < 4)
    known = learn(few, 2, lambda crop: np.full(40, crop.mean()))
    assert np.isfinite(EmbeddingDistances(known).measure(np.full(40, 90, np.float32))).all()
