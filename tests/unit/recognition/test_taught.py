"""taught: a taught label is likelier than the nearest trained one where it lies nearer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.recognition.taught import MAX_RATIO, add_taught_logits

LOGITS = np.array([2.0, 5.0, -1.0], np.float32)  # of two trained labels and none of these


def test_without_taught_labels_logits_are_as_they_are():
    assert add_taught_logits(LOGITS, np.array([3.0, 4.0], np.float32)) is LOGITS


@pytest.mark.parametrize("taught, is_likelier", [(1.0, True), (4.0, False), (2.9, True)])
def test_what_lies_nearer_is_likelier_than_the_nearest_trained_label(taught, is_likelier):
    distances = np.array([6.0, 3.0, taught], np.float32)
    logits = add_taught_logits(LOGITS, distances)
    assert logits.shape == (4,) and logits.dtype == np.float32
    assert (logits[2] > logits[1]) == is_likelier
    assert (logits[:2] == LOGITS[:2]).all() and logits[-1] == LOGITS[-1]


@given(st.lists(st.floats(0, 1e4, width=32), min_size=3, max_size=6))
def test_a_taught_logit_is_finite_and_never_far_from_a_trained_one(distances):
    logits = add_taught_logits(LOGITS, np.array(distances, np.float32))
    assert len(logits) == len(distances) + 1 and np.isfinite(logits).all()
    assert np.abs(logits[2:-1, None] - LOGITS[:2]).min(axis=1).max() <= MAX_RATIO + 1e-5
