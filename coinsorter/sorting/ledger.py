"""Every coin as a row in SQLite: durable before its flap may move, completed when it has passed.

At every instant, and after any crash, seen = sum over the bins + uncertain (rows found open at start) + those still on their way.
Rows are ordered by id: the wall clock of a Pi without a battery is wrong after power-up.
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coinsorter.errors import LedgerError
from coinsorter.records import LATE, SORTED, UNCERTAIN, Event

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0  # how long a connection waits for another one's transaction

_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started_at TEXT NOT NULL, ended_at TEXT, bundle TEXT NOT NULL, bundle_hash TEXT NOT NULL,
    runtime TEXT NOT NULL, note TEXT NOT NULL
);
CREATE TABLE coins (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, coin INTEGER NOT NULL, at TEXT NOT NULL, seen_s REAL NOT NULL,
    label TEXT, confidence REAL, by_picture REAL, runner_up TEXT, anomaly REAL, diameter_mm REAL, speed_mm_s REAL,
    min_confidence REAL, max_anomaly REAL, nominal_mm REAL, tolerance_mm REAL,
    value REAL, currency TEXT, bin TEXT NOT NULL, reason TEXT NOT NULL, landed TEXT,
    UNIQUE (run, coin)
);
CREATE INDEX coins_open ON coins (id) WHERE landed IS NULL;
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY, run INTEGER REFERENCES runs, at TEXT NOT NULL, what TEXT NOT NULL, place TEXT NOT NULL, remedy TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class RunRecord:
    """What a run was made with; goes into the ledger once a run."""

    bundle: str
    bundle_hash: str
    runtime: str
    note: str = ""


class Receipt:
    """Tells when a row is on the disk."""

    def __init__(self) -> None:
        self._written = threading.Event()
        self.error: LedgerError | None = None

    def settle(self, error: LedgerError | None = None) -> None:
        self.error = error
        self._written.set()

    @property
    def durable(self) -> bool:
        """True once the row cannot be lost any more; raises LedgerError if it could not be written."""
        if self.error:
            raise self.error
        return self._written.is_set()

    def wait(self, timeout_s: float) -> bool:
        self._written.wait(timeout_s)
        return self.durable


Change = Callable[
    [sqlite3.Connection, int, str], None
]  # given the connection, the run and the wall time


class Ledger:
    """The ledger of one run, written at once: `record` returns when the row is on the disk. Opening it closes what a crash left open.

    Raises LedgerError wherever the file cannot be used; a row that could not be written whole is not there at all.
    """

    def __init__(
        self,
        path: Path,
        facts: RunRecord,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = path
        self._wall_clock = wall_clock
        with explain_failures(path), contextlib.ExitStack() as undo:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(path)
            undo.callback(self._connection.close)
            _prepare(path, self._connection)
            self.recovered = self._recover()
            self._run = self._begin(facts)
            undo.pop_all()

    def record(self, event: Event) -> Receipt:
        """Writes a coin's row, open."""
        receipt = Receipt()
        self.apply([insert_coin(event)])
        receipt.settle()
        return receipt

    def complete(self, coin: int, landed: str, late_to: str | None = None) -> None:
        """Closes a coin's row: it has passed. late_to: the reject bin, where its flap was not in time and it was sent on there."""
        self.apply([close_coin(coin, landed, late_to)])

    def report_incident(self, what: str, place: str, remedy: str) -> None:
        """Notes what a person has to know: what happened, where, and what to do."""
        self.apply([insert_incident(what, place, remedy)])

    def apply(self, changes: list[Change]) -> None:
        """Makes some changes in one transaction: all of them, or none and LedgerError."""
        with explain_failures(self.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                change(self._connection, self._run, self._now())

    def close(self) -> None:
        """Ends the run; safe to call twice."""
        try:
            self.apply([_ended])
        except LedgerError:
            pass  # closed before, or the fault that keeps the end from being written has been told by the write before it
        finally:
            self._connection.close()

    def _recover(self) -> int:
        """Calls rows that a crash left open uncertain; returns how many."""
        with self._connection:
            return self._connection.execute(
                "UPDATE coins SET landed = ? WHERE landed IS NULL", (UNCERTAIN,)
            ).rowcount

    def _begin(self, facts: RunRecord) -> int:
        row = (self._now(), facts.bundle, facts.bundle_hash, facts.runtime, facts.note)
        with self._connection:
            sql = "INSERT INTO runs (started_at, bundle, bundle_hash, runtime, note) VALUES (?, ?, ?, ?, ?)"
            return int(self._connection.execute(sql, row).lastrowid or 0)

    def _now(self) -> str:
        return self._wall_clock().isoformat(timespec="milliseconds")


def insert_coin(event: Event) -> Change:
    """A coin's row, open."""

    def change(connection: sqlite3.Connection, run: int, now: str) -> None:
        row = {"run": run, "coin": event.coin, "at": now, **_columns(event)}
        connection.execute(
            f"INSERT INTO coins ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
            tuple(row.values()),
        )

    return change


def close_coin(coin: int, landed: str, late_to: str | None) -> Change:
    """A coin's row, closed."""

    def change(connection: sqlite3.Connection, run: int, now: str) -> None:
        connection.execute(
            "UPDATE coins SET landed = ? WHERE run = ? AND coin = ?", (landed, run, coin)
        )
        if late_to is not None:
            connection.execute(
                "UPDATE coins SET bin = ?, reason = ? WHERE run = ? AND coin = ?",
                (late_to, LATE, run, coin),
            )

    return change


def insert_incident(what: str, place: str, remedy: str) -> Change:
    """An incident."""

    def change(connection: sqlite3.Connection, run: int, now: str) -> None:
        sql = "INSERT INTO incidents (run, at, what, place, remedy) VALUES (?, ?, ?, ?, ?)"
        connection.execute(sql, (run, now, what, place, remedy))

    return change


def _ended(connection: sqlite3.Connection, run: int, now: str) -> None:
    connection.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (now, run))


class BackgroundLedger:
    """The same ledger written by a thread of its own, many changes at a time, so that the disk never holds up the camera.

    A fault of the disk comes out of the receipt, and out of the next call of any kind; the last one out of `close`.
    """

    def __init__(self, open_ledger: Callable[[], Ledger]) -> None:
        self._changes: queue.Queue[tuple[Change, Receipt] | None] = queue.Queue()
        self._fault: LedgerError | None = None
        self._told = False
        opened: queue.Queue[Ledger | LedgerError] = queue.Queue()
        self._thread = threading.Thread(
            target=self._write, args=(open_ledger, opened), name="ledger", daemon=True
        )
        self._thread.start()
        ledger = opened.get()
        if isinstance(ledger, LedgerError):
            raise ledger
        self.path, self.recovered = ledger.path, ledger.recovered

    def record(self, event: Event) -> Receipt:
        """Writes a coin's row, open; the receipt tells when it is on the disk."""
        return self._put(insert_coin(event))

    def complete(self, coin: int, landed: str, late_to: str | None = None) -> None:
        """Closes a coin's row: it has passed."""
        self._put(close_coin(coin, landed, late_to))

    def report_incident(self, what: str, place: str, remedy: str) -> None:
        """Notes what a person has to know."""
        self._put(insert_incident(what, place, remedy))

    def close(self) -> None:
        """Writes what waits, and ends the run; safe to call twice. Raises a fault that nobody has been told of yet."""
        self._changes.put(None)
        self._thread.join()
        if self._fault and not self._told:
            self._told = True
            raise self._fault

    def _put(self, change: Change) -> Receipt:
        if self._fault:
            self._told = True
            raise self._fault
        receipt = Receipt()
        self._changes.put((change, receipt))
        return receipt

    def _write(self, open_ledger: Callable[[], Ledger], opened: queue.Queue) -> None:
        try:
            ledger = (
                open_ledger()
            )  # here, because SQLite's connections belong to the thread that opened them
        except LedgerError as error:
            opened.put(error)
            return
        opened.put(ledger)
        last = False
        while not last:
            waiting = self._waiting()
            last = None in waiting
            self._write_together(ledger, [entry for entry in waiting if entry])
        ledger.close()

    def _waiting(self) -> list[tuple[Change, Receipt] | None]:
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


def _columns(event: Event) -> dict[str, Any]:
    verdict, limits = event.verdict, event.thresholds
    is_sorted = event.decision.reason == SORTED
    return {
        "seen_s": event.seen_s,
        "label": verdict.label if verdict else None,
        "confidence": verdict.confidence if verdict else None,
        "by_picture": verdict.by_picture if verdict else None,
        "runner_up": verdict.runner_up if verdict else None,
        "anomaly": verdict.anomaly if verdict else None,
        "diameter_mm": event.diameter_mm,
        "speed_mm_s": event.speed_mm_s,
        "min_confidence": limits.min_confidence if limits else None,
        "max_anomaly": limits.max_anomaly if limits else None,
        "nominal_mm": limits.nominal_mm if limits else None,
        "tolerance_mm": limits.tolerance_mm if limits else None,
        "value": event.value if is_sorted else None,
        "currency": event.currency if is_sorted else None,
        "bin": event.decision.bin,
        "reason": event.decision.reason,
    }


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Makes the tables in a new file, and every commit durable."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    elif version != SCHEMA_VERSION:
        raise LedgerError(
            f"{path}: written by a newer coinsorter (format {version}, this one knows {SCHEMA_VERSION}); update coinsorter"
        )


@contextmanager
def explain_failures(path: Path) -> Iterator[None]:
    """SQLite's and the system's complaints as a LedgerError that says what to do."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError) as error:
        reason = str(error)
        if "full" in reason:
            advice = "free some space, then start again"
        elif any(
            word in reason
            for word in ("readonly", "Read-only", "ermission", "No such", "unable to open")
        ):
            advice = "check that the folder exists and may be written, or set ledger.path"
        else:
            advice = "check the disk, then start again"
        raise LedgerError(f"ledger {path}: {reason}; {advice}") from error
