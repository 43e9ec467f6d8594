"""embedding_stats: known coins lie near their label, foreign objects far from all."""

from collections.abc import Callable

import numpy as np
import pytest

from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.embedding import EmbeddingDistances, EmbeddingStats
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.vision.crop import CropSpec
from tests.conftest import needs_training

needs_training()

from coinsorter.training.export.embedding_stats import fit_embedding_stats
from coinsorter.training.recipe import AugmentSettings, Recipe, load_recipe
from coinsorter.training.samples.from_photos import read_frames
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples

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
    """The mean colours of a crop's middle, and two sums of them that add nothing."""
    red, green, blue = crop[4:12, 4:12].reshape(-1, 3).mean(axis=0)
    return np.array([red, green, blue, red + green, blue - red])


def make_samples(seed: int, count: int = 200) -> Samples:
    """Coins of one colour each, nearly alike within a label; every tenth is a foreign object."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    colours = np.array([[180, 120, 90], [90, 130, 180]])[labels]
    noisy = colours + rng.normal(0, [6, 3, 1], (count, 3))
    crops = np.tile(np.clip(noisy, 0, 255).astype(np.uint8)[:, None, None], (1, 16, 16, 1))
    is_foreign = np.arange(count) % 10 == 9
    crops[is_foreign] = 255
    labels = np.where(is_foreign, FOREIGN_LABEL, labels)
    return Samples(crops, labels, (None,) * count, np.zeros(count), np.arange(count))


def fit(samples: Samples, labels: int, embed: Callable[[np.ndarray], np.ndarray]) -> EmbeddingStats:
    return fit_embedding_stats(samples, labels, embed, SPEC, RECIPE)


def test_known_coins_lie_about_their_label_and_foreign_objects_far_from_all():
    meter = EmbeddingDistances(fit(make_samples(1), 2, embed))
    others = make_samples(2)
    distances = np.array([meter.measure(embed(crop)) for crop in others.crops])
    is_genuine = others.labels != FOREIGN_LABEL
    genuine = distances[is_genuine]
    assert (genuine.argmin(axis=1) == others.labels[is_genuine]).all()
    assert distances[~is_genuine].min() > 3 * genuine.min(axis=1).max()
    # three of the five numbers vary: a normal vector's squared length in them has a mean of 3
    assert (genuine.min(axis=1) ** 2).mean() == pytest.approx(3, rel=0.25)


def test_an_embedding_that_is_the_same_for_all_known_coins_makes_no_distance_infinite():
    meter = EmbeddingDistances(fit(make_samples(1), 2, lambda crop: np.zeros(6)))
    assert (meter.measure(np.zeros(6, np.float32)) == 0).all()
    assert np.isfinite(meter.measure(np.full(6, 3, np.float32))).all()


def test_a_few_coins_of_one_colour_are_enough_for_a_covariance():
    few = make_samples(1, 20).select(np.arange(20) < 4)
    meter = EmbeddingDistances(fit(few, 2, lambda crop: np.full(40, crop.mean())))
    assert np.isfinite(meter.measure(np.full(40, 90, np.float32))).all()


def test_the_whitening_is_stored_in_half_precision():
    stats = fit(make_samples(1), 2, embed)
    assert stats.whitening.dtype == np.float16
    assert stats.means.dtype == np.float32
    assert stats.means.shape == (2, 5)


def test_a_trained_bundle_measures_its_own_coins_nearer_than_noise(tiny, frames):
    classifier = Classifier(load_bundle(tiny), pick_runtime("auto"))
    recipe = load_recipe(tiny.parent / "recipe.yaml")
    coins = read_frames(frames, recipe, lambda *_: None).samples.crops
    genuine = [classifier.gather_evidence(crop).distances.min() for crop in coins]
    noise = np.random.default_rng(1).integers(0, 256, (20, 64, 64, 3), np.uint8)
    distances = [classifier.gather_evidence(crop).distances.min() for crop in noise]
    assert min(distances) > np.median(genuine)
