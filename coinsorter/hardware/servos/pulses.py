"""What every servo driver shares: its interface, fifty pulses a second, errors with the output."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from coinsorter.errors import FlapError

#: Rate that analogue hobby servos are made for: their data sheets give pulses with a 20 ms period.
PULSES_PER_S = 50
#: Time from one pulse's start to the next one's, microseconds.
PERIOD_US = 1_000_000 // PULSES_PER_S


class Servos(Protocol):
    """Pulses for servos, by pin.

    Nothing is pulsed before `pulse`; a pin is opened when it is first used. Failures are
    FlapErrors.
    """

    def pulse(self, pin: int, us: float) -> None:
        """Sends pulses of a width from now on, fifty a second; returns at once."""
        ...

    def release(self, pin: int) -> None:
        """Ends the pulses: the servo is limp."""
        ...

    def close(self) -> None:
        """Releases all servos and closes their pins; safe to call twice."""
        ...


@contextlib.contextmanager
def explain_open_errors(
    output: str, failures: tuple[type[Exception], ...], remedy: str = "is another program using it?"
) -> Iterator[None]:
    """Turns what an output raises while it is opened into a FlapError that names it."""
    try:
        yield
    except failures as error:
        raise FlapError(f"{output} cannot be driven: {error}; {remedy}") from error


@contextlib.contextmanager
def explain_pulse_errors(output: str, failures: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turns what an output raises while it is driven into a FlapError that names it."""
    try:
        yield
    except failures as error:
        what = f"{output} does not take pulses: {error}"
        raise FlapError(f"{what}; check the wiring, then start again") from error
