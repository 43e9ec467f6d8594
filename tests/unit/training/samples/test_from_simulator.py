"""from_simulator: what is rendered is found again, with its label and size."""

import numpy as np
import pytest

from coinsorter.simulator import coins
from coinsorter.simulator.currency import DENOMINATIONS
from coinsorter.training.samples.from_simulator import FIRST_SIMULATED_GROUP, simulate_samples
from coinsorter.training.samples.samples import FOREIGN_LABEL
from coinsorter.vision.crop import FILL, CropSpec, mask_coin

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
COUNT = 2 * len(DENOMINATIONS)


@pytest.fixture(scope="module")
def genuine():
    reports = []
    samples = simulate_samples(coins.GENUINE, COUNT, SPEC, ("ring",), [1, 2], reports.append)
    assert reports == [COUNT]
    return samples


def test_each_denomination_is_rendered_as_often(genuine):
    assert len(genuine) >= COUNT - 1  # one may not be found
    counts = np.bincount(genuine.labels, minlength=len(DENOMINATIONS))
    assert set(counts) <= {1, 2}


def test_coins_are_measured_to_their_size(genuine):
    nominal_mm = [DENOMINATIONS[label].diameter_mm for label in genuine.labels]
    assert genuine.diameters_mm == pytest.approx(nominal_mm, rel=0.03)


def test_every_item_is_a_group_beyond_those_of_photographs(genuine):
    assert len(np.unique(genuine.groups)) == len(genuine)
    assert genuine.groups.min() >= FIRST_SIMULATED_GROUP


def test_crops_are_grey_outside_of_the_coin(genuine):
    assert (genuine.crops[:][:, mask_coin(SPEC) == 0] == FILL).all()


def test_foreign_objects_have_no_label():
    samples = simulate_samples("token", 6, SPEC, ("ring",), [1, 3], lambda done: None)
    assert len(samples) >= 5
    assert (samples.labels == FOREIGN_LABEL).all()


def test_nothing_is_rendered_where_nothing_is_wanted():
    assert len(simulate_samples("token", 0, SPEC, (), [1, 3], lambda done: None)) == 0
