"""quantize: what int8 may lose, and where it lost it."""

import os

import numpy as np
import pytest

from coinsorter.errors import ExportError
from coinsorter.recognition import runtime
from coinsorter.recognition.runtime import Network
from tests.conftest import needs_training

needs_training()

import keras
from keras import layers

from coinsorter.training.export import quantize


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(60, 200, (24, 64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small network of which one layer cannot be had in 8 bits.

    Two of its weights are large and cancel out; beside them its others are nothing.
    """
    keras.utils.set_random_seed(1)
    images = layers.Input((64, 64, 3))
    x = layers.Rescaling(1 / 127.5, -1)(images)
    x = layers.Conv2D(4, 3, strides=4, activation="relu", name="sound")(x)
    x = layers.Conv2D(4, 3, strides=4, name="spoilt")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, layers.Dense(3, name="logits")(x))
    same, zero = model.get_layer("sound").get_weights()
    same[..., 0] = np.abs(same[..., 0])
    same[..., 1] = same[..., 0]
    model.get_layer("sound").set_weights([same, zero])
    weights, bias = model.get_layer("spoilt").get_weights()
    weights[..., 0, :] = 1000
    weights[..., 1, :] = -1000
    model.get_layer("spoilt").set_weights([weights, bias])
    return model


def right(count: int, total: int = 1000) -> np.ndarray:
    return np.arange(total) < count


def check_loss(is_right: dict[str, np.ndarray], group_size: int = 1) -> None:
    """As training does, of groups of a size; the worst layer is number 7."""
    groups = np.arange(len(is_right[quantize.FLOAT])) // group_size
    quantize.check_accuracy_loss(is_right, groups, lambda: "conv (layer 7)")


def test_half_a_point_may_be_lost_to_int8():
    check_loss({quantize.FLOAT: right(990), "litert": right(985), "tflite-runtime": right(995)})


def test_a_loss_that_chance_makes_as_easily_is_none():
    as_float = right(600)
    as_int8 = as_float.copy()
    as_int8[:10] = False  # ten are lost, four won: 0.6 points of 1000, by chance in one case of ten
    as_int8[600:604] = True
    check_loss({quantize.FLOAT: as_float, "litert": as_int8})
    check_loss({quantize.FLOAT: right(49, 49), "litert": right(48, 49)})


def test_crops_of_few_bursts_that_are_lost_together_are_no_proof():
    is_right = {quantize.FLOAT: right(600), "litert": right(560)}
    check_loss(is_right, group_size=10)  # all crops of four bursts: by chance in one case of 16
    with pytest.raises(ExportError):
        check_loss(is_right, group_size=8)


def test_more_than_half_a_point_is_refused_with_the_runtime_and_the_layer():
    is_right = {quantize.FLOAT: right(990), "litert": right(990), "tflite-runtime": right(984)}
    complaint = (
        r"99.00 % of 1000 .* as floats, 98.40 % as int8 on tflite-runtime; .* conv \(layer 7\)"
    )
    with pytest.raises(ExportError, match=complaint):
        check_loss(is_right)


def test_the_layer_that_loses_most_is_found(model, crops):
    assert "spoilt" in quantize.find_worst_layer(model, crops)


def test_the_machine_can_run_what_is_exported_on_batches(model, crops):
    network = Network(quantize.quantize_int8(model, crops), 4, runtime.LITERT)
    assert network.input_shape == (64, 64, 3)
    assert network.output_sizes == [3]
    (outputs,) = network(crops[:4])
    assert outputs.shape == (4, 3)
    assert outputs.dtype == np.int8


def test_the_crops_that_ranges_are_measured_on_stay_as_they_are(model, crops):
    before = crops.copy()
    quantize.quantize_int8(model, crops)
    assert (crops == before).all()


def test_the_converters_words_are_shown_only_if_it_fails(capfd):
    with quantize._capture_output():
        os.write(1, b"chatter")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ValueError, match="no"), quantize._capture_output():
        os.write(1, b"what went wrong")
        raise ValueError("no")
    assert capfd.readouterr() == ("", "what went wrong")
