"""What the sorting machine needs from the world: camera, flaps, panel, ledger and clock.

The protocols are structural: a part of `hardware` or of the simulator fits without naming them.
"""

from typing import Protocol

from coinsorter.ledger.receipts import Receipt
from coinsorter.records import Event, Frame


class Camera(Protocol):
    """Anything that delivers frames."""

    @property
    def heartbeat_s(self) -> float:
        """When the last frame came, seconds on the monotonic clock.

        Before the first frame: when the camera was opened.
        """
        ...

    def next_frame(self) -> Frame | None:
        """The next frame, RGB; waits for it. None when there are no more.

        Raises CameraError when the camera falls silent.
        """
        ...

    def reopen(self) -> None:
        """Closes the device and opens it again; frame numbers continue. Raises CameraError."""
        ...

    def close(self) -> None:
        """Lets go of the device; safe to call twice."""
        ...


class FlapMover(Protocol):
    """Anything that moves flaps, each named by its bin. Failures are FlapErrors."""

    def park(self) -> None:
        """Brings every flap to rest."""
        ...

    def move(self, bin: str, open: bool) -> None:
        """Turns one flap; returns at once."""
        ...

    def tick(self, now_s: float) -> None:
        """Releases servos that have been at rest for long, where the settings ask for it."""
        ...

    def close(self) -> None:
        """Parks the flaps and releases the servos; safe to call twice."""
        ...


class Panel(Protocol):
    """What is wired beside the flaps: feeder, status LED, stop button, light beam, drop sensors.

    Every count is of what happened since the last call.
    """

    def feed(self, on: bool) -> None:
        """Starts or stops the feeder."""
        ...

    def show(self, state: str) -> None:
        """Shows a state of the machine: "sorting", "paused", "waiting" or "fault"."""
        ...

    def count_presses(self) -> int:
        """How often the stop button was pressed."""
        ...

    def count_beam_breaks(self) -> int:
        """How often something broke the light beam."""
        ...

    def count_drops(self, bin: str) -> int:
        """How many things fell into a bin."""
        ...


class NoPanel:
    """A panel on which nothing is wired."""

    def feed(self, on: bool) -> None:
        """Does nothing."""

    def show(self, state: str) -> None:
        """Does nothing."""

    def count_presses(self) -> int:
        """Always 0."""
        return 0

    def count_beam_breaks(self) -> int:
        """Always 0."""
        return 0

    def count_drops(self, bin: str) -> int:
        """Always 0."""
        return 0


class CoinLedger(Protocol):
    """Where every coin and every incident is written down. Failures are LedgerErrors."""

    @property
    def trouble(self) -> str | None:
        """Why rows do not get onto the disk for now; None while they do.

        Raises LedgerError where they never will.
        """
        ...

    def record(self, event: Event) -> Receipt:
        """Writes a coin's row, open; the receipt says when it is on the disk."""
        ...

    def complete(self, coin: int, landed: str, late_to: str | None = None) -> None:
        """Closes a coin's row: it has passed.

        landed: the bin it lies in. late_to: the reject bin, for a coin that was sent on there
        because its flap was not in time; None for every other coin.
        """
        ...

    def report_incident(self, what: str, place: str, remedy: str) -> None:
        """Writes down what a person has to know: what happened, where, and what to do."""
        ...

    def close(self) -> None:
        """Ends the run; safe to call twice."""
        ...


class Clock(Protocol):
    """The one clock that all times of the machine are read from."""

    def now_s(self) -> float:
        """Seconds on the monotonic clock."""
        ...
