"""The interpreter that runs the networks: LiteRT where it is installed, else tflite-runtime; one function picks it."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from coinsorter.errors import BundleError

LITERT = "litert"
TFLITE_RUNTIME = "tflite-runtime"


def list_runtimes() -> list[str]:
    """The runtimes that can be imported here, the preferred one first."""
    return [name for name in (LITERT, TFLITE_RUNTIME) if _interpreter_class(name)]


def pick_runtime(wanted: str) -> str:
    """The runtime to use: the wanted one, or with "auto" the first available. Raises BundleError where it is not installed."""
    found = list_runtimes()
    if wanted in found or (wanted == "auto" and found):
        return found[0] if wanted == "auto" else wanted
    how = (
        "run `pip install ai-edge-litert`"
        if wanted != TFLITE_RUNTIME
        else "it needs Python 3.11 and numpy below 2"
    )
    raise BundleError(
        f"runtime.interpreter: {wanted} is not installed (there is {', '.join(found) or 'none'}); {how}"
    )


def read_version(name: str) -> str:
    from importlib.metadata import version as installed

    return installed({LITERT: "ai-edge-litert", TFLITE_RUNTIME: "tflite-runtime"}[name])


class Network:
    """One full-integer int8 network, ready to run on batches of a fixed size; uint8 pictures in, numbers out."""

    def __init__(self, model: bytes, batch: int, runtime: str, threads: int = 1) -> None:
        with _quiet():
            self._interpreter = _interpreter_class(runtime)(
                model_content=model, num_threads=threads
            )
            (self._input,) = self._interpreter.get_input_details()
            if batch != self._input["shape"][0]:
                self._interpreter.resize_tensor_input(
                    self._input["index"], [batch, *self._input["shape"][1:]]
                )
            self._interpreter.allocate_tensors()
        self._outputs = sorted(
            self._interpreter.get_output_details(), key=lambda output: output["name"]
        )
        _check_pictures(self._input)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture: (n, n, 3)."""
        return tuple(self._input["shape"][1:])

    @property
    def outputs(self) -> list[int]:
        """How many numbers each output has of one picture."""
        return [int(np.prod(output["shape"][1:])) for output in self._outputs]

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        """uint8 (batch, n, n, 3) -> each output as raw int8 with its own shape; see `real`."""
        self._interpreter.set_tensor(self._input["index"], (pictures ^ 0x80).view(np.int8))
        self.invoke()
        return [self._interpreter.get_tensor(output["index"]) for output in self._outputs]

    def invoke(self) -> None:
        """Runs the network on the pictures it was last given."""
        self._interpreter.invoke()

    def real(self, output: int, raw: np.ndarray) -> np.ndarray:
        """A raw output as the real numbers it stands for, float32."""
        scale, zero = self._outputs[output]["quantization"]
        return (raw.astype(np.float32) - zero) * np.float32(scale)


def _check_pictures(details: dict) -> None:
    """The networks take pictures as they are: int8 = uint8 - 128."""
    scale, zero = details["quantization"]
    if details["dtype"] is not np.int8 or zero != -128 or abs(scale - 1) > 1e-3:
        raise BundleError(
            f"network takes {details['dtype'].__name__} pictures with scale {scale:g} and zero {zero}, not int8 with 1 and -128"
        )


def _interpreter_class(name: str) -> Any:
    try:
        if name == LITERT:
            from ai_edge_litert.interpreter import Interpreter
        elif (
            int(np.__version__.split(".")[0]) >= 2
        ):  # it imports under numpy 2, and breaks at the first Interpreter()
            return None
        else:
            from tflite_runtime.interpreter import Interpreter
    except ImportError:
        return None
    return Interpreter


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the runtimes' own chatter ("Created TensorFlow Lite XNNPACK delegate") off the terminal."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
