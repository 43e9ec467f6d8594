"""A ledger whose changes wait in memory, in their order, until they are on the disk.

What cannot be written for now is tried again until it can be, and is there once. Any thread may
put changes; one thread writes them. The lock is never held while the disk is at work.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from coinsorter.errors import LedgerError, LedgerLockedError, LedgerUnavailableError
from coinsorter.ledger.ledger import (
    Change,
    Ledger,
    close_coin,
    insert_coin,
    insert_incident,
    now_utc,
)
from coinsorter.ledger.receipts import Receipt
from coinsorter.records import Event

#: Changes that may wait: about 10 MB, and 40 minutes of coins at 2 a second that a person feeds by
#: hand; with a feeder that the machine stops, some dozens come at most.
MAX_WAITING = 10_000
#: Seconds that the end of a coin's row waits for the next coin's, so that both take one write to
#: the card. A crash within them makes the coin uncertain.
COMPANY_S = 1.0
#: Seconds within which a change must be on the disk; later, the feeder stops. A card that tidies up
#: takes up to a second for a write, and the end of a row waits one for company.
DEADLINE_S = 2.0
#: Seconds between two attempts to write what cannot be written for now.
RETRY_S = 1.0
#: Names of rows in a message, so that it fits into a line of the log.
MAX_NAMES = 20


@dataclass(frozen=True)
class WaitingChange:
    """A change that is not on the disk.

    name: of the row, for messages. is_urgent: whether a flap or a person waits for it. put_s: when
    it came, seconds on the ledger's clock.
    """

    change: Change
    name: str
    is_urgent: bool
    put_s: float
    receipt: Receipt = field(default_factory=Receipt)


class QueuedLedger:
    """A ledger's changes, in their order; `write_due` writes those that are due.

    open_ledger: called by the thread that writes, because a connection of SQLite belongs to the
    thread that opened it. now_s: seconds on a monotonic clock. wall_clock: what rows have as their
    time: when they came, however long they wait.
    """

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        now_s: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._open_ledger = open_ledger
        self._wall_clock = wall_clock
        self._now_s = now_s
        self._changed = threading.Condition()
        self._waiting: deque[WaitingChange] = deque()
        self._batch_size = 0  # changes of the transaction that failed last; 0 after a success
        self._ledger: Ledger | None = None
        self._opening_tried = threading.Event()
        self._retry_at_s = float("-inf")
        self._trouble: LedgerUnavailableError | None = None
        self._fault: LedgerError | None = None
        self._was_fault_raised = False
        self._is_ending = False

    # Any thread.

    def record(self, event: Event) -> Receipt:
        """Writes a coin's row, open; the receipt says when it is on the disk."""
        return self._put(insert_coin(event), f"coin {event.coin}")

    def complete(self, coin: int, landed: str, late_to: str | None = None) -> None:
        """Closes a coin's row; see `Ledger.complete`."""
        self._put(close_coin(coin, landed, late_to), f"the bin of coin {coin}", is_urgent=False)

    def report_incident(self, what: str, place: str, remedy: str) -> None:
        """Writes down what a person has to know."""
        self._put(insert_incident(what, place, remedy), f"the incident {what!r}")

    @property
    def trouble(self) -> str | None:
        """Why rows do not get onto the disk for now; None while they do.

        Raises LedgerError where they never will.
        """
        self._raise_fault()
        trouble = self._trouble  # once: the other thread may change it
        if trouble is not None:
            return str(trouble)
        if self.waited_s > DEADLINE_S:
            return f"the ledger's disk has taken no row for {DEADLINE_S:.0f} s; check the disk"
        return None

    @property
    def waited_s(self) -> float:
        """How long the oldest change that is not on the disk has waited, seconds; 0 without any."""
        with self._changed:
            return self._now_s() - self._waiting[0].put_s if self._waiting else 0.0

    def close(self) -> None:
        """Writes what waits, and ends the run; safe to call twice.

        Raises a fault that was not raised before, and names the rows that could not be written.
        """
        self._end()
        while self._wait_until_due():
            self.write_due()
        self._close_ledger()
        self._report_unwritten()

    # The thread that writes.

    @property
    def is_due(self) -> bool:
        """Whether there is something to write now."""
        with self._changed:
            pause_s = self._compute_pause_s()
            return pause_s is not None and pause_s <= 0

    def write_due(self) -> None:
        """Writes what is due, in one transaction; what cannot be written for now stays."""
        try:
            self._write_waiting(self._open_once())
        except LedgerUnavailableError as error:
            self._postpone(error)
        except LedgerError as error:
            self._fail(error)
        self._opening_tried.set()

    def _open_once(self) -> Ledger:
        """The ledger; while it is opened only another program's lock is waited for."""
        if self._ledger is None:
            try:
                self._ledger = self._open_ledger()
            except LedgerLockedError:
                raise
            except LedgerUnavailableError as error:
                raise LedgerError(str(error)) from error
        return self._ledger

    def _write_waiting(self, ledger: Ledger) -> None:
        """Writes all that waits; where a transaction failed, what was in it, once."""
        has_failed = self._batch_size > 0
        batch = self._take_batch()
        changes = [waiting.change for waiting in batch]
        if has_failed:
            ledger.reapply(changes)
        elif changes:
            ledger.apply(changes)
        self._settle(batch)

    def _take_batch(self) -> list[WaitingChange]:
        with self._changed:
            self._batch_size = self._batch_size or len(self._waiting)
            return list(islice(self._waiting, self._batch_size))

    def _settle(self, batch: list[WaitingChange]) -> None:
        with self._changed:
            if self._fault:
                return  # given up meanwhile, and said so
            for _ in batch:
                self._waiting.popleft()
            self._batch_size = 0
            self._trouble = None
        for waiting in batch:
            waiting.receipt.settle()

    def _postpone(self, error: LedgerUnavailableError) -> None:
        with self._changed:
            self._trouble = error
            self._retry_at_s = self._now_s() + RETRY_S

    def _fail(self, error: LedgerError) -> None:
        """Gives up: the fault is raised by every receipt and every call from now on."""
        with self._changed:
            unwritten = list(self._waiting)
            self._waiting.clear()
            self._batch_size = 0
            self._fault = self._fault or _name_unwritten(error, unwritten)
            self._changed.notify_all()
        for waiting in unwritten:
            waiting.receipt.settle(self._fault)

    def _wait_until_due(self) -> bool:
        """Waits until there is something to write; False once there is no more."""
        with self._changed:
            while not self._is_over():
                if self.is_due:
                    return True
                self._changed.wait(self._compute_pause_s())
            return False

    def _is_over(self) -> bool:
        """Whether the end was asked for, and nothing is left that one more attempt could write."""
        is_last_attempt_made = self._trouble is not None and self._retry_at_s > self._now_s()
        nothing_left = not self._waiting or self._fault is not None
        return self._is_ending and (nothing_left or is_last_attempt_made)

    def _compute_pause_s(self) -> float | None:
        """Seconds until something is due; None while nothing waits."""
        if self._trouble:
            return self._retry_at_s - self._now_s()
        if self._ledger is None and not self._fault:
            return 0.0
        if not self._waiting:
            return None
        if self._is_ending or any(waiting.is_urgent for waiting in self._waiting):
            return 0.0
        return self._waiting[0].put_s + COMPANY_S - self._now_s()

    def _close_ledger(self) -> None:
        if self._ledger:
            self._ledger.close()

    # What all of them need.

    def _put(self, change: Change, name: str, is_urgent: bool = True) -> Receipt:
        change = _stamp(change, self._wall_clock())
        waiting = WaitingChange(change, name, is_urgent, self._now_s())
        with self._changed:
            self._raise_fault()
            if len(self._waiting) >= MAX_WAITING:
                reason = self._trouble or "the ledger's disk is too slow"
                raise LedgerError(f"{reason}; {MAX_WAITING} rows wait for it, no more are taken")
            self._waiting.append(waiting)
            self._changed.notify_all()
        return waiting.receipt

    def _raise_fault(self) -> None:
        if self._fault:
            self._was_fault_raised = True
            raise self._fault

    def _end(self) -> None:
        """Asks for the end: one more attempt is made at once."""
        with self._changed:
            if not self._is_ending:
                self._is_ending = True
                self._retry_at_s = self._now_s()
            self._changed.notify_all()

    def _report_unwritten(self) -> None:
        """Raises what was not raised before; names the rows that wait in vain."""
        if self._waiting:
            self._fail(self._trouble or LedgerError("the ledger's disk does not answer"))
        if self._fault and not self._was_fault_raised:
            self._raise_fault()


def _stamp(change: Change, now: datetime) -> Change:
    """The change with the time when it came."""

    def stamped(connection: sqlite3.Connection, run: int, _: datetime) -> None:
        change(connection, run, now)

    return stamped


def _name_unwritten(error: LedgerError, unwritten: list[WaitingChange]) -> LedgerError:
    """The error, with the number and the names of the rows that are not on the disk."""
    if not unwritten:
        return error
    names = ", ".join(waiting.name for waiting in unwritten[:MAX_NAMES])
    more = ", ..." if len(unwritten) > MAX_NAMES else ""
    rows = "1 row is" if len(unwritten) == 1 else f"{len(unwritten)} rows are"
    return LedgerError(f"{error}; {rows} not written: {names}{more}")
