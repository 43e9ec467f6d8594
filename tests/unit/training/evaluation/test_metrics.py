"""metrics: figures that were worked out by hand, and laws that hold for all of them."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation import metrics
from coinsorter.training.evaluation.metrics import Curve, LabelScore, Proportion
from coinsorter.training.evaluation.predictions import Prediction
from tests.unit.training.evaluation.hand_counted import LABELS, PREDICTIONS, THRESHOLDS, predict


@pytest.fixture(scope="module")
def by_hand():
    return metrics.compute_metrics(PREDICTIONS, LABELS, THRESHOLDS)


def counts(proportion: Proportion) -> tuple[int, int]:
    return proportion.count, proportion.of


def test_images_are_counted_by_what_they_show(by_hand):
    assert by_hand.images == 11
    assert (by_hand.genuine, by_hand.foreign, by_hand.unlabelled) == (8, 2, 1)
    assert by_hand.no_coin == 1
    assert by_hand.foreign_folders == {"token": (1, 1), "washer": (1, 0)}


def test_with_every_coin_answered_a_coin_not_found_is_a_wrong_answer(by_hand):
    answers = by_hand.all_answered
    assert counts(answers.right) == (6, 8)
    assert answers.per_label["one"] == LabelScore(4, 1.0, 0.5, pytest.approx(2 / 3))
    assert answers.per_label["two"] == LabelScore(3, 0.75, 1.0, pytest.approx(6 / 7))
    assert answers.balanced_accuracy == pytest.approx((0.5 + 1 + 1) / 3)
    assert answers.macro_precision == pytest.approx((1 + 0.75 + 1) / 3)
    assert answers.macro_f1 == pytest.approx((2 / 3 + 6 / 7 + 1) / 3)


def test_the_confusion_matrix_has_a_column_for_coins_not_found(by_hand):
    matrix = by_hand.all_answered.confusion
    assert matrix.rows == LABELS
    assert matrix.columns == (*LABELS, "(no coin)")
    assert matrix.counts == ((2, 1, 0, 1), (0, 3, 0, 0), (0, 0, 1, 0))


def test_mistakes_are_listed_by_how_often_they_occur():
    truth, answers = ["a"] * 3 + ["b"] * 3, ["b", "a", "a", "a", "a", "b"]
    matrix = metrics.count_confusions(truth, answers, ("a", "b"))
    assert matrix.list_mistakes() == [("b", "a", 2), ("a", "b", 1)]


def test_the_machine_answers_for_wrong_labels_and_for_accepted_foreign_objects(by_hand):
    machine = by_hand.machine
    assert machine.accepted == 6
    assert counts(machine.genuine_accepted) == (5, 8)
    assert counts(machine.false_accepts) == (2, 6)
    assert counts(machine.wrong_labels) == (1, 5)
    assert counts(machine.foreign_accepted) == (1, 2)
    assert machine.rejected == {"anomaly": 1, "no-coin": 1, "unsure": 1}


def test_a_foreign_object_in_a_labels_bin_lowers_its_precision(by_hand):
    answers = by_hand.machine.answers
    assert answers.per_label["three"].precision == 0.5
    assert answers.confusion.rows == (*LABELS, "(foreign)")
    assert answers.confusion.counts[-1] == (0, 0, 1, 1)


def test_the_anomaly_score_is_measured_by_itself_and_only_where_a_coin_was_found(by_hand):
    """One of seven genuine scores is beyond 3, and one of two foreign ones.

    13 of 14 pairs of a genuine and a foreign coin are in order.
    """
    anomaly = by_hand.anomaly
    assert counts(anomaly.tpr) == (6, 7)
    assert counts(anomaly.tnr) == (1, 2)
    assert anomaly.auroc == pytest.approx(13 / 14)
    assert anomaly.caught_at_5 == 0.5
    assert (anomaly.roc.x[0], anomaly.roc.y[0]) == (0, 0)
    assert (anomaly.roc.x[-1], anomaly.roc.y[-1]) == (1, 1)


def test_risk_is_that_of_the_surest_coins_first(by_hand):
    """Four are right (coverage 4/8), the fifth wrong, two right again, the last was not found."""
    risk_coverage = by_hand.risk_coverage
    assert risk_coverage.curve.x == pytest.approx([k / 8 for k in range(1, 9)])
    assert risk_coverage.curve.y == pytest.approx([0, 0, 0, 0, 1 / 5, 1 / 6, 1 / 7, 2 / 8])
    assert risk_coverage.area == pytest.approx((1 / 5 + 1 / 6 + 1 / 7 + 1 / 4) / 8)
    assert risk_coverage.coverage_at == {"0.0001": 0.5, "0.001": 0.5, "0.01": 0.5}


def test_reliability_is_counted_by_tenths_of_confidence():
    confidence = np.array([0.9, 0.81, 0.95, 1.0, 0.0])
    correct = np.array([True, False, True, True, False])
    reliability = metrics.compute_reliability(confidence, correct)
    bins = [(b.low, *counts(b.right)) for b in reliability.bins]
    assert bins == [(0.0, 0, 1), (0.8, 1, 2), (0.9, 2, 2)]
    assert reliability.bins[1].confidence == pytest.approx(0.855)
    error = (0 + 2 * (0.855 - 0.5) + 2 * (1 - 0.975)) / 5
    assert reliability.expected_error == pytest.approx(error)


@pytest.mark.parametrize(
    "count, of, low, high, at_most",
    [
        (0, 10, 0.0, 0.3085, 0.2589),
        (1, 862, 0.00003, 0.00645, 0.00549),
        (5, 10, 0.1871, 0.8129, 0.7776),
        (10, 10, 0.6915, 1.0, 1.0),
    ],
)
def test_a_proportion_comes_with_clopper_and_pearsons_bounds(count, of, low, high, at_most):
    """The first, third and fourth are in textbooks; no error in n proves 1 - 0.05 ** (1 / n)."""
    proportion = Proportion.from_counts(count, of)
    bounds = [proportion.low_95, proportion.high_95, proportion.at_most_95]
    assert bounds == pytest.approx([low, high, at_most], abs=1e-4)


def test_figures_of_nothing_are_none_and_not_zero():
    nothing = metrics.compute_metrics([predict("one", "one")], LABELS, THRESHOLDS)
    assert nothing.anomaly.auroc is None
    assert nothing.anomaly.caught_at_5 is None
    assert nothing.anomaly.tnr.share is None
    assert nothing.machine.foreign_accepted == Proportion(0, 0, None, None, None, None)
    assert nothing.all_answered.per_label["two"] == LabelScore(0, None, None, None)
    assert nothing.all_answered.balanced_accuracy == 1.0
    assert metrics.compute_risk_coverage(np.empty(0), np.empty(0, bool)).area is None


def test_a_long_curve_is_stored_with_both_its_ends():
    values = np.linspace(0, 1, 5000)
    curve = Curve.sample(values, values**2)
    assert len(curve.x) == metrics.MAX_CURVE_POINTS
    assert (curve.x[0], curve.x[-1], curve.y[-1]) == (0, 1, 1)
    assert Curve.sample(np.empty(0), np.empty(0)) == Curve((), ())


COINS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans()), min_size=1, max_size=60
)


def risk_coverage_of(coins):
    confidence, correct = zip(*coins)
    return metrics.compute_risk_coverage(np.array(confidence), np.array(correct))


@given(COINS)
def test_at_full_coverage_the_risk_is_the_share_of_all_coins_that_is_wrong(coins):
    risk_coverage = risk_coverage_of(coins)
    wrong = np.mean([not correct for _, correct in coins])
    assert risk_coverage.curve.x[-1] == 1.0
    assert risk_coverage.curve.y[-1] == pytest.approx(wrong)
    assert list(risk_coverage.curve.x) == sorted(risk_coverage.curve.x)
    assert 0 <= risk_coverage.area <= 1


@given(COINS, st.randoms(use_true_random=False))
def test_the_order_in_which_coins_come_does_not_matter(coins, random):
    mixed = coins.copy()
    random.shuffle(mixed)
    assert risk_coverage_of(coins) == risk_coverage_of(mixed)


SCORES = st.lists(st.integers(0, 30).map(float), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_auroc_is_symmetric_and_blind_to_any_rising_scale(genuine, foreign):
    auroc = metrics.compute_auroc(genuine, foreign)
    rescaled = metrics.compute_auroc(np.exp(genuine).tolist(), np.exp(foreign).tolist())
    assert auroc == pytest.approx(1 - metrics.compute_auroc(foreign, genuine))
    assert auroc == pytest.approx(rescaled)
    assert metrics.compute_auroc(genuine, genuine) == pytest.approx(0.5)


@given(st.integers(0, 50), st.integers(1, 200))
def test_a_bound_is_above_the_share_and_falls_as_coins_are_added(count, more):
    fewer = Proportion.from_counts(count, count + 10)
    greater = Proportion.from_counts(count, count + 10 + more)
    assert fewer.low_95 <= fewer.share <= fewer.at_most_95 <= fewer.high_95 + 1e-12
    assert greater.at_most_95 < fewer.at_most_95


def with_membership(prediction: Prediction, membership: float) -> Prediction:
    return replace(prediction, membership=membership)


def test_the_gate_is_judged_by_itself_and_by_folder():
    every = [
        with_membership(predict("one", "one"), 2.0),
        with_membership(predict("two", "two"), -1.0),
        with_membership(predict("two", "one"), -1.5),
        with_membership(predict("token", "one"), -9.0),
        with_membership(predict("washer", "one"), 3.0),
        with_membership(predict("washer", ""), -inf),
    ]
    found = metrics.compute_metrics(every, LABELS, THRESHOLDS, has_gate=True).membership
    assert (found.tpr.count, found.tpr.of) == (2, 3), "at the threshold is enough"
    assert (found.tnr.count, found.tnr.of) == (1, 2), "what was not found does not count"
    assert found.by_folder == {"token": 1.0, "washer": 0.0}
    assert found.auroc == 0.5


def test_without_a_gate_there_are_no_figures_of_it(by_hand):
    assert by_hand.membership is None
