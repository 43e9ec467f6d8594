"""anomaly: what looks unlike genuine coins scores high, for one coin or many; NaN is infinite."""

from math import e, inf, isnan, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.recognition.anomaly import (
    AnomalyParts,
    count_worst_pixels,
    halve,
    log_distance,
    score_anomaly,
    score_anomaly_array,
)
from coinsorter.recognition.bundle import AnomalyScale, Fusion, RobustStats
from coinsorter.records import ANOMALY, Thresholds, Verdict
from coinsorter.sorting.acceptance import find_failed_threshold

SCALE = AnomalyScale(
    median=2.0,
    mad_std=0.5,
    similarity=RobustStats(median=0.6, mad_std=0.1),
    defect=RobustStats(median=-4.0, mad_std=1.0),
    distance=RobustStats(median=1.0, mad_std=0.25),
)
FUSION = Fusion(
    temperature=1,
    diameter_std=0.01,
    degrees_of_freedom=4,
    reconstruction_weight=0.4,
    similarity_weight=0.3,
    defect_weight=0.2,
    distance_weight=0.1,
)
USUAL = AnomalyParts(e**2, 0.6, -4.0, e)
VALUES = st.one_of(st.floats(-50, 50), st.just(nan))
PARTS = st.builds(AnomalyParts, st.one_of(st.floats(0, 1e4), st.just(nan)), VALUES, VALUES, VALUES)


def test_a_usual_coin_scores_nothing():
    assert score_anomaly(USUAL, SCALE, FUSION) == pytest.approx(0)


@pytest.mark.parametrize(
    "change, score",
    [
        ({"reconstruction_error": e**3}, 0.4 * 2),
        ({"reconstruction_error": e**1}, 0.4 * 2),  # copied too well: a blank
        ({"similarity": 0.3}, 0.3 * 3),
        ({"defect_logit": -1.0}, 0.2 * 3),
        ({"distance": e**2}, 0.1 * 4),
    ],
)
def test_each_part_counts_in_its_own_standard_deviations(change, score):
    assert score_anomaly(USUAL._replace(**change), SCALE, FUSION) == pytest.approx(score)


@pytest.mark.parametrize("change", [{"similarity": 0.9}, {"defect_logit": -9.0}, {"distance": 0.1}])
def test_what_looks_better_than_usual_makes_up_for_nothing(change):
    worse = USUAL._replace(reconstruction_error=e**3)
    same = score_anomaly(worse._replace(**change), SCALE, FUSION)
    assert same == pytest.approx(score_anomaly(worse, SCALE, FUSION))


@pytest.mark.parametrize("field", AnomalyParts._fields)
def test_a_part_that_is_not_a_number_is_infinitely_odd(field):
    assert score_anomaly(USUAL._replace(**{field: nan}), SCALE, FUSION) == inf


def test_a_part_that_the_bundle_does_not_weigh_is_not_looked_at():
    alone = Fusion(temperature=1, diameter_std=0.01, degrees_of_freedom=4)
    odd = USUAL._replace(similarity=nan, defect_logit=nan, distance=nan)
    assert score_anomaly(odd, SCALE, alone) == pytest.approx(0)


def test_the_sum_is_measured_against_genuine_coins_sums():
    combined = RobustStats(median=0.5, mad_std=0.1)
    scale = SCALE.model_copy(update={"combined": combined})
    assert score_anomaly(USUAL, scale, FUSION) == pytest.approx(-5)


@given(st.lists(PARTS, min_size=1, max_size=6))
def test_a_table_scores_as_its_coins_do_one_by_one(coins):
    columns = [np.array(column, float) for column in zip(*coins)]
    table = score_anomaly_array(*columns, SCALE, FUSION)
    assert table.tolist() == [score_anomaly(coin, SCALE, FUSION) for coin in coins]


def test_a_distance_of_nothing_has_a_logarithm():
    assert log_distance(0.0) == log(1e-6) and log_distance(2.0) == log(2.0)


@pytest.mark.parametrize("count, worst", [(1024, 8), (256, 2), (4, 1)])
def test_a_defect_map_is_judged_by_its_worst_pixels(count, worst):
    assert count_worst_pixels(count) == worst


def test_a_halved_crop_is_the_mean_of_four_pixels():
    crop = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    means = crop.reshape(2, 2, 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(halve(crop).astype(float) - means).max() <= 0.5


@given(PARTS)
def test_a_coin_of_which_any_part_is_nan_is_rejected(coin):
    score = score_anomaly(coin, SCALE, FUSION)
    assert not isnan(score)
    if any(map(isnan, coin)):
        tolerant = Thresholds(0.0, 1e9, 20.0, 0.5)
        verdict = Verdict("a", 1.0, 1.0, "", score, 20.0)
        assert find_failed_threshold(verdict, tolerant) == ANOMALY
