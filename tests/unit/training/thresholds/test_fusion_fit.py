"""fusion_fit: every kind of evidence counts for what it says."""

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import needs_training

needs_training()

from coinsorter.training.thresholds.fusion_fit import (
    DEGREES_OF_FREEDOM,
    MIN_DIAMETER_STD,
    MIN_DIAMETER_WEIGHT,
    fit_fusion,
)
from coinsorter.training.thresholds.heldout import HeldOut
from tests.unit.training.thresholds.helpers import LABELS, make_heldout


def with_similarities(held: HeldOut, gain: float) -> HeldOut:
    """The same coins with similarities by chance, and so much more to their own label."""
    similarities = np.random.default_rng(3).normal(0.3, 0.01, held.similarities.shape)
    similarities[np.arange(len(held)), held.labels] += gain
    return replace(held, similarities=similarities)


def test_reliefs_count_for_what_they_say():
    held = make_heldout(800, wrong=60)
    telling = fit_fusion(with_similarities(held, 0.05), LABELS)
    silent = fit_fusion(with_similarities(held, 0.0), LABELS)
    assert telling.relief_weight / telling.temperature > 40
    assert silent.relief_weight / silent.temperature < 15
    weighed = with_similarities(held, 0.05).combine(telling)
    is_right = weighed.logits[:, :-1].argmax(axis=1) == held.labels
    assert is_right[:60].mean() > 0.8


def test_without_reliefs_and_gate_their_weights_are_0():
    fusion = fit_fusion(make_heldout(100, wrong=0), LABELS)
    assert fusion.relief_weight == fusion.gate_weight == 0


def test_a_gate_counts_for_what_it_says_of_labels():
    """The classifier takes 60 coins for another label, each of which the gate knows."""
    held = make_heldout(800, wrong=60)
    knows = np.full((800, 2), -9.0)
    knows[np.arange(800), held.labels] = 0.0
    guesses = np.random.default_rng(4).permuted(knows, axis=1)
    telling = fit_fusion(replace(held, gate_logits=knows), LABELS)
    silent = fit_fusion(replace(held, gate_logits=guesses), LABELS)
    assert telling.gate_weight > 5 * silent.gate_weight
    combined = replace(held, gate_logits=knows).combine(telling)
    assert (combined.logits[:, :-1].argmax(axis=1) == held.labels)[:60].mean() > 0.8


def test_the_diameters_scatter_is_measured_by_its_median():
    held = make_heldout(4000, wrong=0)
    diameters_mm = held.diameters_mm.copy()
    wide = np.random.default_rng(1).normal(1, 0.01, 4000)
    odd = replace(held, diameters_mm=np.where(np.arange(4000) < 100, 60, diameters_mm * wide))
    assert fit_fusion(odd, LABELS).diameter_std == pytest.approx(0.0102, rel=0.1)


def test_the_diameters_scatter_is_never_taken_for_less_than_another_day_has():
    assert fit_fusion(make_heldout(100, wrong=0), LABELS).diameter_std == MIN_DIAMETER_STD


def test_coins_without_diameters_get_the_expected_scatter_and_full_weight():
    held = make_heldout(100, wrong=0)
    crops = replace(held, diameters_mm=np.full(100, np.nan))
    fusion = fit_fusion(crops, LABELS, expected_std=0.012)
    assert fusion.diameter_std == 0.012
    assert fusion.diameter_weight == 1


def test_networks_without_a_mistake_are_trusted_no_more_than_their_logits_say():
    fusion = fit_fusion(make_heldout(500, wrong=0), LABELS)
    assert fusion.temperature == pytest.approx(1, abs=0.01)
    assert MIN_DIAMETER_WEIGHT <= fusion.diameter_weight <= 1
    assert fusion.degrees_of_freedom == DEGREES_OF_FREEDOM
