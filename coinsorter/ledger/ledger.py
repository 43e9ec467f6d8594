"""Every coin as a row in SQLite: durable before its flap may move, completed when it has passed.

At every instant, and after any crash, the number of coins seen is the sum over the bins, plus
uncertain ones (rows found open at start), plus those still on their way. Rows are ordered by id:
the wall clock of a Pi without a battery is wrong after power-up.
"""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from coinsorter.errors import LedgerError
from coinsorter.files.locks import SORTING
from coinsorter.ledger.blocks import (
    BLOCK_ROWS,
    prune_blocks,
    read_last_id,
    seal_blocks,
    to_ms,
)
from coinsorter.ledger.database_file import connect_ledger, make_durable, prepare_ledger
from coinsorter.ledger.failures import explain_failures
from coinsorter.ledger.ledger_lock import lock_ledger
from coinsorter.ledger.migrations import migrate_ledger
from coinsorter.ledger.receipts import Receipt
from coinsorter.ledger.references import find_name, find_thresholds, to_finite
from coinsorter.ledger.tables import MICROS, NAMED_COLUMNS, OPEN, SCHEMA_VERSION
from coinsorter.ledger.write_evidence import WriteEvidence, force_to_disk
from coinsorter.records import LATE, SORTED, UNCERTAIN, Event

log = logging.getLogger(__name__)

#: How the notes of simulated runs begin; no real run's does.
SIMULATED_NOTE = "simulated, seed "
#: Above it an amount is no coin's, and sums might not fit 64 bits.
MAX_VALUE = 1e9
#: How many of the newest rows are looked through for a coin that is written a second time.
_RECENT_ROWS = 256

_INSERT_RUN = """
INSERT INTO runs (started_at, bundle, bundle_hash, runtime, note) VALUES (?, ?, ?, ?, ?)
"""
_INSERT_INCIDENT = """
INSERT INTO incidents (run, at, what, place, remedy) VALUES (?, ?, ?, ?, ?)
"""
_FIND_RECENT = f"""
SELECT seen_s FROM coin_rows
WHERE id > (SELECT max(id) FROM coin_rows) - {_RECENT_ROWS} AND run = ? AND coin = ?
"""
#: The newest first: a coin that is still open is one of the last. Rows in blocks are closed.
_CLOSE_COIN = f"""
UPDATE coin_rows SET landed = ?, bin = ifnull(?, bin), reason = ifnull(?, reason)
WHERE landed = {OPEN} AND id = (
    SELECT id FROM coin_rows
    WHERE id > (SELECT ifnull(max(last_id), 0) FROM blocks) AND run = ? AND coin = ?
    ORDER BY id DESC LIMIT 1
)
"""
_CLOSE_ALL = f"""
UPDATE coin_rows SET landed = ?
WHERE id > (SELECT ifnull(max(last_id), 0) FROM blocks) AND landed = {OPEN}
"""


@dataclass(frozen=True)
class RunRecord:
    """What a run was made with; goes into the ledger once a run."""

    bundle: str
    bundle_hash: str
    runtime: str
    note: str = ""


#: A change of the ledger. Its arguments: the connection, the run's id, the wall time.
Change = Callable[[sqlite3.Connection, int, datetime], None]


def now_utc() -> datetime:
    """The wall time, in UTC."""
    return datetime.now(UTC)


class Ledger:
    """The ledger of one run; `record` returns when the row is on the disk.

    Opening it marks as uncertain what a crash left open, and makes a file of an older format one
    of today's; the old one stays beside it. Raises LedgerError wherever the file cannot be used,
    LedgerInUseError where another process writes it; a row that could not be written whole is not
    there at all.
    purpose: what it is held for, one of `locks.PURPOSES`. connect: opens a connection to a file.
    keep_days: days after which rows leave; their counts stay. None keeps them for ever.
    recovered: how many rows a crash had left open.
    """

    def __init__(
        self,
        path: Path,
        run: RunRecord,
        wall_clock: Callable[[], datetime] = now_utc,
        purpose: str = SORTING,
        connect: Callable[[Path], sqlite3.Connection] = connect_ledger,
        keep_days: int | None = None,
    ) -> None:
        self.path = path
        self.keep_days = keep_days
        self._wall_clock = wall_clock
        self._connect = connect
        self._purpose = purpose
        self._seal_from = 0  # the id from which on it is worth looking for a whole block
        with explain_failures(path), ExitStack() as undo:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock_ledger(path, purpose)
            undo.callback(self._lock.close)
            _migrate(path, wall_clock())
            self._connection = connect(path)
            undo.callback(self._connection.close)
            prepare_ledger(path, self._connection)
            self.recovered = self._mark_open_rows_uncertain()
            self._run = self._begin_run(run)
            self._evidence = WriteEvidence(self._connection, path, self._run)
            undo.pop_all()

    @property
    def trouble(self) -> str | None:
        """None: here, what cannot be written raises at once."""
        return None

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
                    change(self._connection, self._run, self._wall_clock())
                self._count_blocks()
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
        """Opens the file again; a deleted one is written again from what is still open.

        One that is not the same is not written to, neither now nor at the end.
        """
        if not self.path.exists():
            self._evidence.copy_deleted(self._connection, self.path)
        self._connection.close()
        if not self._lock.is_at(self.path):
            self._lock.close()
            self._lock = lock_ledger(self.path, self._purpose)
        with ExitStack() as undo:
            connection = self._connect(self.path)
            undo.callback(connection.close)
            self._evidence.recognise(connection, self.path)
            make_durable(connection)
            undo.pop_all()
        self._connection = connection

    def _count_blocks(self) -> None:
        """Counts the rows of a block that has passed; now and then, since most of them have not."""
        last = read_last_id(self._connection)
        if last < self._seal_from:
            return
        sealed = seal_blocks(self._connection)
        self._seal_from = max(sealed + BLOCK_ROWS, last + _RECENT_ROWS)
        if self.keep_days is not None:
            prune_blocks(self._connection, self._wall_clock() - timedelta(days=self.keep_days))

    def _mark_open_rows_uncertain(self) -> int:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            uncertain = find_name(self._connection, UNCERTAIN)
            return self._connection.execute(_CLOSE_ALL, (uncertain,)).rowcount

    def _begin_run(self, run: RunRecord) -> int:
        started_at = format_time(self._wall_clock())
        row = (started_at, run.bundle, run.bundle_hash, run.runtime, run.note)
        with self._connection:
            return int(self._connection.execute(_INSERT_RUN, row).lastrowid or 0)


def insert_coin(event: Event) -> Change:
    """The change that adds a coin's row, open.

    Made a second time, it adds nothing: whoever writes need not know whether a write that failed
    has reached the disk. Another coin of the same number is a sqlite3.IntegrityError.
    """

    def change(connection: sqlite3.Connection, run: int, now: datetime) -> None:
        if _is_recorded(connection, run, event):
            return
        row = {"run": run, "coin": event.coin, "at_ms": to_ms(now), **_columns(event)}
        row["thresholds"] = find_thresholds(connection, event.thresholds)
        row["landed"] = OPEN
        for column in NAMED_COLUMNS[:-1]:
            row[column] = find_name(connection, row.get(column))
        names = ", ".join(row)
        places = ", ".join("?" * len(row))
        row_values = tuple(row.values())
        connection.execute(f"INSERT INTO coin_rows ({names}) VALUES ({places})", row_values)

    return change


def _is_recorded(connection: sqlite3.Connection, run: int, event: Event) -> bool:
    recorded = connection.execute(_FIND_RECENT, (run, event.coin)).fetchone()
    if recorded is None:
        return False
    if recorded["seen_s"] != event.seen_s:
        raise sqlite3.IntegrityError(f"coin {event.coin} of run {run} has a row already")
    return True


def close_coin(coin: int, landed: str, late_to: str | None) -> Change:
    """The change that closes a coin's row, if it is open; see `Ledger.complete`."""

    def change(connection: sqlite3.Connection, run: int, now: datetime) -> None:
        reason = None if late_to is None else LATE
        names = [find_name(connection, name) for name in (landed, late_to, reason)]
        connection.execute(_CLOSE_COIN, (*names, run, coin))

    return change


def insert_incident(what: str, place: str, remedy: str) -> Change:
    """The change that adds an incident."""

    def change(connection: sqlite3.Connection, run: int, now: datetime) -> None:
        row = (run, format_time(now), what, place, remedy)
        connection.execute(_INSERT_INCIDENT, row)

    return change


def _end_run(connection: sqlite3.Connection, run: int, now: datetime) -> None:
    connection.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (format_time(now), run))


def _columns(event: Event) -> dict[str, Any]:
    """A coin's columns of the view `coins`; the names are read by other programs."""
    is_sorted = event.decision.reason == SORTED
    return {
        "seen_s": event.seen_s,
        **_verdict_columns(event),
        "diameter_mm": event.diameter_mm,
        "speed_mm_s": event.speed_mm_s,
        "value_micros": to_micros(event.value) if is_sorted else None,
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
        "margin": to_finite(verdict.margin),
        "membership": to_finite(verdict.membership),
    }


def _migrate(path: Path, now: datetime) -> None:
    old = migrate_ledger(path, now)
    if old:
        log.info("%s: brought to format %d; the old file is %s", path, SCHEMA_VERSION, old)


def to_micros(value: float) -> int:
    """Money in millionths of its currency's unit; finer values are rounded.

    Raises LedgerError for what is no amount of money.
    """
    if not abs(value) <= MAX_VALUE:
        raise LedgerError(
            f"a coin of the value {value} cannot be counted; correct `value` in the bundle's recipe"
        )
    return round(Decimal(str(float(value))) * MICROS)


def format_time(moment: datetime) -> str:
    """A time as it stands in the ledger: ISO 8601, milliseconds, with its difference from UTC."""
    return moment.isoformat(timespec="milliseconds")
