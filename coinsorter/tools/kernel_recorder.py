"""The OpenCV calls of a piece of work, recorded so that they can be repeated by themselves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import BuiltinFunctionType
from typing import Any

import cv2


@dataclass
class KernelRecorder:
    """Calls to repeat, in order, each with its arguments. Kernels are OpenCV's functions."""

    calls: list[Callable[[], Any]] = field(default_factory=list)

    @contextmanager
    def record(self) -> Iterator[None]:
        """Record every OpenCV function that this thread calls in the block, in any module.

        The functions of the cv2 module are wrapped for as long as the block runs; the calls of
        other threads pass through and are not recorded.
        """
        functions = list_opencv_functions()
        thread = threading.get_ident()
        try:
            for name, function in functions.items():
                setattr(cv2, name, self._wrap(function, thread))
            yield
        finally:
            for name, function in functions.items():
                setattr(cv2, name, function)

    def repeat(self) -> None:
        """Call everything again with the same arguments."""
        for call in self.calls:
            call()

    def _wrap(self, function: Callable[..., Any], thread: int) -> Callable[..., Any]:
        def call_and_record(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() == thread:
                self.calls.append(partial(function, *arguments, **options))
            return function(*arguments, **options)

        return call_and_record


def list_opencv_functions() -> dict[str, Callable[..., Any]]:
    """The functions of the cv2 module that are written in C++, by name."""
    return {
        name: value for name, value in vars(cv2).items() if isinstance(value, BuiltinFunctionType)
    }
