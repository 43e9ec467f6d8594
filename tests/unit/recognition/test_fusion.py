"""fusion: images and diameter become probabilities, for one coin and for a table of coins alike."""

from math import exp, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.recognition.bundle import Fusion
from coinsorter.recognition.fusion import (
    FOREIGN_DIAMETER_RANGE,
    combine_logits,
    compute_diameter_log_likelihoods,
    compute_log_posterior_array,
    compute_log_posteriors,
    log_softmax,
)

FUSION = Fusion(temperature=1.5, diameter_std=0.01, degrees_of_freedom=4, diameter_weight=0.8)
NOMINAL_MM = [18.0, 27.5]
LOGITS = st.lists(st.floats(-20, 20), min_size=3, max_size=3)
DIAMETERS_MM = st.one_of(st.floats(5, 60), st.just(nan))


@given(st.lists(st.floats(-500, 500), min_size=1, max_size=9))
def test_a_softmax_adds_up_to_one_and_keeps_the_order(values):
    logs = log_softmax(values)
    assert sum(map(exp, logs)) == pytest.approx(1)
    assert all(a <= b for (_, a), (_, b) in zip(*[iter(sorted(zip(values, logs)))] * 2))


def test_a_measured_diameter_speaks_for_the_label_of_that_size():
    posteriors = compute_log_posteriors([1.0, 1.0, -3.0], 27.4, 0.0, NOMINAL_MM, FUSION)
    assert posteriors.image[0] == posteriors.image[1]
    assert posteriors.fused[1] > posteriors.fused[0] + 5


def test_a_diameter_of_no_label_speaks_for_a_foreign_object():
    fused = compute_log_posteriors([1.0, 1.0, 1.0], 22.0, 0.0, NOMINAL_MM, FUSION).fused
    assert fused[2] == max(fused)


def test_an_unknown_diameter_leaves_the_images_their_say():
    posteriors = compute_log_posteriors([2.0, 1.0, 0.0], nan, 0.0, NOMINAL_MM, FUSION)
    assert posteriors.fused == posteriors.image


def test_a_diameter_counts_less_where_the_scale_is_known_badly():
    sure = compute_log_posteriors([0.0, 0.0, 0.0], 18.0, 0.0, NOMINAL_MM, FUSION).fused
    unsure = compute_log_posteriors([0.0, 0.0, 0.0], 18.0, 0.3, NOMINAL_MM, FUSION).fused
    assert sure[0] - sure[1] > unsure[0] - unsure[1] > 0


def test_a_foreign_object_may_have_any_diameter():
    for diameter_mm in (10.0, 18.0, 40.0):
        likelihoods = compute_diameter_log_likelihoods(diameter_mm, NOMINAL_MM, FUSION)
        assert likelihoods[-1] == -log(FOREIGN_DIAMETER_RANGE)


@given(st.lists(st.tuples(LOGITS, DIAMETERS_MM, st.floats(0, 0.1)), min_size=1, max_size=6))
def test_a_table_is_fused_as_its_coins_are_one_by_one(coins):
    logits, diameters_mm, sems = (np.array(column) for column in zip(*coins))
    table = compute_log_posterior_array(logits, diameters_mm, sems, NOMINAL_MM, FUSION)
    for row, (own_logits, diameter_mm, sem) in zip(table, coins):
        one = compute_log_posteriors(own_logits, diameter_mm, sem, NOMINAL_MM, FUSION)
        assert row.tolist() == one.fused


def weigh(**weights: float) -> Fusion:
    return FUSION.model_copy(update={"relief_weight": 0.0, "gate_weight": 0.0} | weights)


def test_reliefs_and_gate_count_only_where_the_bundle_weighs_them():
    logits, likely_first = np.zeros(3, np.float32), np.array([0.4, 0.1], np.float32)
    likely_second = likely_first[::-1].copy()
    neither = combine_logits(logits, likely_first, likely_second, weigh())
    by_relief = combine_logits(logits, likely_first, likely_second, weigh(relief_weight=30.0))
    by_gate = combine_logits(logits, likely_first, likely_second, weigh(gate_weight=2.0))
    assert neither is logits
    assert by_relief[0] > by_relief[1] and by_gate[0] < by_gate[1]
    assert by_gate.tolist() == pytest.approx([0.2, 0.8, 0.0])


def test_relief_and_gate_are_added_to_one_coin_as_to_many():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (5, 4)).astype(np.float32)
    similarities = rng.uniform(0, 1, (5, 3)).astype(np.float32)
    gate_logits = rng.normal(0, 3, (5, 3)).astype(np.float32)
    fusion = weigh(relief_weight=42.5, gate_weight=0.7)
    table = combine_logits(logits, similarities, gate_logits, fusion)
    for row in range(5):
        own = combine_logits(logits[row], similarities[row], gate_logits[row], fusion)
        assert (own == table[row]).all()
