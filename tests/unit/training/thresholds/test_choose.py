"""choose: thresholds keep the error budget, and the proof says what the sample supports."""

from dataclasses import replace
from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.recognition.bundle import LabelThresholds
from coinsorter.records import SORTED, Coin, Verdict
from coinsorter.sorting.acceptance import Rules, decide
from tests.conftest import needs_training

needs_training()

from coinsorter.training.recipe import Budget
from coinsorter.training.thresholds.anomaly_fit import score_label
from coinsorter.training.thresholds.choose import (
    MIN_ANOMALY_THRESHOLD,
    accept_heldout,
    choose_thresholds,
    prove_budget,
)
from coinsorter.training.thresholds.heldout import HeldOut
from tests.unit.training.thresholds.helpers import (
    LABELS,
    fit_all,
    make_full_heldout,
    make_heldout,
)


def choose(held: HeldOut, budget: Budget, anomalies: HeldOut | None = None):
    scales, fusion = fit_all(held)
    return choose_thresholds([held], LABELS, fusion, scales, budget, anomalies)


def test_thresholds_keep_the_genuine_coins_that_they_promise_to_keep():
    held = make_heldout(4000, wrong=0)
    thresholds, proof = choose(held, Budget(wrong=1e-3, genuine_rejected=0.01))
    assert proof["held_out_accepted"] >= 0.99 * 4000
    assert proof["held_out_wrong"] == 0
    for own in thresholds.values():
        assert 0 < own.min_confidence < 1
        assert own.max_anomaly >= MIN_ANOMALY_THRESHOLD


def test_no_error_in_n_coins_proves_three_over_n_at_most():
    _, proof = choose(make_heldout(3000, wrong=0), Budget(wrong=1.1e-3))
    assert proof["wrong_at_most_95"] == pytest.approx(3 / 3000, rel=0.02)
    assert proof["proven"]


def test_too_few_coins_prove_nothing():
    _, proof = choose(make_heldout(300, wrong=0), Budget(wrong=1.1e-3))
    assert not proof["proven"]


def test_networks_that_are_surely_wrong_now_and_then_are_trusted_with_nothing():
    """One in a hundred is wrong at full confidence; no threshold promises one in a thousand."""
    _, proof = choose(make_heldout(2000, wrong=20), Budget(wrong=1e-3, genuine_rejected=0.01))
    assert proof["held_out_accepted"] == 0
    assert proof["wrong_at_most_95"] == 1
    assert not proof["proven"]


def test_a_few_wrong_coins_are_counted_in_the_proof():
    _, proof = choose(make_heldout(4000, wrong=4), Budget(wrong=0.01, genuine_rejected=0.01))
    assert proof["held_out_wrong"] == 4
    assert 4 / 4000 < proof["wrong_at_most_95"] < 0.01
    assert proof["proven"]


def test_one_coin_that_was_measured_wrongly_does_not_widen_its_labels_tolerance():
    held = make_heldout(300, wrong=0)
    first = held.labels.tolist().index(0)
    shrunk = np.where(np.arange(300) == first, 0.7, 1)
    mistaken = replace(held, diameters_mm=held.diameters_mm * shrunk)
    budget = Budget(wrong=0.05, genuine_rejected=0.02)
    right_mm = choose(held, budget)[0]["a"].tolerance_mm
    wide_mm = choose(mistaken, budget)[0]["a"].tolerance_mm
    assert wide_mm == pytest.approx(right_mm, rel=0.2)
    assert wide_mm < 2


def test_foreign_objects_move_the_anomaly_threshold_to_where_it_separates_best():
    held = make_heldout(600, wrong=0)
    others = make_heldout(200, wrong=0, seed=1)
    # 2.5 standard deviations off: below the threshold that genuine coins alone would have
    far = replace(others, reconstruction_errors=others.reconstruction_errors * np.exp(0.2 * 2.5))
    scales, fusion = fit_all(held)
    alone = choose(held, Budget(wrong=0.1))[0]["a"].max_anomaly
    separating = choose(held, Budget(wrong=0.1), far)[0]["a"].max_anomaly
    assert separating < MIN_ANOMALY_THRESHOLD <= alone
    genuine = score_label(held.select_label(0), 0, scales["a"], fusion)
    foreign = score_label(far.select_label(0), 0, scales["a"], fusion)
    assert (genuine > separating).mean() < 0.2
    assert (foreign > separating).mean() > 0.8


def test_foreign_objects_without_defect_logits_have_no_say_where_the_score_needs_them():
    held = make_full_heldout(600)
    others = make_full_heldout(200).without_defects()
    budget = Budget(wrong=0.1)
    assert choose(held, budget, others)[0] == choose(held, budget)[0]


THRESHOLDS = {
    "a": LabelThresholds(min_confidence=0.9, max_anomaly=4.0, tolerance_mm=0.5, n=1),
    "b": LabelThresholds(min_confidence=0.8, max_anomaly=3.0, tolerance_mm=0.25, n=1),
}
RULES = Rules(
    {label.name: THRESHOLDS[label.name].bind(label.diameter_mm) for label in LABELS},
    {label.name: label.name for label in LABELS},
    "reject",
)
numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)
coins = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(st.sampled_from([0.8, 0.9, 1.0, nan]), numbers),
        st.one_of(st.sampled_from([3.0, 4.0, nan]), numbers),
        st.one_of(st.sampled_from([19.5, 20.0, 20.5, 24.75, 25.25, 25.5, nan]), numbers),
    ),
    min_size=1,
    max_size=20,
)


def accept(coins: list[tuple[int, float, float, float]]) -> np.ndarray:
    best, confidence, scores, diameters_mm = (np.array(column) for column in zip(*coins))
    held = replace(make_heldout(len(coins), wrong=0), diameters_mm=diameters_mm)
    return accept_heldout(held, LABELS, THRESHOLDS, best, confidence, scores)


def sort(label: int, confidence: float, anomaly: float, diameter_mm: float) -> str:
    coin = Coin(1, (), (), diameter_mm, 0, 0, 0, 250, 1, 1, alone=True)
    verdict = Verdict(LABELS[label].name, confidence, 1.0, "", anomaly, diameter_mm)
    return decide(coin, verdict, RULES).reason


@settings(max_examples=300, deadline=None)
@given(coins)
def test_the_proof_accepts_what_the_machine_accepts(coins):
    known = [*coins, (0, 0.0, 0.0, 20.0)]  # so that some coin has a diameter
    accepted = accept(known)
    assert accepted.tolist() == [sort(*coin) == SORTED for coin in known]


@pytest.mark.parametrize(
    "coin",
    [(0, nan, 0.0, 20.0), (0, 1.0, nan, 20.0), (0, 1.0, 0.0, nan)],
    ids=["confidence", "anomaly", "diameter"],
)
def test_what_is_not_a_number_is_rejected_in_the_proof_and_on_the_machine(coin):
    genuine = (0, 1.0, 0.0, 20.0)
    assert accept([genuine, coin]).tolist() == [True, False]
    assert sort(*genuine) == SORTED != sort(*coin)


def test_where_no_coin_has_a_diameter_none_is_checked():
    assert accept([(0, 1.0, 0.0, nan), (1, 1.0, 0.0, nan)]).all()
    assert not accept([(0, 0.5, 0.0, nan)]).any()


def test_the_proof_counts_only_the_days_own_coins():
    held = make_heldout(200, wrong=0)
    scales, fusion = fit_all(held)
    budget = Budget(wrong=0.1)
    thresholds, proof = choose_thresholds([held] * 3, LABELS, fusion, scales, budget)
    assert proof == prove_budget(held, LABELS, thresholds, scales, fusion, budget)
    assert sum(own.n for own in thresholds.values()) == proof["held_out"] == 200


def with_gate(held: HeldOut, memberships: np.ndarray) -> HeldOut:
    return replace(held, memberships=memberships)


def test_the_gates_threshold_rejects_no_more_coins_than_its_part_of_the_budget():
    rng = np.random.default_rng(4)
    memberships = rng.normal(-2, 1, 2000)
    held = with_gate(make_full_heldout(2000), memberships)
    thresholds, _ = choose(held, Budget(wrong=0.1, genuine_rejected=0.02))
    (lowest,) = {own.min_membership for own in thresholds.values()}
    assert lowest == pytest.approx(np.quantile(memberships, 0.005), abs=2e-3)


def test_the_gate_never_asks_for_more_than_even_odds():
    held = with_gate(make_full_heldout(300), np.full(300, 6.0))
    assert {own.min_membership for own in choose(held, Budget(wrong=0.1))[0].values()} == {0.0}


def test_without_a_gate_there_is_no_threshold_for_it():
    thresholds, _ = choose(make_full_heldout(300), Budget(wrong=0.1))
    assert {own.min_membership for own in thresholds.values()} == {None}


@pytest.mark.parametrize("membership, accepted", [(-1.5, True), (-1.501, False), (nan, False)])
def test_the_proof_asks_the_gate_as_the_machine_does(membership, accepted):
    held = with_gate(make_heldout(1, wrong=0), np.array([membership]))
    strict = {
        name: own.model_copy(update={"min_membership": -1.5}) for name, own in THRESHOLDS.items()
    }
    best, ones = held.labels, np.ones(1)
    assert accept_heldout(held, LABELS, strict, best, ones, 0 * ones).tolist() == [accepted]
