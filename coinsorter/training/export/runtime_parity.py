"""What an int8 classifier answers in each runtime that is installed.

Each runs in a process of its own: tflite-runtime does not work beside TensorFlow in one
("vector::reserve" at the first interpreter).
"""

import multiprocessing

import numpy as np

from coinsorter.recognition.runtime import Network, list_runtimes
from coinsorter.recognition.views import make_views
from coinsorter.vision.crop import CropSpec

#: Quarter turns of each crop whose answers are added up, as the machine does.
TURNS = 4


def classify_in_runtimes(model: bytes, crops: np.ndarray, spec: CropSpec) -> dict[str, np.ndarray]:
    """The likeliest label of each crop, int (n,), by runtime.

    model: the content of a .tflite file. crops: uint8 (n, s, s, 3). The last output, "none of
    these", is left out.
    """
    answers = {}
    for runtime in list_runtimes():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            answers[runtime] = pool.apply(_classify, (model, crops, spec, runtime))
    return answers


def _classify(model: bytes, crops: np.ndarray, spec: CropSpec, runtime: str) -> np.ndarray:
    network = Network(model, 1, runtime)
    labels = [_classify_crop(network, crop, spec) for crop in crops]
    return np.array(labels, int)


def _classify_crop(network: Network, crop: np.ndarray, spec: CropSpec) -> int:
    total: np.ndarray | int = 0
    for view in make_views(crop, network.input_shape, spec, TURNS):
        logits = network(view[None])[0]
        total = total + logits[0].astype(int)
    labels = np.asarray(total)[:-1]
    return int(labels.argmax())
