"""A ledger written by its own thread, so that the disk never holds up the camera."""

import sys
import threading
from collections.abc import Callable

from coinsorter.errors import LedgerError
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queued_ledger import QueuedLedger

#: Seconds that a start waits for the ledger; then the machine starts with its feeder off.
OPENING_S = 1.0
#: Seconds that `close` waits for the disk: SIGTERM has to be obeyed within two.
CLOSING_S = 1.0


class BackgroundLedger(QueuedLedger):
    """A ledger written by its own thread, many changes at a time.

    A fault is raised by the receipts and by the next call of any kind; one of the last changes is
    raised by `close`. Raises LedgerError where the ledger cannot be opened; while another program
    has it locked, or the disk does not answer, it is opened later, and `trouble` says so.
    """

    def __init__(self, open_ledger: Callable[[], Ledger]) -> None:
        super().__init__(open_ledger)
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()
        self._opening_tried.wait(OPENING_S)
        if self._fault:
            self.close()
            self._raise_fault()

    @property
    def trouble(self) -> str | None:
        """Why rows do not get onto the disk for now; None while they do.

        Raises LedgerError where they never will.
        """
        trouble = super().trouble
        if trouble is None and not self._opening_tried.is_set():
            return "the ledger is still being opened; check the disk"
        return trouble

    def close(self) -> None:
        """Writes what waits, and ends the run; safe to call twice.

        It waits for the disk for CLOSING_S. Raises a fault that was not raised before, and names
        the rows that could not be written.
        """
        was_closed = self._is_ending
        self._end()
        self._thread.join(0.0 if was_closed else CLOSING_S)
        self._report_unwritten()

    def _run(self) -> None:
        """What the thread does. Whatever ends it before its time becomes the ledger's fault."""
        try:
            while self._wait_until_due():
                self.write_due()
            self._close_ledger()
        finally:
            mistake = sys.exception()
            if mistake is not None:
                self._fail(_explain_mistake(mistake))
            self._opening_tried.set()

    def _raise_fault(self) -> None:
        if not (self._fault or self._is_ending or self._thread.is_alive()):
            self._fail(LedgerError("the ledger's thread has ended; start again"))
        super()._raise_fault()


def _explain_mistake(mistake: BaseException) -> LedgerError:
    return LedgerError(
        f"the ledger's thread ended with {type(mistake).__name__}: {mistake}; "
        "start again, and report this with the log"
    )
