"""relief_gallery: known coins are stored small, none more than asked for."""

import numpy as np
import pytest

from coinsorter.recognition.relief import (
    CHANNELS,
    DIMENSIONS,
    FREQUENCIES,
    RADII,
    ReliefMatcher,
)
from coinsorter.vision.crop import CropSpec
from tests.conftest import needs_training

needs_training()

from coinsorter.training.export.relief_gallery import build_gallery
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Thirty crops of noise, of two labels and of foreign objects in turn."""
    rng = np.random.default_rng(1)
    crops = rng.integers(0, 256, (30, 64, 64, 3), np.uint8)
    labels = np.resize([0, 1, FOREIGN_LABEL], 30)
    return Samples(crops, labels, (None,) * 30, np.zeros(30), np.arange(30))


def test_so_many_coins_of_each_label_are_stored_and_no_foreign_object(samples):
    gallery = build_gallery(samples, SPEC, 7, seed=1)
    assert np.bincount(gallery.labels).tolist() == [7, 7]
    assert gallery.spectra.shape == (14, DIMENSIONS, FREQUENCIES, 2)
    assert gallery.projection.shape == (DIMENSIONS, CHANNELS * RADII)


def test_the_same_seed_stores_the_same_coins(samples):
    first, again, other = (build_gallery(samples, SPEC, 7, seed) for seed in (1, 1, 2))
    assert (first.spectra == again.spectra).all()
    assert (first.spectra != other.spectra).any()


def test_the_projections_rows_are_orthonormal(samples):
    projection = build_gallery(samples, SPEC, 7, seed=1).projection
    assert projection @ projection.T == pytest.approx(np.eye(DIMENSIONS), abs=1e-5)


def test_a_stored_coin_is_most_similar_to_its_own_label(samples):
    gallery = build_gallery(samples, SPEC, 1, seed=1)
    matcher = ReliefMatcher(gallery, SPEC, 2)
    similarity = np.array([matcher.compare(crop) for crop in samples.crops])
    best = similarity.argmax(axis=0)
    assert samples.labels[best].tolist() == [0, 1]
