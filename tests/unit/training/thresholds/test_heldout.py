"""heldout: the evidence on coins as tables, in the order that the coins were taken in."""

from dataclasses import fields, replace

import numpy as np
import pytest

from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.fusion import compute_log_posteriors
from coinsorter.recognition.runtime import pick_runtime
from tests.conftest import needs_training

needs_training()

from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.heldout import (
    HeldOut,
    HeldOutSets,
    classify_heldout,
    collect_evidence,
    fuse_heldout,
    join_in_order,
    make_golden,
)
from tests.unit.training.thresholds.helpers import (
    LABELS,
    fit_all,
    make_full_heldout,
    make_heldout,
)


@pytest.fixture(scope="module")
def classifier(crowns) -> Classifier:
    return Classifier(crowns, pick_runtime("auto"))


def make_samples(crops: np.ndarray) -> Samples:
    count = len(crops)
    return Samples(
        crops, np.zeros(count, int), (None,) * count, np.full(count, 20.0), np.arange(count)
    )


class Steps:
    """An `OpenProgress` that keeps what it receives."""

    def __call__(self, title: str, total: int) -> "Steps":
        self.title, self.total, self.done = title, total, []
        return self

    def __enter__(self):
        return self.done.append

    def __exit__(self, *error) -> None:
        pass


def test_evidence_is_collected_for_coins_and_then_for_foreign_objects(crowns, classifier):
    steps = Steps()
    coins = make_samples(crowns.golden.crops[:3])
    foreign = make_samples(crowns.golden.crops[3:5])
    sets = collect_evidence(classifier, coins, foreign, steps)
    assert (len(sets.held), len(sets.anomalies)) == (3, 2)
    assert steps.total == 5
    assert steps.done == [1, 2, 3, 4, 5]
    expected = classifier.gather_evidence(crowns.golden.crops[3])
    assert (sets.anomalies.logits[0] == expected.logits).all()
    assert sets.anomalies.reconstruction_errors[0] == expected.reconstruction_error


def test_no_foreign_objects_make_an_empty_table(crowns, classifier):
    sets = collect_evidence(
        classifier,
        make_samples(crowns.golden.crops[:1]),
        make_samples(crowns.golden.crops[:0]),
        Steps(),
    )
    labels = len(crowns.labels)
    assert sets.anomalies.logits.shape == (0, labels + 1)
    assert sets.anomalies.similarities.shape == sets.anomalies.distances.shape == (0, labels)


def test_golden_answers_are_those_that_a_classifier_accepts(crowns, classifier):
    golden = make_golden(classifier, crowns.golden.crops[:2], crowns.manifest.fusion)
    Classifier(replace(crowns, golden=golden), pick_runtime("auto")).check_golden_crops()
    assert golden.logits.dtype == golden.distances.dtype == np.float32


def test_folds_are_joined_in_the_order_that_the_coins_were_taken_in():
    held = make_full_heldout(6)
    order = np.array([4, 1, 0, 5, 2, 3])
    parts = [
        HeldOutSets(held.select(order[:2]), make_heldout(1, 0)),
        HeldOutSets(held.select(order[2:]), make_heldout(2, 0)),
    ]
    joined = join_in_order(parts, order)
    for field in fields(HeldOut):
        own = getattr(joined.held, field.name)
        assert (own == getattr(held, field.name)).all()
    assert len(joined.anomalies) == 3


def test_every_row_is_fused_as_the_machine_fuses_a_coin():
    held = make_full_heldout(50)
    _, fusion = fit_all(held)
    weighed = held.combine(fusion.model_copy(update={"relief_weight": 7.5}))
    table = fuse_heldout(weighed, LABELS, fusion)
    best, confidence = classify_heldout(weighed, LABELS, fusion)
    for row in range(50):
        own = compute_log_posteriors(
            weighed.logits[row].tolist(),
            float(weighed.diameters_mm[row]),
            float(weighed.scale_sems[row]),
            [label.diameter_mm for label in LABELS],
            fusion,
        )
        assert table[row].tolist() == own.fused
        assert best[row] == np.argmax(own.fused[:-1])
        assert confidence[row] == pytest.approx(np.exp(max(own.fused[:-1])))


def test_missing_defect_logits_are_taken_from_coins_of_the_same_label():
    held = make_full_heldout(600)
    is_known = np.arange(600) < 200
    partly = replace(held, defect_logits=np.where(is_known, held.defect_logits, np.nan))
    imputed = partly.impute_defects(seed=1)
    assert (imputed.defect_logits[is_known] == held.defect_logits[is_known]).all()
    for label in (0, 1):
        is_own = held.labels == label
        donors = set(held.defect_logits[is_own & is_known])
        assert set(imputed.defect_logits[is_own]) == donors
    assert imputed.defect_logits.std() == pytest.approx(1, abs=0.2)


def test_a_label_without_any_defect_logit_takes_those_of_all():
    held = make_full_heldout(600)
    blind = replace(held, defect_logits=np.where(held.labels == 0, np.nan, held.defect_logits))
    imputed = blind.impute_defects(seed=1)
    assert np.median(imputed.defect_logits[held.labels == 0]) == pytest.approx(-2, abs=0.3)


def test_only_a_table_without_any_diameter_has_none():
    held = make_heldout(3, wrong=0)
    assert held.has_diameters
    assert replace(held, diameters_mm=np.array([np.nan, 20.0, np.nan])).has_diameters
    assert not replace(held, diameters_mm=np.full(3, np.nan)).has_diameters


def test_without_defects_neither_set_has_a_defect_logit():
    sets = HeldOutSets(make_full_heldout(3), make_full_heldout(2)).without_defects()
    assert np.isnan(sets.held.defect_logits).all()
    assert np.isnan(sets.anomalies.defect_logits).all()
