"""baseline: a forest that sees no burst twice, and a one-class SVM that knows its own coins."""

import numpy as np
import pytest

from tests.conftest import needs_training

needs_training()

from coinsorter.training.features import baseline
from tests.unit.training.features.conftest import build_table, ignore_progress

GROUPS = np.repeat(np.arange(12), 8).tolist()
TWO_LABELS = ["ab"[group % 2] for group in GROUPS]


@pytest.fixture(scope="module")
def honest():
    table = build_table(GROUPS, TWO_LABELS)
    return baseline.cross_validate(table, table.coins, 5, ignore_progress)


def test_what_only_the_burst_gives_away_is_worth_nothing(honest):
    """Each burst has its own value, the same for all its images: a random split would be right."""
    leaky = build_table(GROUPS, TWO_LABELS, burst_std=5.0)
    by_burst = baseline.cross_validate(leaky, leaky.coins, 5, ignore_progress)
    assert by_burst.answers.right.share < 0.75
    assert honest.answers.right.share == 1.0


def test_importance_is_what_is_lost_without_a_measure(honest):
    assert honest.importance["size_outline_mm"] > 0.3
    assert abs(honest.importance["edge_noise"]) < 0.05
    assert list(honest.families) == ["size", "edge"]
    assert honest.telling[0] == "size_outline_mm"


def test_a_forest_is_evaluated_on_another_table():
    train = build_table([1, 1, 2, 2] * 4, ["a", "a", "z", "z"] * 4)
    test = build_table([1, 2], ["z", "z"])
    result = baseline.train_and_test(train, train.coins, test, test.coins, "trained on one")
    assert result.how == "trained on one"
    assert (result.answers.right.count, result.answers.right.of) == (2, 2)


def test_one_label_is_nothing_to_tell_apart():
    table = build_table([1, 2], ["a", "a"])
    assert baseline.choose_folds(table.coins) == baseline.ONE_LABEL
    answer = baseline.train_and_test(table, table.coins, table, table.coins, "")
    assert answer == baseline.ONE_LABEL


def test_labels_of_a_single_burst_are_named():
    table = build_table([1, 2, 3, 3], ["a", "a", "b", "c"])
    assert "b, c are one burst" in baseline.choose_folds(table.coins)


def test_there_are_as_many_folds_as_the_fewest_bursts_and_at_most_five():
    few = build_table([1, 2, 3, 4, 5], ["a", "a", "b", "b", "b"])
    assert baseline.choose_folds(few.coins) == 2
    many = build_table(list(range(14)), ["a", "b"] * 7)
    assert baseline.choose_folds(many.coins) == 5


def test_where_sizes_are_in_mm_those_in_pixels_are_not_used():
    table = build_table([1], ["a"])
    measures = table.coins[0].measures
    assert baseline.select_measures(table).all()
    measures["size_outline_px"] = 80.0
    assert baseline.select_measures(table).tolist() == [True, True, False]
    del measures["size_outline_mm"]
    assert baseline.select_measures(table).tolist() == [True, True]


def test_the_one_class_svm_knows_its_own_and_not_another():
    labels = ["a"] * 40 + ["z"] * 10
    table = build_table([number // 4 for number in range(50)], labels)
    own = [label == "a" for label in labels]
    svm, scores = baseline.train_one_class_svm(table, own)
    result = baseline.evaluate_one_class(scores, own)
    assert result.auroc == 1.0
    assert (result.foreign, result.outside.of) == (10, 40)
    assert svm.decision_function(table.to_array()).shape == (50,)


def test_own_coins_are_scored_by_an_svm_that_has_not_seen_their_burst():
    table = build_table([1] * 8 + [2] * 8, ["a"] * 16)
    svm, scores = baseline.train_one_class_svm(table, [True] * 16)
    assert not np.allclose(scores, svm.decision_function(table.to_array()))
    single = build_table([1] * 8, ["a"] * 8)
    svm, scores = baseline.train_one_class_svm(single, [True] * 8)
    assert np.allclose(scores, svm.decision_function(single.to_array()))
