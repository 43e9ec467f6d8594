"""The interpreter of the int8 networks: LiteRT where it is installed, else tflite-runtime."""

import contextlib
import importlib.metadata
import os
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from coinsorter.errors import BundleError

LITERT = "litert"
TFLITE_RUNTIME = "tflite-runtime"

#: The Python packages that the runtimes come in.
PACKAGES = {LITERT: "ai-edge-litert", TFLITE_RUNTIME: "tflite-runtime"}


def list_runtimes() -> list[str]:
    """The runtimes that can be imported here, the preferred one first."""
    return [name for name in (LITERT, TFLITE_RUNTIME) if import_interpreter(name)]


def pick_runtime(wanted: str) -> str:
    """The runtime to use: the wanted one, or with "auto" the first that is installed.

    Raises BundleError where it is not installed.
    """
    installed = list_runtimes()
    if wanted == "auto" and installed:
        return installed[0]
    if wanted in installed:
        return wanted
    remedy = "run `pip install ai-edge-litert`"
    if wanted == TFLITE_RUNTIME:
        remedy = "it needs Python 3.11 and numpy below 2"
    names = ", ".join(installed) or "none"
    raise BundleError(
        f"runtime.interpreter: {wanted} is not installed (there is {names}); {remedy}"
    )


def read_version(name: str) -> str:
    """The installed version of a runtime, such as "2.1.0"."""
    return importlib.metadata.version(PACKAGES[name])


class Network:
    """One full-integer int8 network, ready to run on batches of a fixed size.

    model: the content of a .tflite file. batch: images at a time. runtime: a name from
    `list_runtimes`. Raises ValueError or RuntimeError where the model does not load, and
    BundleError where it does not take images as int8 and answer in int8.
    """

    def __init__(self, model: bytes, batch: int, runtime: str, threads: int = 1) -> None:
        with _silence_stderr():
            interpreter = import_interpreter(runtime)
            self._interpreter = interpreter(model_content=model, num_threads=threads)
            self._input = _pick_input(self._interpreter.get_input_details())
            if batch != self._input["shape"][0]:
                shape = [batch, *self._input["shape"][1:]]
                self._interpreter.resize_tensor_input(self._input["index"], shape)
            self._interpreter.allocate_tensors()
        outputs = self._interpreter.get_output_details()
        self._outputs = sorted(outputs, key=lambda output: output["name"])
        _check_input(self._input)
        for output in outputs:
            _check_output(output, batch)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one image: (n, n, 3)."""
        return tuple(self._input["shape"][1:])

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each output for one image."""
        return [tuple(output["shape"][1:].tolist()) for output in self._outputs]

    @property
    def output_sizes(self) -> list[int]:
        """How many numbers each output has for one image."""
        return [prod(shape) for shape in self.output_shapes]

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """The raw int8 outputs for images, uint8 (batch, n, n, 3); see `dequantize`.

        Outputs are in the order of their names.
        """
        int8_images = (images ^ 0x80).view(np.int8)
        self._interpreter.set_tensor(self._input["index"], int8_images)
        self.invoke()
        return [self._interpreter.get_tensor(output["index"]) for output in self._outputs]

    def invoke(self) -> None:
        """Run the network on the images that it was last called with."""
        self._interpreter.invoke()

    def dequantize(self, output: int, raw: np.ndarray) -> np.ndarray:
        """The real numbers that a raw output, or a mean of raw outputs, stands for: float32."""
        scale, zero = self._outputs[output]["quantization"]
        real: np.ndarray = (raw.astype(np.float32) - zero) * np.float32(scale)
        return real


def _pick_input(inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """The one input. Raises BundleError unless it is a batch of images."""
    if len(inputs) != 1 or len(inputs[0]["shape"]) != 4:
        shapes = ", ".join(str(details["shape"].tolist()) for details in inputs)
        raise BundleError(f"network takes {shapes}, not a batch of images")
    return inputs[0]


def _check_output(details: dict[str, Any], batch: int) -> None:
    """Raises BundleError unless an output is of int8, one for each image of a batch."""
    shape = details["shape"].tolist()
    if details["dtype"] is not np.int8 or len(shape) < 2 or shape[0] != batch or 0 in shape:
        raise BundleError(
            f"network answers {details['dtype'].__name__} {shape} to {batch} images, "
            "not int8 for each"
        )


def _check_input(details: dict[str, Any]) -> None:
    """Raises BundleError unless the network takes images unscaled: int8 = uint8 - 128."""
    scale, zero = details["quantization"]
    dtype = details["dtype"]
    if dtype is not np.int8 or zero != -128 or abs(scale - 1) > 1e-3:
        raise BundleError(
            f"network takes {dtype.__name__} images with scale {scale:g} and zero {zero}, "
            "not int8 with 1 and -128"
        )


def import_interpreter(name: str) -> Any:
    """The runtime's Interpreter class; None where it cannot be used here."""
    try:
        return _import_litert() if name == LITERT else _import_tflite_runtime()
    except ImportError:
        return None


def _import_litert() -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter


def _import_tflite_runtime() -> Any:
    """None with NumPy 2: there it imports, and breaks at the first Interpreter()."""
    if int(np.__version__.split(".")[0]) >= 2:
        return None
    from tflite_runtime.interpreter import Interpreter

    return Interpreter


@contextlib.contextmanager
def _silence_stderr() -> Iterator[None]:
    """Keeps the runtimes' own lines ("Created TensorFlow Lite XNNPACK delegate") off stderr."""
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
