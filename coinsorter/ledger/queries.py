"""Totals, rows and exports of a ledger, over read-only connections.

Any process may read while the machine writes. Ledgers of older formats are read as they are.
"""

import csv
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from coinsorter.errors import InputError
from coinsorter.escape import as_cell
from coinsorter.ledger.database_file import BUSY_TIMEOUT_S, connect_ledger
from coinsorter.ledger.failures import explain_failures
from coinsorter.ledger.tables import MICROS, QUARTER_MS, SCHEMA_VERSION, read_format
from coinsorter.records import SORTED, UNCERTAIN

_OPEN = ""  # stands for a row that is still open, in counts by `landed`

#: How exports begin: CSV, and JSON lines.
_EXPORT_START = re.compile(rb'id,run,coin,at,|\{"id": \d+, "run": \d+, "coin": \d+, "at": ')
#: An export without rows.
_EMPTY_EXPORT = b"id\n"
#: What was counted once and for all, and the rows after that.
_COUNTED = f"""
SELECT run, quarter, label, value_micros, currency, bin, reason, landed, coins FROM counts
UNION ALL
SELECT run, at_ms / {QUARTER_MS}, label, value_micros, currency, bin, reason, landed, 1
FROM coin_rows WHERE id > (SELECT ifnull(max(last_id), 0) FROM blocks)
"""
_COUNTED_1 = f"""
SELECT run, CAST(strftime('%s', at) AS INTEGER) * 1000 / {QUARTER_MS} AS quarter, label,
    CAST(round(value * {MICROS}) AS INTEGER) AS value_micros, currency, bin, reason,
    ifnull(landed, '') AS landed, 1 AS coins
FROM coins
"""
_NAME = "(SELECT name FROM names WHERE names.id = {0})"
#: The day in the time zone of the computer; SQLite asks the C library, which knows summer time.
_DAY = f"date(quarter * {QUARTER_MS // 1000}, 'unixepoch', 'localtime')"
_TOTALS = """
SELECT day, {label}, value_micros, {currency}, {bin}, {reason}, {landed}, sum(coins)
FROM (
    SELECT {day} AS day, label, value_micros, currency, bin, reason, landed, coins
    FROM ({counted}) WHERE {condition}
)
GROUP BY {days}label, value_micros, currency, bin, reason, landed ORDER BY day
"""


@dataclass(frozen=True)
class CoinCount:
    """How many coins are alike in all that totals ask for.

    day: in the time zone of the computer, as 2026-11-27; "" where days were not asked for.
    value_micros, currency: None of a rejected coin. landed: "" of a coin on its way.
    """

    day: str
    label: str | None
    value_micros: int | None
    currency: str | None
    bin: str
    reason: str
    landed: str
    coins: int


def read_totals(path: Path, run: int | None = None) -> dict[str, Any]:
    """What was seen and where it went, over all runs or in one.

    Keys: seen, bins {name: coins}, rejected {reason: coins}, uncertain, open,
    value {currency: {label: sum}}. Raises InputError where there is no ledger to read.
    """
    with open_read_only(path) as connection:
        return add_up(read_counts(connection, run))


def read_days(path: Path, run: int | None = None) -> list[dict[str, Any]]:
    """The totals of each day on which coins were seen, the oldest first.

    A day is one in the time zone of the computer. Keys: day, as 2026-11-27, and those of
    `read_totals`. Raises InputError where there is no ledger to read.
    """
    with open_read_only(path) as connection:
        counts = read_counts(connection, run, by_day=True)
        days = groupby(counts, lambda count: count.day)
        return [{"day": day, **add_up(of_day)} for day, of_day in days]


def read_counts(
    connection: sqlite3.Connection, run: int | None = None, by_day: bool = False
) -> Iterator[CoinCount]:
    """Counts of coins that are alike, in the order of days; all of one moment."""
    is_old = read_format(connection).version == 1
    names = ("label", "currency", "bin", "reason", "landed")
    query = _TOTALS.format(
        **{name: name if is_old else _NAME.format(name) for name in names},
        day=_DAY if by_day else "''",
        days="day, " if by_day else "",  # a fifth of the time, where there is but one
        counted=_COUNTED_1 if is_old else _COUNTED,
        condition="1" if run is None else "run = ?",
    )
    arguments = () if run is None else (run,)
    for row in connection.execute(query, arguments):
        yield CoinCount(*row)


def add_up(counts: Iterator[CoinCount]) -> dict[str, Any]:
    """Totals, with the keys of `read_totals`."""
    landed: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    micros: dict[str, Counter[str]] = {}
    for count in counts:
        landed[count.landed] += count.coins
        if count.reason != SORTED:
            rejected[count.reason] += count.coins
        elif count.landed == count.bin:
            by_label = micros.setdefault(count.currency or "", Counter())
            by_label[count.label or ""] += (count.value_micros or 0) * count.coins
    return {
        "seen": landed.total(),
        "bins": _sort({n: c for n, c in landed.items() if n not in (_OPEN, UNCERTAIN)}),
        "rejected": _sort(rejected),
        "uncertain": landed[UNCERTAIN],
        "open": landed[_OPEN],
        "value": {currency: _to_units(micros[currency]) for currency in sorted(micros)},
    }


def _sort(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _to_units(micros: Counter[str]) -> dict[str, float]:
    """Sums of money in the currency's unit: the number nearest to the exact sum."""
    return {label: amount / MICROS for label, amount in sorted(micros.items())}


def read_rows(path: Path, last: int | None = None) -> list[dict[str, Any]]:
    """Rows of coins by column name, the oldest first.

    last: how many of the newest; None for all. Raises InputError where there is no ledger to read.
    """
    with open_read_only(path) as connection:
        if last is None:
            return list(_iterate_rows(connection))
        query = "SELECT * FROM coins ORDER BY id DESC LIMIT ?"
        newest_first = connection.execute(query, (last,)).fetchall()
    return [dict(row) for row in reversed(newest_first)]


def export_rows(path: Path, to: TextIO, form: str) -> int:
    """Writes every row to a stream, one at a time; returns how many.

    form: "csv", or "jsonl" for one JSON object a line. Raises InputError where there is no ledger.
    """
    with open_read_only(path) as connection:
        rows = _iterate_rows(connection)
        if form == "csv":
            return _write_csv(rows, to)
        return _write_json_lines(rows, to)


def _iterate_rows(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    for row in connection.execute("SELECT * FROM coins ORDER BY id"):
        yield dict(row)


def is_export(sample: bytes) -> bool:
    """By a file's first bytes: whether it is an export of a ledger, of either form."""
    return sample == _EMPTY_EXPORT or _EXPORT_START.match(sample) is not None


@contextmanager
def open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one moment of the ledger, and cannot change it.

    Raises InputError where there is no ledger to read, LedgerError where it cannot be read.
    """
    if not path.is_file():
        raise InputError(
            f"ledger {path}: there is none yet; "
            "`coinsorter run` writes it, and `--ledger FILE` reads another"
        )
    with _explain_reading(path):
        _recover(path)
    with _explain_reading(path), closing(_connect_read_only(path)) as connection:
        connection.execute("BEGIN")
        _check_version(path, connection)
        yield connection


@contextmanager
def _explain_reading(path: Path) -> Iterator[None]:
    """Explains what SQLite says; not an OSError, which is of the stream that rows go to."""
    try:
        yield
    except sqlite3.Error:
        with explain_failures(path):
            raise


def _connect_read_only(path: Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)
    connection.row_factory = sqlite3.Row
    return connection


def _recover(path: Path) -> None:
    """Lets SQLite take back what a process that was killed has left half written.

    It does that itself wherever a file is opened for writing.
    """
    with closing(_connect_read_only(path)) as connection:
        try:
            connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                raise
            with closing(connect_ledger(path)) as writable:
                writable.execute("PRAGMA user_version").fetchone()


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    file_format = read_format(connection)
    if file_format.version is None:
        raise InputError(f"{path}: {file_format.refusal}")
    if file_format.version == 0:
        raise InputError(
            f"{path}: is no ledger that this coinsorter reads: it is empty "
            f"(format 0, not {SCHEMA_VERSION}); `coinsorter run` writes it"
        )


def _write_csv(rows: Iterator[dict[str, Any]], to: TextIO) -> int:
    count = 0
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = _begin_csv(to, list(row))
        writer.writerow({name: as_cell(value) for name, value in row.items()})
        count += 1
    if writer is None:
        _begin_csv(to, ["id"])
    return count


def _begin_csv(to: TextIO, columns: list[str]) -> "csv.DictWriter[str]":
    writer = csv.DictWriter(to, columns, lineterminator="\n")
    writer.writeheader()
    return writer


def _write_json_lines(rows: Iterator[dict[str, Any]], to: TextIO) -> int:
    count = 0
    for row in rows:
        to.write(json.dumps(row) + "\n")
        count += 1
    return count
