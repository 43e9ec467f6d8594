"""Trained networks -> full-integer int8 .tflite, for both runtimes, and what they lost on the way."""

import contextlib
import csv
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from coinsorter.errors import ExportError

MAX_LOSS = 0.005  # of top-1 accuracy from float to int8: more, and the bundle is refused
FLOAT = "float"
DEBUGGED = 50  # crops that the search for the worst layer looks at


def quantize_int8(model: keras.Model, crops: np.ndarray) -> bytes:
    """The network with int8 weights (per channel), activations, inputs and outputs; ranges are taken from `crops`, uint8 (n, s, s, 3).

    Its input is int8 = picture - 128, exactly. The model is made for one picture at a time; the machine asks for more where it can.
    """
    converter = _converter(model, crops)
    with _quiet():
        return converter.convert()


def _converter(model: keras.Model, crops: np.ndarray) -> tf.lite.TFLiteConverter:
    one = keras.Input(
        batch_shape=(1, *model.input_shape[1:]), name="pictures"
    )  # else its number depends on what was trained before
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(one, model(one)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [picture[None].astype(np.float32)] for picture in _full_range(crops)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    # tflite-runtime 2.14 knows per-channel weights for convolutions only
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter


def check_accuracy_loss(right: dict[str, np.ndarray], worst_layer: Callable[[], str]) -> None:
    """Raises ExportError where int8 names more than MAX_LOSS fewer of some crops rightly than floats do, in any runtime.

    right: bool (n,), by FLOAT and by the runtimes' names.
    """
    for name, own in right.items():
        if not own.sum() >= right[FLOAT].sum() - MAX_LOSS * len(own):
            raise ExportError(
                f"the classifier named {100 * right[FLOAT].mean():.2f} % of {len(own)} held-out crops rightly as floats, {100 * own.mean():.2f} % as int8 "
                f"on {name}; most is lost in layer {worst_layer()}; train it longer, with less learning rate at the end, or take another network"
            )


def find_worst_layer(model: keras.Model, crops: np.ndarray) -> str:
    """The layer whose int8 results are furthest from its float ones, in units of its quantisation step (TensorFlow's debugger)."""
    with _quiet():
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=_converter(model, crops),
            debug_dataset=lambda: (
                [picture[None].astype(np.float32)] for picture in crops[:DEBUGGED]
            ),
        )
        debugger.run()
        with tempfile.TemporaryFile("w+") as table:
            debugger.layer_statistics_dump(table)
            table.seek(0)
            rows = list(csv.DictReader(table))
    worst = max(rows, key=lambda row: float(row["mean_squared_error"]) ** 0.5 / float(row["scale"]))
    return f"{worst['op_name']} ({worst['tensor_name'].split(';')[0]})"


def _full_range(crops: np.ndarray) -> np.ndarray:
    """The crops with one black and one white pixel in the first: the input's range is then 0..255 and its scale exactly 1."""
    pictures = crops.copy()
    pictures[0, 0, 0], pictures[0, 0, 1] = 0, 255
    return pictures


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the converter's chatter off the terminal; what it complained about is printed if it does not come to its end."""
    sys.stdout.flush()
    saved, done = {stream: os.dup(stream) for stream in (1, 2)}, False
    with tempfile.TemporaryFile() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stream in saved:
            os.dup2(log.fileno(), stream)
        try:
            yield
            done = True
        finally:
            sys.stdout.flush()
            if not done:
                log.seek(0)
                os.write(saved[2], log.read()[-4000:])
            for stream, copy in saved.items():
                os.dup2(copy, stream)
                os.close(copy)
