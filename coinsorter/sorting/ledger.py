"""Every coin as a row in SQLite: durable before its flap may move, completed when it has passed.

At every instant, and after any crash, the number of coins seen is the sum over the bins, plus
uncertain ones (rows found open at start), plus those still on their way. Rows are ordered by id:
the wall clock of a Pi without a battery is wrong after power-up.
"""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coinsorter.errors import LedgerError
from coinsorter.locks import SORTING
from coinsorter.records import LATE, SORTED, UNCERTAIN, Event
from coinsorter.sorting.ledger_evidence import WriteEvidence, force_to_disk
from coinsorter.sorting.ledger_failures import explain_failures
from coinsorter.sorting.ledger_lock import lock_ledger
from coinsorter.sorting.receipts import Receipt

#: The format of the file, kept in SQLite's `user_version`.
SCHEMA_VERSION = 1
#: Seconds that a connection waits for another one's transaction; SQLite's own default.
BUSY_TIMEOUT_S = 5.0

_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    bundle TEXT NOT NULL,
    bundle_hash TEXT NOT NULL,
    runtime TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE TABLE coins (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    coin INTEGER NOT NULL,
    at TEXT NOT NULL,
    seen_s REAL NOT NULL,
    label TEXT,
    confidence REAL,
    by_picture REAL,
    runner_up TEXT,
    anomaly REAL,
    diameter_mm REAL,
    speed_mm_s REAL,
    min_confidence REAL,
    max_anomaly REAL,
    nominal_mm REAL,
    tolerance_mm REAL,
    value REAL,
    currency TEXT,
    bin TEXT NOT NULL,
    reason TEXT NOT NULL,
    landed TEXT,
    UNIQUE (run, coin)
);
CREATE INDEX coins_open ON coins (id) WHERE landed IS NULL;
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    run INTEGER REFERENCES runs,
    at TEXT NOT NULL,
    what TEXT NOT NULL,
    place TEXT NOT NULL,
    remedy TEXT NOT NULL
);
"""

_INSERT_RUN = """
INSERT INTO runs (started_at, bundle, bundle_hash, runtime, note) VALUES (?, ?, ?, ?, ?)
"""
_INSERT_INCIDENT = """
INSERT INTO incidents (run, at, what, place, remedy) VALUES (?, ?, ?, ?, ?)
"""


@dataclass(frozen=True)
class RunRecord:
    """What a run was made with; goes into the ledger once a run."""

    bundle: str
    bundle_hash: str
    runtime: str
    note: str = ""


#: A change of the ledger. Its arguments: the connection, the run's id, the wall time.
Change = Callable[[sqlite3.Connection, int, str], None]


def now_utc() -> datetime:
    """The wall time, in UTC."""
    return datetime.now(UTC)


def connect_ledger(
    path: Path,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """A connection to a ledger's file, which is made where there is none.

    factory: the connection's class, as for `sqlite3.connect`.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=busy_timeout_s, factory=factory
    )
    connection.row_factory = sqlite3.Row
    return connection


class Ledger:
    """The ledger of one run; `record` returns when the row is on the disk.

    Opening it marks as uncertain what a crash left open. Raises LedgerError wherever the file
    cannot be used, LedgerInUseError where another process writes it; a row that could not be
    written whole is not there at all.
    purpose: what it is held for, one of `locks.PURPOSES`. connect: opens a connection to a file.
    recovered: how many rows a crash had left open.
    """

    def __init__(
        self,
        path: Path,
        run: RunRecord,
        wall_clock: Callable[[], datetime] = now_utc,
        purpose: str = SORTING,
        connect: Callable[[Path], sqlite3.Connection] = connect_ledger,
    ) -> None:
        self.path = path
        self._wall_clock = wall_clock
        self._connect = connect
        self._purpose = purpose
        with explain_failures(path), ExitStack() as undo:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock_ledger(path, purpose)
            undo.callback(self._lock.close)
            self._connection = connect(path)
            undo.callback(self._connection.close)
            _prepare(path, self._connection)
            self.recovered = self._mark_open_rows_uncertain()
            self._run = self._begin_run(run)
            self._evidence = WriteEvidence(self._connection, path, self._run)
            undo.pop_all()

    def record(self, event: Event) -> Receipt:
        """Writes a coin's row, open."""
        receipt = Receipt()
        self.apply([insert_coin(event)])
        receipt.settle()
        return receipt

    def complete(self, coin: int, landed: str, late_to: str | None = None) -> None:
        """Closes a coin's row: it has passed.

        late_to: the reject bin, for a coin that was sent on there because its flap was not in time.
        """
        self.apply([close_coin(coin, landed, late_to)])

    def report_incident(self, what: str, place: str, remedy: str) -> None:
        """Writes down what a person has to know: what happened, where, and what to do."""
        self.apply([insert_incident(what, place, remedy)])

    def apply(self, changes: list[Change]) -> None:
        """Makes some changes in one transaction: all of them, or none and LedgerError.

        Raises LedgerUnavailableError for what may pass: call `reapply` with the same changes later.
        """
        with explain_failures(self.path):
            self._evidence.begin()
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                for change in changes:
                    change(self._connection, self._run, self._now())
                self._evidence.expect(self._connection)
            self._evidence.confirm(self.path)

    def reapply(self, changes: list[Change]) -> None:
        """Makes the changes of the last `apply`, which raised, over a new connection.

        A commit that fails may have come onto the disk; then the changes are not made once more.
        """
        with explain_failures(self.path):
            self._reconnect()
            if self._evidence.is_met(self._connection):
                force_to_disk(self._connection)
                self._evidence.confirm(self.path)
                return
        self.apply(changes)

    def close(self) -> None:
        """Ends the run; safe to call twice."""
        try:
            self.apply([_end_run])
        except LedgerError:
            pass  # closed before, or a write before this one has already raised the same fault
        finally:
            self._connection.close()
            self._lock.close()  # last: to close the file drops SQLite's own locks on it

    def _reconnect(self) -> None:
        """Opens the file again; a deleted one is written again from what is still open."""
        if not self.path.exists():
            self._evidence.copy_deleted(self._connection, self.path)
        self._connection.close()
        if not self._lock.is_at(self.path):
            self._lock.close()
            self._lock = lock_ledger(self.path, self._purpose)
        self._connection = self._connect(self.path)
        self._evidence.recognise(self._connection, self.path)
        _make_durable(self._connection)

    def _mark_open_rows_uncertain(self) -> int:
        with self._connection:
            update = "UPDATE coins SET landed = ? WHERE landed IS NULL"
            return self._connection.execute(update, (UNCERTAIN,)).rowcount

    def _begin_run(self, run: RunRecord) -> int:
        row = (self._now(), run.bundle, run.bundle_hash, run.runtime, run.note)
        with self._connection:
            return int(self._connection.execute(_INSERT_RUN, row).lastrowid or 0)

    def _now(self) -> str:
        return self._wall_clock().isoformat(timespec="milliseconds")


def insert_coin(event: Event) -> Change:
    """The change that adds a coin's row, open."""

    def change(connection: sqlite3.Connection, run: int, now: str) -> None:
        row = {"run": run, "coin": event.coin, "at": now, **_columns(event)}
        names = ", ".join(row)
        places = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO coins ({names}) VALUES ({places})", tuple(row.values()))

    return change


def close_coin(coin: int, landed: str, late_to: str | None) -> Change:
    """The change that closes a coin's row; see `Ledger.complete`."""

    def change(connection: sqlite3.Connection, run: int, now: str) -> None:
        where = "WHERE run = ? AND coin = ?"
        connection.execute(f"UPDATE coins SET landed = ? {where}", (landed, run, coin))
        if late_to is not None:
            connection.execute(
                f"UPDATE coins SET bin = ?, reason = ? {where}", (late_to, LATE, run, coin)
            )

    return change


def insert_incident(what: str, place: str, remedy: str) -> Change:
    """The change that adds an incident."""

    def change(connection: sqlite3.Connection, run: int, now: str) -> None:
        connection.execute(_INSERT_INCIDENT, (run, now, what, place, remedy))

    return change


def _end_run(connection: sqlite3.Connection, run: int, now: str) -> None:
    connection.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (now, run))


def _columns(event: Event) -> dict[str, Any]:
    """A coin's columns of the table `coins`; the names are read by other programs."""
    is_sorted = event.decision.reason == SORTED
    return {
        "seen_s": event.seen_s,
        **_verdict_columns(event),
        "diameter_mm": event.diameter_mm,
        "speed_mm_s": event.speed_mm_s,
        **_threshold_columns(event),
        "value": event.value if is_sorted else None,
        "currency": event.currency if is_sorted else None,
        "bin": event.decision.bin,
        "reason": event.decision.reason,
    }


def _verdict_columns(event: Event) -> dict[str, Any]:
    verdict = event.verdict
    if verdict is None:
        return {}
    return {
        "label": verdict.label,
        "confidence": verdict.confidence,
        "by_picture": verdict.image_confidence,
        "runner_up": verdict.runner_up,
        "anomaly": verdict.anomaly,
    }


def _threshold_columns(event: Event) -> dict[str, Any]:
    thresholds = event.thresholds
    if thresholds is None:
        return {}
    return {
        "min_confidence": thresholds.min_confidence,
        "max_anomaly": thresholds.max_anomaly,
        "nominal_mm": thresholds.nominal_mm,
        "tolerance_mm": thresholds.tolerance_mm,
    }


def _make_durable(connection: sqlite3.Connection) -> None:
    """Makes every commit durable."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Makes every commit durable, and the tables in a new file."""
    _make_durable(connection)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    elif version != SCHEMA_VERSION:
        raise LedgerError(
            f"{path}: written by a newer coinsorter "
            f"(format {version}, this one knows {SCHEMA_VERSION}); update coinsorter"
        )
