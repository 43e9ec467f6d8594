"""What an int8 classifier answers in each runtime that is installed.

Each runs in a process of its own: tflite-runtime does not work beside TensorFlow in one
("vector::reserve" at the first interpreter).
"""

import multiprocessing

import numpy as np

from coinsorter.recognition.runtime import Network, list_runtimes
from coinsorter.vision.crop import rotate_quarters

#: Quarter turns of each crop whose answers are added up, as the machine does.
TURNS = 4


def classify_in_runtimes(model: bytes, crops: np.ndarray) -> dict[str, np.ndarray]:
    """The likeliest label of each crop, int (n,), by runtime.

    model: the content of a .tflite file. crops: uint8 (n, s, s, 3). The last output, "none of
    these", is left out.
    """
    answers = {}
    for runtime in list_runtimes():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            answers[runtime] = pool.apply(_classify, (model, crops, runtime))
    return answers


def _classify(model: bytes, crops: np.ndarray, runtime: str) -> np.ndarray:
    network = Network(model, 1, runtime)
    labels = [_classify_crop(network, crop) for crop in crops]
    return np.array(labels, int)


def _classify_crop(network: Network, crop: np.ndarray) -> int:
    total: np.ndarray | int = 0
    for turned in rotate_quarters(crop, TURNS):
        logits = network(turned[None])[0]
        total = total + logits[0].astype(int)
    labels = np.asarray(total)[:-1]
    return int(labels.argmax())
