"""ood: one score of all evidence, and how well it tells foreign objects from coins."""

from dataclasses import replace
from math import inf

import pytest

from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.ood import compute_ood_score, measure_ood


@pytest.mark.parametrize(
    "unusual",
    [{"image_confidence": 0.5}, {"anomaly": 4.0}, {"diameter_mm": 18.9}, {"anomaly": inf}],
)
def test_each_piece_of_evidence_raises_the_score_alone(predictor, predictions, unusual):
    usual = replace(predictions[0], image_confidence=0.99, anomaly=0.5, diameter_mm=18.0)
    score = compute_ood_score(predictor.bundle, usual)
    raised = compute_ood_score(predictor.bundle, replace(usual, **unusual))
    assert score + 0.5 < raised < inf


def test_an_unknown_diameter_is_no_evidence(predictor, predictions):
    usual = replace(predictions[0], image_confidence=0.99, anomaly=0.5, diameter_mm=18.0)
    unknown = replace(usual, diameter_mm=None)
    bundle = predictor.bundle
    assert compute_ood_score(bundle, unknown) < compute_ood_score(bundle, usual)


def test_foreign_objects_are_separated_from_coins_by_folder_and_all_together(
    predictor, predictions
):
    steps: list[int] = []
    ood = measure_ood(predictor, predictions, steps.append)
    assert steps == [16]
    assert set(ood.with_diameter) == set(ood.without_diameter) == {"token", "all"}
    assert ood.with_diameter["token"] == ood.with_diameter["all"] > 0.9


def test_where_a_diameter_is_missing_there_are_figures_without_diameters_only(
    predictor, predictions
):
    unmeasured = [*predictions[:-1], replace(predictions[-1], diameter_mm=None)]
    ood = measure_ood(predictor, unmeasured, lambda done: None)
    assert ood.with_diameter == {}
    assert 0 <= ood.without_diameter["all"] <= 1
