"""What an int8 classifier answers in each runtime that is here.

Each runs in a process of its own: tflite-runtime does not work beside TensorFlow in one ("vector::reserve" at the first interpreter).
"""

import multiprocessing

import numpy as np

from coinsorter.recognition import runtime
from coinsorter.recognition.runtime import Network
from coinsorter.vision.crop import rotate_quarters

TURNS = 4


def classify_in_runtimes(content: bytes, crops: np.ndarray) -> dict[str, np.ndarray]:
    """By runtime the label that a network finds best for each crop in its four turns together, the last output ("none of these") apart.

    crops: uint8 (n, s, s, 3). Each answer: int (n,).
    """
    found = {}
    for name in runtime.list_runtimes():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(_answers, (content, crops, name))
    return found


def _answers(content: bytes, crops: np.ndarray, name: str) -> np.ndarray:
    network = Network(content, 1, name)
    return np.array(
        [
            sum(network(turned[None])[0][0].astype(int) for turned in rotate_quarters(crop, TURNS))[
                :-1
            ].argmax()
            for crop in crops
        ],
        int,
    )
