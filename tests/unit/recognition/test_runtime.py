"""runtime: LiteRT comes first, what is missing is named, and a network takes plain images."""

import numpy as np
import pytest

from coinsorter.errors import BundleError
from coinsorter.recognition import runtime
from coinsorter.recognition.runtime import LITERT, TFLITE_RUNTIME, Network

INSTALLED = runtime.list_runtimes()


def only(monkeypatch, *names):
    found = dict.fromkeys(names, object)
    monkeypatch.setattr(runtime, "import_interpreter", found.get)


def test_the_first_installed_runtime_is_picked(monkeypatch):
    only(monkeypatch, LITERT, TFLITE_RUNTIME)
    assert runtime.pick_runtime("auto") == LITERT
    only(monkeypatch, TFLITE_RUNTIME)
    assert runtime.pick_runtime("auto") == TFLITE_RUNTIME


@pytest.mark.parametrize(
    "wanted, remedy",
    [(LITERT, "pip install ai-edge-litert"), (TFLITE_RUNTIME, "Python 3.11 and numpy below 2")],
)
def test_a_runtime_that_is_missing_is_named_with_its_remedy(monkeypatch, wanted, remedy):
    only(monkeypatch)
    with pytest.raises(BundleError, match=rf"{wanted} is not installed \(there is none\).*") as one:
        runtime.pick_runtime(wanted)
    assert remedy in str(one.value)


@pytest.mark.parametrize("name", INSTALLED)
def test_an_installed_runtime_has_a_version(name):
    assert runtime.read_version(name)[0].isdigit()


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("batch", [1, 4])
def test_a_network_answers_for_each_image_of_a_batch(crowns, name, batch):
    network = Network(crowns.classifier, batch, name)
    assert network.input_shape == (64, 64, 3)
    images = np.repeat(crowns.golden.crops[:1], batch, axis=0)
    raw = network(images)
    assert [answer.shape for answer in raw] == [(batch, size) for size in network.output_sizes]
    assert all((answer == answer[0]).all() for answer in raw)
    assert network.dequantize(0, raw[0]).dtype == np.float32


@pytest.mark.parametrize("name", INSTALLED)
def test_what_is_no_model_does_not_load(name):
    with pytest.raises((ValueError, RuntimeError)):
        Network(b"no model", 1, name)


def test_raw_outputs_stand_for_real_numbers(crowns):
    network = Network(crowns.classifier, 4, INSTALLED[0])
    raw = network(crowns.golden.crops[:4])[0]
    real = network.dequantize(0, raw)
    assert raw.dtype == np.int8
    assert real.dtype == np.float32
    assert len(np.unique(real)) == len(np.unique(raw))
    assert np.argsort(real.ravel(), kind="stable").tolist() == (
        np.argsort(raw.ravel(), kind="stable").tolist()
    )


def test_a_network_says_nothing_on_stderr(crowns, capfd):
    Network(crowns.classifier, 1, INSTALLED[0])
    assert capfd.readouterr().err == ""


def test_a_network_of_scaled_images_is_refused():
    with pytest.raises(BundleError, match=r"scale 0\.5 and zero -128, not int8 with 1"):
        runtime._check_input({"dtype": np.int8, "quantization": (0.5, -128)})
