"""Receipts: whether what was put into the ledger is on the disk."""

import threading

from coinsorter.errors import LedgerError


class Receipt:
    """Says when a row is on the disk."""

    def __init__(self) -> None:
        self._written = threading.Event()
        self.error: LedgerError | None = None

    def settle(self, error: LedgerError | None = None) -> None:
        """Marks the row as written; error: why it could not be."""
        self.error = error
        self._written.set()

    @property
    def durable(self) -> bool:
        """Whether the row cannot be lost any more. Raises LedgerError if it was not written."""
        if self.error:
            raise self.error
        return self._written.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Waits until the row is durable, at most so long; whether it is. Raises LedgerError."""
        self._written.wait(timeout_s)
        return self.durable
