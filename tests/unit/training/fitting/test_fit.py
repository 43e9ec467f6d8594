"""fit: classes weigh alike, training stops in time, and finished work is not done again."""

import subprocess
import sys

import numpy as np
import pytest

from coinsorter.recognition.views import show_crops
from coinsorter.training.exposure.mix import ExposureMix
from coinsorter.training.samples.samples import FOREIGN_LABEL
from tests.conftest import ROOT, needs_training, only_in_full
from tests.unit.training.fitting.coloured import SPEC, make_coloured_samples, make_recipe

needs_training()

from coinsorter.training.fitting import fit

QUICK = {"width": 4, "epochs": 2, "batch": 16}


@pytest.fixture(scope="module")
def coloured():
    return make_coloured_samples()


def test_classes_weigh_alike_however_many_crops_they_have():
    labels = np.array([0] * 30 + [1] * 6 + [2] * 12)
    weights = fit._balance_classes(labels, np.arange(48), 3)
    assert [weights[labels == label].sum() for label in range(3)] == pytest.approx([16] * 3)


def test_a_class_without_crops_is_no_error():
    assert np.isfinite(fit._balance_classes(np.array([0, 0, 1]), np.arange(3), 3)).all()


def test_foreign_objects_become_the_last_class(coloured):
    labels = np.where(coloured.labels == 1, FOREIGN_LABEL, 0)
    samples = coloured.select(coloured.labels >= 0)
    object.__setattr__(samples, "labels", labels)
    recipe = make_recipe(classifier={"width": 8, "epochs": 8, "batch": 8, "repeat": 4})
    model = fit.fit_classifier(samples, 1, SPEC, recipe, lambda *_: None).model
    logits = model.predict(samples.crops[:].astype(np.float32), verbose=0)
    assert logits.shape == (48, 2)
    assert ((logits.argmax(axis=1) == 1) == (labels == FOREIGN_LABEL)).mean() > 0.9


def test_training_with_patience_is_judged_on_crops_that_it_does_not_see(coloured):
    settings = QUICK | {"epochs": 40, "patience": 2, "held_back": 0.25, "learning_rate": 0.02}
    reports = []
    network = fit.fit_classifier(
        coloured, 2, SPEC, make_recipe(classifier=settings), lambda *report: reports.append(report)
    )
    assert len(network.history) == len(reports) < 40  # it stops in time
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(network.history[0])


def test_without_patience_all_crops_are_trained_on(coloured):
    recipe = make_recipe(classifier=QUICK)
    assert not fit._choose_validation(coloured, recipe.classifier, seed=1).any()
    assert (
        "val_loss" not in fit.fit_classifier(coloured, 2, SPEC, recipe, lambda *_: None).history[0]
    )


def test_what_was_trained_is_taken_from_the_disk(coloured, tmp_path):
    recipe = make_recipe(autoencoder=QUICK | {"code": 8})
    reports = []
    first, again = (
        fit.fit_autoencoder(
            coloured, SPEC, recipe, lambda *report: reports.append(report), tmp_path
        )
        for _ in range(2)
    )
    assert [epoch for epoch, _ in reports] == [1, 2, 2]  # the second time the last one alone
    assert again.history == first.history
    for one, other in zip(first.model.get_weights(), again.model.get_weights()):
        assert (one == other).all()


@only_in_full
def test_networks_are_trained_unchanged_under_a_distribution_strategy():
    program = "tests.unit.training.fitting.train_on_two_devices"
    command = [sys.executable, "-m", program]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    replicas, accuracy, reports = done.stdout.split()
    assert (replicas, reports) == ("2", "2")
    assert float(accuracy) >= 0.95


GATE = {"weights": "none", "blocks": 3, "epochs": 4, "batch": 16, "repeat": 4, "simulated": 0}


@pytest.fixture(scope="module")
def gate(coloured):
    recipe = make_recipe(gate=GATE)
    mix = ExposureMix(coloured, [], SPEC)
    return fit.fit_gate(coloured, mix, 2, SPEC, recipe, recipe.gate, lambda *_: None)


def test_a_gate_is_shown_as_many_things_as_coins_and_learns_to_separate_them(gate, coloured):
    assert gate.history[-1]["loss"] < gate.history[0]["loss"]
    logits = gate.model.predict(coloured.crops[:].astype(np.float32), verbose=0)
    assert logits.shape == (len(coloured), 3)


@pytest.mark.parametrize(
    "network",
    ["polar", "mobilenet-v1-025", pytest.param("separable", marks=only_in_full)],
)
def test_a_classifier_that_is_shown_things_names_coins_and_knows_them_from_things(
    network, coloured
):
    classifier = {"network": network, "width": 8, "epochs": 5, "batch": 8, "repeat": 4, "blocks": 3}
    recipe = make_recipe(classifier=classifier, augment={"colour": 0.0})
    mix = ExposureMix(coloured, [], SPEC)
    fitted = fit.fit_classifier(coloured, 2, SPEC, recipe, lambda *_: None, mix=mix)

    def answer(crops: np.ndarray) -> np.ndarray:
        views = show_crops(crops, fitted.model.input_shape[1:], SPEC)
        return fitted.model.predict(views.astype(np.float32), verbose=0)

    own = answer(coloured.crops[:])
    things = answer(mix.draw_many(64, np.random.default_rng(1)))
    assert (own[:, :-1].argmax(axis=1) == coloured.labels).mean() >= 0.9
    assert np.median(own[:, -1] - own[:, :-1].max(axis=1)) < np.median(
        things[:, -1] - things[:, :-1].max(axis=1)
    )


def test_an_autoencoder_of_features_leaves_the_gate_as_it_is(gate, coloured):
    before = [weights.copy() for weights in gate.model.get_weights()]
    recipe = make_recipe(autoencoder={"network": "features", "code": 4, "epochs": 10}, gate=GATE)
    mix = ExposureMix(coloured, [], SPEC)
    fitted = fit.fit_feature_autoencoder(coloured, mix, gate.model, SPEC, recipe, lambda *_: None)
    assert fitted.history[-1]["loss"] < fitted.history[0]["loss"]
    errors = fitted.model.predict(coloured.crops[:4].astype(np.float32), verbose=0)
    assert errors.shape[3] == 1 and (errors >= 0).all()
    for weights, same in zip(before, gate.model.get_weights()):
        assert (weights == same).all()
