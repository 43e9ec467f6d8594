"""networks: each network that a recipe may name learns, becomes int8 and runs everywhere."""

import subprocess
import sys

import numpy as np
import pytest

from coinsorter.recognition import runtime
from coinsorter.recognition.bundle import Label
from coinsorter.recognition.runtime import Network
from coinsorter.records import Circle
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.samples import Samples
from coinsorter.vision.crop import FILL, CropSpec, mask_coin
from tests.conftest import ROOT, needs_training

needs_training()

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
COLOURS = np.array([(190, 90, 60), (80, 120, 190)])  # of two labels


def discs() -> Samples:
    """Of two colours, as bright or dark as each other."""
    rng = np.random.default_rng(1)
    labels = np.arange(48) % 2
    crops = np.clip(
        COLOURS[labels][:, None, None] * rng.uniform(0.8, 1.2, (48, 1, 1, 1))
        + rng.normal(0, 8, (48, 64, 64, 3)),
        0,
        255,
    ).astype(np.uint8)
    crops[:, mask_coin(SPEC) == 0] = FILL
    circle = Circle(320, 240, 40, 1, 1, 20, (95, 95, 95), True)
    return Samples(crops, labels, (circle,) * 48, np.full(48, 20.0), np.arange(48))


@pytest.fixture(scope="module")
def coloured() -> Samples:
    return discs()


def a_recipe(**knobs) -> Recipe:
    labels = [Label(name=name, value=1, currency="X", diameter_mm=20.0) for name in "ab"]
    return Recipe.model_validate(
        {"name": "coloured", "source": "frames", "labels": labels, **knobs}
    )


@pytest.mark.parametrize(
    "network", ["separable", "mobilenet-v1-025", "mobilenet-v2", "two-conv", "three-conv"]
)
def test_a_classifier_learns_and_answers_alike_as_floats_and_on_every_runtime(network, coloured):
    import keras

    from coinsorter.training.export import quantize, runtime_parity
    from coinsorter.training.fitting import fit

    keras.utils.set_random_seed(1)
    wanted = a_recipe(
        classifier={
            "network": network,
            "width": 8,
            "epochs": 9,
            "batch": 8,
            "repeat": 4,
            "learning_rate": 0.001,
        },
        augment={"colour": 0.0},
    )
    model = fit.fit_classifier(coloured, 2, SPEC, wanted, lambda *told: None).model
    assert model.count_params() < (3_000_000 if network == "three-conv" else 1_000_000)
    floats = model.predict(coloured.crops[:].astype(np.float32), verbose=0)[:, :-1].argmax(axis=1)
    found = runtime_parity.classify_in_runtimes(
        quantize.quantize_int8(model, coloured.crops[:]), coloured.crops[:]
    )
    assert (floats == coloured.labels).mean() >= 0.95 and list(found) == runtime.list_runtimes()
    for answers in found.values():
        assert (answers == coloured.labels).mean() >= 0.95


@pytest.mark.parametrize("network", ["squeezing", "conv-128"])
def test_an_autoencoder_copies_better_than_plain_grey_as_int8(network, coloured):
    import keras

    from coinsorter.recognition.anomaly import halve
    from coinsorter.training.export import quantize
    from coinsorter.training.fitting import fit

    keras.utils.set_random_seed(1)
    wanted = a_recipe(
        autoencoder={
            "network": network,
            "width": 4,
            "code": 8,
            "epochs": 8,
            "batch": 8,
            "repeat": 4,
        }
    )
    model = fit.fit_autoencoder(coloured, SPEC, wanted, lambda *told: None).model
    network_ = Network(quantize.quantize_int8(model, coloured.crops[:]), 1, runtime.LITERT)
    wanted_copies = np.array([halve(crop) for crop in coloured.crops[:8]]).astype(float)
    copies = np.array(
        [network_.dequantize(0, network_(crop[None])[0][0]) for crop in coloured.crops[:8]]
    )
    assert copies.shape == wanted_copies.shape == (8, 32, 32, 3)
    assert np.square(copies - wanted_copies).mean() < 0.5 * np.square(FILL - wanted_copies).mean()


TWO_DEVICES = """
import numpy as np, tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(processor, parts)
from coinsorter.training.fitting import fit
from tests.unit.training.fitting.test_networks import SPEC, a_recipe, discs
strategy, reports = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), []
wanted = a_recipe(
    classifier={"width": 8, "epochs": 6, "batch": 8, "repeat": 4},
    autoencoder={"width": 4, "code": 8, "epochs": 1},
    inspector={"width": 4, "epochs": 1},
)
report = lambda *words: reports.append(words)
with strategy.scope():
    model = fit.fit_classifier(discs(), 2, SPEC, wanted, lambda *words: None).model
    fit.fit_autoencoder(discs(), SPEC, wanted, report)
    fit.fit_defect_detector(discs(), SPEC, wanted, wanted.defect_detector, report)
logits = model.predict(discs().crops[:].astype("float32"), verbose=0)[:, :-1]
right = logits.argmax(axis=1) == discs().labels
print("on", strategy.num_replicas_in_sync, "right", right.mean(), "reports", len(reports))
"""


def test_networks_are_trained_unchanged_under_a_distribution_strategy():
    """In a process of its own: devices are divided before anything is computed."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    assert done[1] == "2" and float(done[3]) >= 0.95 and done[5] == "2"
