"""trained_networks: what networks are trained, quantised and asked with."""

from types import SimpleNamespace

import numpy as np

from coinsorter.training.samples.samples import FOREIGN_LABEL
from tests.conftest import needs_training

needs_training()

from coinsorter.training.trained_networks import choose_crops, choose_detector_fold, choose_genuine
from tests.unit.training.fitting.coloured import make_coloured_samples


def make_mixed():
    samples = make_coloured_samples()
    labels = samples.labels.copy()
    labels[::3] = FOREIGN_LABEL
    object.__setattr__(samples, "labels", labels)
    return samples


def test_only_genuine_coins_are_chosen_and_the_same_ones_again():
    samples = make_mixed()
    chosen = choose_genuine(samples, 5, seed=1)
    assert chosen.sum() == 5
    assert samples.is_genuine[chosen].all()
    assert (choose_genuine(samples, 5, seed=1) == chosen).all()
    assert choose_genuine(samples, 10_000, seed=1).sum() == samples.is_genuine.sum()


def test_chosen_crops_are_those_of_the_chosen_coins():
    samples = make_mixed()
    crops = choose_crops(samples, 5, seed=1)
    assert np.array_equal(crops, samples.crops[np.flatnonzero(choose_genuine(samples, 5, seed=1))])


def test_the_defect_detector_is_judged_by_the_first_fold_of_most_labels():
    folds = [
        (None, SimpleNamespace(labels=np.array(labels))) for labels in ([0], [0, 1], [1, 0, 0])
    ]
    assert choose_detector_fold(SimpleNamespace(folds=folds)) == 1
