"""The simulated machine's ledger: the real one's queue, written on the simulated clock.

It writes as the real machine does, the end of a row with a later one, but when the machine calls it
and not in a thread, so that a run comes out the same whatever the disk's speed.
"""

from collections.abc import Callable

from coinsorter.ledger.ledger import Change, Ledger
from coinsorter.ledger.queued_ledger import QueuedLedger
from coinsorter.ledger.receipts import Receipt


class SteppedLedger(QueuedLedger):
    """A queued ledger that writes what is due whenever it is called."""

    @property
    def trouble(self) -> str | None:
        """As `QueuedLedger.trouble`, after what is due has been written."""
        self._write_all_due()
        return super().trouble

    def _put(self, change: Change, name: str, is_urgent: bool = True) -> Receipt:
        receipt = super()._put(change, name, is_urgent)
        self._write_all_due()
        return receipt

    def _write_all_due(self) -> None:
        while self.is_due:
            self.write_due()


def step_ledger(ledger: Ledger, now_s: Callable[[], float]) -> SteppedLedger:
    """An open ledger, stepped. now_s: seconds on the simulated clock."""
    return SteppedLedger(lambda: ledger, now_s)
