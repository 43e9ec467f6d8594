"""classifier: a coin's crops become one verdict, and networks that answer otherwise are refused."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from coinsorter.errors import BundleError
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.classifier import Classifier, Evidence, average_evidence
from coinsorter.recognition.membership import compute_membership
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.records import Coin
from tests.conftest import BRL


@pytest.fixture(scope="module")
def classifier(crowns):
    return Classifier(crowns, pick_runtime("auto"))


@pytest.fixture
def coin(crowns):
    """A coin that shows the golden crops."""
    crops = tuple(crowns.golden.crops[:3])
    return Coin(
        number=1,
        crops=crops,
        circles=(),
        diameter_mm=20.0,
        x_mm=0.0,
        y_mm=0.0,
        seen_s=0.0,
        speed_mm_s=250.0,
        speed_sem_mm_s=1.0,
        sightings=3,
        alone=True,
    )


def test_golden_crops_get_their_answers(classifier):
    classifier.check_golden_crops()


def test_networks_that_answer_otherwise_are_refused(crowns):
    golden = replace(crowns.golden, logits=crowns.golden.logits + 5)
    changed = Classifier(replace(crowns, golden=golden), pick_runtime("auto"))
    with pytest.raises(BundleError, match="golden crop 0: logits off by 5"):
        changed.check_golden_crops()


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.5])
def test_the_classifiers_own_odds_are_added_to_the_gates_as_the_bundle_says(weight):
    gated = load_bundle(BRL)
    fusion = gated.manifest.fusion.model_copy(update={"classifier_odds_weight": weight})
    manifest = gated.manifest.model_copy(update={"fusion": fusion})
    witness = Classifier(replace(gated, manifest=manifest, digest=""), pick_runtime("auto"))
    crop = gated.golden.crops[0]
    evidence = witness.gather_evidence(crop)
    own = weight * compute_membership(evidence.logits)
    assert evidence.membership == pytest.approx(witness.run_gate(crop)[1] + own)


def test_an_exposed_classifier_judges_membership_in_place_of_a_gate(crowns, coin):
    fusion = crowns.manifest.fusion.model_copy(update={"classifier_odds_weight": 1.0})
    manifest = crowns.manifest.model_copy(update={"fusion": fusion})
    exposed = Classifier(replace(crowns, manifest=manifest, digest=""), pick_runtime("auto"))
    evidence = exposed.gather_evidence(coin.crops[0])
    assert evidence.membership == compute_membership(evidence.logits)
    verdict = exposed.make_verdict(evidence, coin.diameter_mm)
    assert sum(verdict.probabilities) == pytest.approx(1)  # none of these is another question


def test_without_a_gate_membership_is_never_in_doubt(classifier, crowns):
    assert classifier.gather_evidence(crowns.golden.crops[0]).membership == inf


def test_a_coin_without_crops_is_never_accepted(classifier, coin):
    verdict = classifier.classify(replace(coin, crops=()))
    assert (verdict.confidence, verdict.anomaly) == (0.0, inf)


def test_without_time_left_one_crop_is_used(classifier, coin):
    first = classifier.classify(replace(coin, crops=coin.crops[:1]))
    assert classifier.classify(coin, time_left=lambda: False) == first


def test_more_crops_are_averaged(classifier, coin):
    evidence = [classifier.gather_evidence(crop) for crop in coin.crops]
    together = classifier.make_verdict(average_evidence(evidence), coin.diameter_mm)
    assert classifier.classify(coin) == together


def test_the_mean_of_evidence_is_the_mean_of_each_part():
    one = Evidence(
        np.array([1.0, 3.0]), np.array([0.2]), 4.0, -2.0, np.array([1.0]), np.array([0.0])
    )
    two = Evidence(
        np.array([3.0, 5.0]), np.array([0.4]), 8.0, 0.0, np.array([3.0]), np.array([-2.0])
    )
    mean = average_evidence([one, two])
    assert mean.logits.tolist() == [2.0, 4.0] and mean.similarity == pytest.approx([0.3])
    assert (mean.reconstruction_error, mean.defect_logit) == (6.0, -1.0)


def test_probabilities_and_none_of_these_add_up_to_one(classifier, coin):
    verdict = classifier.classify(coin)
    assert 0 < sum(verdict.probabilities) <= 1 + 1e-9
    assert verdict.confidence == max(verdict.probabilities)
    assert verdict.runner_up != verdict.label


def test_without_a_diameter_images_alone_decide(classifier, coin):
    verdict = classifier.classify(replace(coin, diameter_mm=nan))
    assert verdict.confidence == verdict.image_confidence


def test_a_turned_crop_is_the_same_coin(classifier, coin):
    turned = replace(coin, crops=tuple(np.rot90(crop).copy() for crop in coin.crops))
    one, other = classifier.classify(coin), classifier.classify(turned)
    assert one.label == other.label
    assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_a_network_that_does_not_load_is_named(crowns):
    with pytest.raises(BundleError, match="classifier does not load"):
        Classifier(replace(crowns, classifier=b"no model"), pick_runtime("auto"))
