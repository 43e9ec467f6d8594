"""A ledger written by its own thread, so that the disk never holds up the camera."""

import queue
import threading
from collections.abc import Callable

from coinsorter.errors import LedgerError
from coinsorter.records import Event
from coinsorter.sorting.ledger import Change, Ledger, close_coin, insert_coin, insert_incident
from coinsorter.sorting.receipts import Receipt


class BackgroundLedger:
    """A ledger written by its own thread, many changes at a time.

    So the disk never holds up the camera. A fault of the disk is raised by the receipt and by the
    next call of any kind; a fault of the last changes is raised by `close`. open_ledger runs in
    that thread, because a connection of SQLite belongs to the thread that opened it.
    """

    def __init__(self, open_ledger: Callable[[], Ledger]) -> None:
        self._changes: queue.Queue[tuple[Change, Receipt] | None] = queue.Queue()
        self._fault: LedgerError | None = None
        self._was_fault_raised = False
        opened: queue.Queue[Ledger | LedgerError] = queue.Queue()
        self._thread = threading.Thread(
            target=self._write, args=(open_ledger, opened), name="ledger", daemon=True
        )
        self._thread.start()
        ledger = opened.get()
        if isinstance(ledger, LedgerError):
            raise ledger
        self.path = ledger.path
        self.recovered = ledger.recovered

    def record(self, event: Event) -> Receipt:
        """Writes a coin's row, open; the receipt says when it is on the disk."""
        return self._put(insert_coin(event))

    def complete(self, coin: int, landed: str, late_to: str | None = None) -> None:
        """Closes a coin's row; see `Ledger.complete`."""
        self._put(close_coin(coin, landed, late_to))

    def report_incident(self, what: str, place: str, remedy: str) -> None:
        """Writes down what a person has to know."""
        self._put(insert_incident(what, place, remedy))

    def close(self) -> None:
        """Writes what waits, and ends the run; safe to call twice.

        Raises a fault that was not raised before.
        """
        self._changes.put(None)
        self._thread.join()
        if self._fault and not self._was_fault_raised:
            self._was_fault_raised = True
            raise self._fault

    def _put(self, change: Change) -> Receipt:
        if self._fault:
            self._was_fault_raised = True
            raise self._fault
        receipt = Receipt()
        self._changes.put((change, receipt))
        return receipt

    def _write(
        self,
        open_ledger: Callable[[], Ledger],
        opened: queue.Queue[Ledger | LedgerError],
    ) -> None:
        """What the thread does: opens the ledger, then writes until None is in the queue."""
        try:
            ledger = open_ledger()
        except LedgerError as error:
            opened.put(error)
            return
        opened.put(ledger)
        is_last = False
        while not is_last:
            waiting = self._take_waiting()
            is_last = None in waiting
            self._write_together(ledger, [entry for entry in waiting if entry])
        ledger.close()

    def _take_waiting(self) -> list[tuple[Change, Receipt] | None]:
        """At least one change, and all others that wait; None is the last."""
        waiting = [self._changes.get()]
        while not self._changes.empty():
            waiting.append(self._changes.get())
        return waiting

    def _write_together(self, ledger: Ledger, entries: list[tuple[Change, Receipt]]) -> None:
        try:
            if entries and not self._fault:
                ledger.apply([change for change, _ in entries])
        except LedgerError as error:
            self._fault = error
        for _, receipt in entries:
            receipt.settle(self._fault)
