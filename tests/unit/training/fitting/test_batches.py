"""batches: their order and changes follow from seed, epoch and place, whatever came before."""

import numpy as np
import pytest

from coinsorter.training.samples.samples import Samples
from tests.conftest import needs_training

needs_training()

from coinsorter.training.fitting.batches import (
    PREDICT_BATCH,
    BatchPlan,
    TrainingBatches,
    ValidationBatches,
)


def make_batch(places: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The places themselves, and a random number."""
    return places, rng.random(1)


def make_plan(seed: int = 1) -> BatchPlan:
    return BatchPlan(count=10, repeat=2, size=8, seed=[seed], make=make_batch)


def test_an_epoch_has_each_crop_as_often_as_is_wanted():
    batches = TrainingBatches(make_plan())
    places = np.concatenate([batches[number][0] for number in range(len(batches))])
    assert [len(batches[number][0]) for number in range(len(batches))] == [8, 8, 4]
    assert np.bincount(places).tolist() == [2] * 10


def test_another_epoch_or_seed_has_another_order():
    batches = TrainingBatches(make_plan())
    first = batches[0]
    batches.on_epoch_end()
    assert (batches[0][0] != first[0]).any()
    assert (TrainingBatches(make_plan(seed=2))[0][0] != first[0]).any()


def test_a_training_that_goes_on_sees_the_same_batches():
    whole = TrainingBatches(make_plan())
    for _ in range(3):
        whole.on_epoch_end()
    resumed = TrainingBatches(make_plan(), epoch=3)
    for number in (2, 0, 1):  # Keras may ask in any order
        for one, other in zip(whole[number], resumed[number]):
            assert (one == other).all()


@pytest.mark.parametrize("count", [PREDICT_BATCH, PREDICT_BATCH + 1])
def test_validation_has_every_crop_once_as_it_is(count):
    crops = np.zeros((count, 8, 8, 3), np.uint8) + np.arange(count)[:, None, None, None].astype(
        np.uint8
    )
    labels = np.arange(count) % 3
    samples = Samples(crops, labels, (None,) * count, np.zeros(count), np.arange(count))
    batches = ValidationBatches(samples, labels, lambda crops: crops.astype(np.float32))
    inputs = np.concatenate([batches[number][0] for number in range(len(batches))])
    assert len(batches) == -(-count // PREDICT_BATCH)
    assert inputs.dtype == np.float32
    assert (inputs == crops).all()
    assert np.concatenate([batches[n][1] for n in range(len(batches))]).tolist() == labels.tolist()
