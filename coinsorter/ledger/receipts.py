"""Receipts: whether what was put into the ledger is on the disk."""

import threading

from coinsorter.errors import LedgerError


class Receipt:
    """Says when a row is on the disk.

    What became of the row is one value, set once, so that no thread can read half of it.
    """

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._outcome: LedgerError | bool = False

    def settle(self, error: LedgerError | None = None) -> None:
        """Marks the row as written; error: why it could not be. Only the first call counts."""
        with self._lock:
            if not self._settled.is_set():
                self._outcome = error or True
                self._settled.set()

    @property
    def durable(self) -> bool:
        """Whether the row cannot be lost any more. Raises LedgerError if it was not written."""
        outcome = self._outcome
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    def wait(self, timeout_s: float) -> bool:
        """Waits until the row is durable, at most so long; whether it is. Raises LedgerError."""
        self._settled.wait(timeout_s)
        return self.durable
