"""What every servo driver shares: fifty pulses a second, and errors that name the output."""

import contextlib
from collections.abc import Iterator

from coinsorter.errors import FlapError

PULSES_PER_S = 50
PERIOD_US = 1_000_000 // PULSES_PER_S


@contextlib.contextmanager
def opening(
    output: str, failures: tuple[type[Exception], ...], remedy: str = "is another program using it?"
) -> Iterator[None]:
    """Turns what an output raises while it is opened into a FlapError that names it."""
    try:
        yield
    except failures as error:
        raise FlapError(f"{output} cannot be driven: {error}; {remedy}") from error


@contextlib.contextmanager
def driving(output: str, failures: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turns what an output raises while it is driven into a FlapError that names it."""
    try:
        yield
    except failures as error:
        raise FlapError(
            f"{output} does not take pulses: {error}; check the wiring, then start again"
        ) from error
