"""membership: log odds of any label against none, whatever the logits are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.recognition.membership import compare_labels, compute_membership

logits = st.lists(st.floats(-50, 50), min_size=2, max_size=9)


@given(logits)
def test_it_is_the_log_odds_of_the_softmax(values):
    probabilities = np.exp(np.array(values) - max(values))
    own, none_of_these = probabilities[:-1].sum(), probabilities[-1]
    expected = np.log(own) - np.log(none_of_these)
    assert compute_membership(np.array(values)) == pytest.approx(expected, abs=1e-6)


@given(logits, st.floats(-20, 20))
def test_it_does_not_change_where_all_logits_do(values, shift):
    array = np.array(values)
    assert compute_membership(array + shift) == pytest.approx(compute_membership(array), abs=1e-6)


def test_two_labels_that_are_equally_likely_are_as_good_as_one_that_is_sure():
    doubtful = compute_membership(np.array([4.0, 4.0, 0.0]))
    assert doubtful == pytest.approx(4.0 + np.log(2))


@given(logits)
def test_labels_are_compared_with_the_likeliest_and_taught_ones_are_neither_for_nor_against(values):
    array = np.array(values)
    compared = compare_labels(array, len(values) + 1)
    assert compared.dtype == np.float32
    assert compared.max() == 0 and compared[len(values) - 1 :].tolist() == [0, 0]
    assert compared[: len(values) - 1] == pytest.approx(array[:-1] - array[:-1].max(), abs=1e-4)
