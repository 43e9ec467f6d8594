"""anomaly_fit: what genuine coins are like in each part of the score, and what each part weighs."""

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import needs_training

needs_training()

from coinsorter.training.thresholds.anomaly_fit import (
    WEIGHTS,
    assign_labels,
    find_reach,
    fit_anomaly,
    score_label,
    score_taken_for,
)
from coinsorter.training.thresholds.fusion_fit import fit_fusion
from tests.unit.training.thresholds.helpers import (
    LABELS,
    fit_all,
    make_full_heldout,
    make_heldout,
)


def test_scores_are_in_standard_deviations_of_genuine_coins():
    scales, _ = fit_all(make_heldout(4000, wrong=0))
    for scale in scales.values():
        assert scale.median == pytest.approx(5, abs=0.03)
        assert scale.mad_std == pytest.approx(0.2, rel=0.1)


def test_a_part_weighs_less_the_further_genuine_coins_stray_in_it():
    held = make_full_heldout(600)
    rare = np.where(np.arange(600) % 20 == 0, 12.0, 0.0)  # some genuine coins look damaged
    _, fusion = fit_all(replace(held, defect_logits=held.defect_logits + rare))
    others = fusion.reconstruction_weight, fusion.similarity_weight, fusion.distance_weight
    assert 0 < fusion.defect_weight < 0.4 * min(others)
    assert sum(getattr(fusion, name) for name in WEIGHTS) == pytest.approx(1, abs=1e-3)


def test_the_combined_score_of_genuine_coins_lies_about_0():
    held = make_full_heldout(600)
    scales, fusion = fit_all(held)
    assert scales["a"].distance.median == pytest.approx(2, abs=0.05)
    assert scales["a"].distance.mad_std == pytest.approx(0.2, rel=0.15)
    genuine = score_label(held.select_label(0), 0, scales["a"], fusion)
    assert np.median(genuine) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    "odd",
    [
        {"similarities": 0.5},
        {"defect_logits": 8.0},
        {"distances": np.exp(4.0)},
        {"reconstruction_errors": np.exp(7.0)},
        {"reconstruction_errors": np.exp(3.0)},
    ],
    ids=["unlike", "damaged", "far", "copied badly", "copied too well"],
)
def test_a_coin_that_is_odd_in_one_part_stands_out_however_good_the_others_are(odd):
    held = make_full_heldout(600)
    scales, fusion = fit_all(held)
    own = held.select_label(0)
    best = {
        "similarities": 0.9,
        "defect_logits": -9.0,
        "distances": 0.1,
        "reconstruction_errors": np.exp(5.0),
    } | odd
    foreign = replace(
        own, **{part: np.full_like(getattr(own, part), value) for part, value in best.items()}
    )
    genuine = score_label(own, 0, scales["a"], fusion)
    assert score_label(foreign, 0, scales["a"], fusion).min() > np.quantile(genuine, 0.995)


def test_parts_that_a_bundle_does_not_have_weigh_nothing():
    scales, fusion = fit_all(make_heldout(60, wrong=0))
    assert [getattr(fusion, name) for name in WEIGHTS] == [1, 0, 0, 0]
    assert scales["a"].similarity is scales["a"].defect is scales["a"].distance is None


def test_a_single_coin_of_each_label_is_enough():
    held = make_heldout(60, wrong=0)
    other = int(np.flatnonzero(held.labels != held.labels[0])[0])
    one = held.select(np.array([0, other]))
    _, fusion = fit_anomaly(one, LABELS, fit_fusion(held, LABELS), 0.01)
    assert fusion.reconstruction_weight == 1


def test_a_foreign_object_is_taken_for_the_label_that_its_images_show():
    held = make_heldout(20, wrong=0)
    foreign = replace(held, labels=np.full(20, -1))
    taken = assign_labels(foreign, LABELS, fit_fusion(held, LABELS))
    assert (taken.labels == held.labels).all()
    assert (assign_labels(held, LABELS, fit_fusion(held, LABELS)).labels == held.labels).all()


def test_each_coin_is_scored_as_the_label_that_it_is_taken_for():
    held = make_full_heldout(40)
    scales, fusion = fit_all(held)
    taken_for = 1 - held.labels
    scores = score_taken_for(held, taken_for, LABELS, scales, fusion)
    as_b = score_label(held.select(np.flatnonzero(taken_for == 1)), 1, scales["b"], fusion)
    assert (scores[taken_for == 1] == as_b).all()


def test_reach_leaves_a_share_beyond_it():
    assert find_reach(0.1, np.arange(101.0)) == 90
    assert find_reach(0.1, np.empty(0)) == 0
