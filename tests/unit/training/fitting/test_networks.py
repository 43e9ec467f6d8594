"""networks: each that a recipe may name learns, becomes int8, and runs on every runtime."""

import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.recognition import runtime
from coinsorter.recognition.anomaly import halve
from coinsorter.recognition.runtime import Network
from coinsorter.recognition.views import show_crops
from coinsorter.training.recipe import ClassifierSettings
from coinsorter.vision.crop import FILL
from tests.conftest import needs_training, only_in_full
from tests.unit.training.fitting.coloured import SPEC, make_coloured_samples, make_recipe

needs_training()

import keras

from coinsorter.training.export.quantize import quantize_int8
from coinsorter.training.export.runtime_parity import classify_in_runtimes
from coinsorter.training.fitting import fit, networks

QUICK = {"width": 8, "epochs": 6, "batch": 8, "repeat": 4, "learning_rate": 0.001, "blocks": 4}
AUTOENCODER = {"width": 4, "code": 8, "epochs": 5, "batch": 8, "repeat": 4}
MAX_WEIGHTS = {"three-conv": 3_000_000}
#: Those that no recipe of ours names.
LONG = ("mobilenet-v2", "two-conv", "three-conv", "conv-128")


def mark_long(names):
    """Parameters of a test that trains each of some networks."""
    return [pytest.param(name, marks=only_in_full) if name in LONG else name for name in names]


@pytest.fixture(scope="module")
def coloured():
    return make_coloured_samples()


@pytest.mark.parametrize("network", mark_long(networks.CLASSIFIERS))
def test_a_classifier_learns_and_answers_alike_as_floats_and_on_every_runtime(network, coloured):
    recipe = make_recipe(classifier=QUICK | {"network": network}, augment={"colour": 0.0})
    model = fit.fit_classifier(coloured, 2, SPEC, recipe, lambda *_: None).model
    crops = coloured.crops[:]
    views = show_crops(crops, model.input_shape[1:], SPEC)
    logits = model.predict(views.astype(np.float32), verbose=0)
    answers = classify_in_runtimes(quantize_int8(model, views), crops, SPEC)
    assert model.count_params() < MAX_WEIGHTS.get(network, 1_000_000)
    assert (logits[:, :-1].argmax(axis=1) == coloured.labels).mean() >= 0.95
    assert list(answers) == runtime.list_runtimes()
    for numbers in answers.values():
        assert (numbers == coloured.labels).mean() >= 0.95


def test_a_mobilenet_of_fewer_blocks_is_smaller_and_answers_alike():
    counts = []
    for blocks in (3, 11, 13):
        settings = ClassifierSettings(network="mobilenet-v1-025", blocks=blocks)
        model = networks.build_classifier(SPEC.size_px, 3, settings)
        counts.append(model.count_params())
        assert model.output_shape == (None, 3)
    assert counts == sorted(counts) and counts[1] < 0.6 * counts[2]


@pytest.mark.parametrize("network", mark_long(networks.AUTOENCODERS))
def test_an_autoencoder_copies_better_than_plain_grey_as_int8(network, coloured):
    recipe = make_recipe(autoencoder=AUTOENCODER | {"network": network})
    model = fit.fit_autoencoder(coloured, SPEC, recipe, lambda *_: None).model
    crops = coloured.crops[:8]
    int8 = Network(quantize_int8(model, coloured.crops[:]), 1, runtime.LITERT)
    copies = np.array([int8.dequantize(0, int8(crop[None])[0][0]) for crop in crops])
    halves = np.array([halve(crop) for crop in crops]).astype(float)
    assert copies.shape == halves.shape == (8, 32, 32, 3)
    assert np.square(copies - halves).mean() < 0.5 * np.square(FILL - halves).mean()


def test_a_classifier_gives_its_embedding_beside_its_logits():
    model = networks.build_classifier(64, 3, ClassifierSettings(width=8))
    crops = np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    logits, embeddings = networks.add_embedding_output(model).predict(crops, verbose=0)
    weights, bias = model.get_layer("logits").get_weights()
    assert logits == pytest.approx(model.predict(crops, verbose=0), abs=1e-5)
    assert logits == pytest.approx(embeddings @ weights + bias, abs=1e-4)


def test_layers_are_numbered_from_0_again():
    names = []
    for _ in range(2):
        networks.reset_layer_names()
        model = networks.build_classifier(64, 3, ClassifierSettings(width=8))
        names.append([layer.name for layer in model.layers])
    assert names[0] == names[1]


def test_activations_are_rounded_to_256_levels_while_training():
    values = keras.ops.convert_to_tensor(np.linspace(-1, 8, 2000, dtype=np.float32))
    trained = np.array(networks.Relu6()(values, training=True))
    used = np.array(networks.Relu6()(values, training=False))
    assert (trained.min(), trained.max()) == (0, 6)
    assert len(np.unique(trained)) == 256
    assert len(np.unique(used)) > 1000
    assert np.abs(trained - used).max() <= 6 / 255 / 2 + 1e-6


def test_weights_that_are_not_there_are_named():
    settings = ClassifierSettings(network="mobilenet-v2", weights="nowhere.h5")
    with pytest.raises(InputError, match=r"nowhere\.h5 is no file"):
        networks.check_weights(settings)
    networks.check_weights(ClassifierSettings(weights="nowhere.h5"))  # separable takes none
