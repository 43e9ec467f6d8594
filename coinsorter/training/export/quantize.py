"""Trained networks -> full-integer int8 .tflite, and what they lost on the way."""

import contextlib
import csv
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import IO

import keras
import numpy as np
import tensorflow as tf

from coinsorter.errors import ExportError

#: Top-1 accuracy that may be lost from float to int8; if more is, the bundle is refused.
MAX_LOSS = 0.005
#: Probability that as much or more is lost by chance, below which a loss is believed.
MAX_CHANCE = 0.05
#: The name of the float network among the runtimes' names.
FLOAT = "float"
#: Crops that the search for the worst layer looks at.
DEBUG_CROPS = 50
#: Characters of the converter's output that are printed when it fails.
LOG_TAIL = 4000


def quantize_int8(model: keras.Model, crops: np.ndarray) -> bytes:
    """The network as the content of a .tflite file, all int8: weights, activations, in- and output.

    crops: uint8 (n, s, s, 3), which ranges are measured on. The input is int8 = uint8 - 128,
    exactly. The model is made for one crop at a time; the machine resizes it for more.
    """
    converter = _make_converter(model, crops)
    with _capture_output():
        return bytes(converter.convert())


def check_accuracy_loss(
    is_right: dict[str, np.ndarray], groups: np.ndarray, find_worst_layer: Callable[[], str]
) -> None:
    """Check that int8 names no more than MAX_LOSS fewer crops rightly than floats do.

    A loss that chance makes as easily is none: crops of one group are alike, and are lost together.
    Of the groups of which one of the two names more crops rightly, more than half have to be the
    floats' beyond doubt (sign test: McNemar, 1947).
    is_right: bool (n,), by FLOAT and by the runtimes' names. groups: int (n,), see `Samples`.
    Raises ExportError naming the runtime and the layer that loses most.
    """
    right_as_float = is_right[FLOAT]
    for name, right in is_right.items():
        least = right_as_float.sum() - MAX_LOSS * len(right)
        if not right.sum() >= least and _is_lost_beyond_doubt(right_as_float, right, groups):
            raise ExportError(
                f"the classifier named {100 * right_as_float.mean():.2f} % of {len(right)} "
                "held-out "
                f"crops rightly as floats, {100 * right.mean():.2f} % as int8 on {name}; most is "
                f"lost in layer {find_worst_layer()}; train it longer, with less learning rate at "
                "the end, or take another network"
            )


def _is_lost_beyond_doubt(before: np.ndarray, after: np.ndarray, groups: np.ndarray) -> bool:
    from scipy.stats import binomtest  # most of a second

    _, places = np.unique(groups, return_inverse=True)
    change = np.bincount(places, after.astype(int) - before.astype(int))
    lost = int((change < 0).sum())
    won = int((change > 0).sum())
    test = binomtest(lost, lost + won, alternative="greater")
    return bool(test.pvalue < MAX_CHANCE)


def find_worst_layer(model: keras.Model, crops: np.ndarray) -> str:
    """The layer whose int8 results are furthest from its float ones, by TensorFlow's debugger.

    Differences are in units of the layer's quantisation step. crops: as for `quantize_int8`.
    """
    with _capture_output():
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=_make_converter(model, crops),
            debug_dataset=lambda: ([crop] for crop in _to_batches(crops[:DEBUG_CROPS])),
        )
        debugger.run()
        with tempfile.TemporaryFile("w+") as table:
            debugger.layer_statistics_dump(table)
            table.seek(0)
            rows = list(csv.DictReader(table))
    worst = max(rows, key=_measure_steps_off)
    return f"{worst['op_name']} ({worst['tensor_name'].split(';')[0]})"


def _make_converter(model: keras.Model, crops: np.ndarray) -> tf.lite.TFLiteConverter:
    # Named, since its number would depend on what was trained before; the name is in the file.
    crop = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="pictures")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(crop, model(crop)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [batch] for batch in _to_batches(_reach_full_range(crops))
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    # tflite-runtime 2.14 knows per-channel weights for convolutions only.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter


def _to_batches(crops: np.ndarray) -> Iterator[np.ndarray]:
    """Each crop as a batch of one: float32 (1, s, s, 3)."""
    return (crop[None].astype(np.float32) for crop in crops)


def _reach_full_range(crops: np.ndarray) -> np.ndarray:
    """The crops with a black and a white pixel in the first.

    The input's range is then 0..255, and its scale exactly 1.
    """
    changed = crops.copy()
    changed[0, 0, 0] = 0
    changed[0, 0, 1] = 255
    return changed


def _measure_steps_off(row: dict[str, str]) -> float:
    """Root mean square error of a layer, in quantisation steps."""
    rms: float = float(row["mean_squared_error"]) ** 0.5
    return rms / float(row["scale"])


@contextlib.contextmanager
def _capture_output() -> Iterator[None]:
    """Keeps the converter's output off the terminal; its end is printed if the converter fails."""
    sys.stdout.flush()
    saved = {stream: os.dup(stream) for stream in (1, 2)}
    is_done = False
    with tempfile.TemporaryFile() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stream in saved:
            os.dup2(log.fileno(), stream)
        try:
            yield
            is_done = True
        finally:
            sys.stdout.flush()
            if not is_done:
                _print_end(log, saved[2])
            for stream, copy in saved.items():
                os.dup2(copy, stream)
                os.close(copy)


def _print_end(log: IO[bytes], stream: int) -> None:
    log.seek(0)
    os.write(stream, log.read()[-LOG_TAIL:])
