"""robust: the standard deviation that outliers leave alone, and what a count proves."""

import numpy as np
import pytest

from coinsorter.robust import clopper_pearson_upper, mad_std
from tests.conftest import needs_training

NORMAL = np.random.default_rng(1).normal(5.0, 2.0, 20_001)


def test_of_normal_values_it_is_their_standard_deviation():
    assert mad_std(NORMAL) == pytest.approx(2.0, rel=0.02)


def test_outliers_hardly_move_it():
    values = NORMAL.copy()
    values[:1000] = 1e9
    assert mad_std(values) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("center, expected", [(None, 0.0), (0.0, 3 * 1.4826), (5.0, 2 * 1.4826)])
def test_what_deviations_are_from_can_be_known(center, expected):
    assert mad_std(np.full(4, 3.0), center) == expected


@pytest.mark.parametrize(
    "count, total, bound", [(0, 59, 0.05), (0, 299, 0.01), (1, 10, 0.3942), (3, 3, 1.0)]
)
def test_a_count_bounds_the_proportion(count, total, bound):
    """Clopper and Pearson's, as tables have it: no error in 59 proves less than 5 %."""
    needs_training()
    assert clopper_pearson_upper(count, total, 0.95) == pytest.approx(bound, abs=0.0005)
