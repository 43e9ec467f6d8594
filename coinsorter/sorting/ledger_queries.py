"""Totals, rows and exports of a ledger, over read-only connections.

Any process may read while the machine writes.
"""

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

from coinsorter.errors import InputError
from coinsorter.records import SORTED, UNCERTAIN
from coinsorter.sorting.ledger import BUSY_TIMEOUT_S, SCHEMA_VERSION
from coinsorter.sorting.ledger_failures import explain_failures

_OPEN = ""  # stands for a row that is still open, in counts by `landed`

_LANDED_COUNTS = """
SELECT ifnull(landed, ''), count(*) FROM coins WHERE {condition} GROUP BY 1 ORDER BY 1
"""
_REASON_COUNTS = """
SELECT reason, count(*) FROM coins WHERE {condition} GROUP BY 1 ORDER BY 1
"""
_VALUE_SUMS = """
SELECT currency, label, sum(value) FROM coins
WHERE {condition} AND landed = bin AND reason = ? GROUP BY 1, 2 ORDER BY 1, 2
"""


def read_totals(path: Path, run: int | None = None) -> dict[str, Any]:
    """What was seen and where it went, over all runs or in one.

    Keys: seen, bins {name: coins}, rejected {reason: coins}, uncertain, open,
    value {currency: {label: sum}}. Raises InputError where there is no ledger to read.
    """
    condition = "1" if run is None else "run = ?"
    arguments = () if run is None else (run,)
    with _open_read_only(path) as connection:
        connection.execute("BEGIN")  # all three see one moment of a machine that is running
        landed = _count_by(connection, _LANDED_COUNTS.format(condition=condition), arguments)
        reasons = _count_by(connection, _REASON_COUNTS.format(condition=condition), arguments)
        sums = connection.execute(_VALUE_SUMS.format(condition=condition), (*arguments, SORTED))
        value = _nest_values(sums)
    return {
        "seen": sum(landed.values()),
        "bins": {name: n for name, n in landed.items() if name not in (_OPEN, UNCERTAIN)},
        "rejected": {reason: n for reason, n in reasons.items() if reason != SORTED},
        "uncertain": landed.get(UNCERTAIN, 0),
        "open": landed.get(_OPEN, 0),
        "value": value,
    }


def read_rows(path: Path, last: int | None = None) -> list[dict[str, Any]]:
    """Rows of coins by column name, the oldest first.

    last: how many of the newest; None for all. Raises InputError where there is no ledger to read.
    """
    query = "SELECT * FROM coins ORDER BY id DESC"
    with _open_read_only(path) as connection:
        if last is None:
            newest_first = connection.execute(query).fetchall()
        else:
            newest_first = connection.execute(f"{query} LIMIT ?", (last,)).fetchall()
    return [dict(row) for row in reversed(newest_first)]


def export_rows(path: Path, to: TextIO, form: str) -> int:
    """Writes every row to a stream; returns how many.

    form: "csv", or "jsonl" for one JSON object a line. Raises InputError where there is no ledger.
    """
    rows = read_rows(path)
    if form == "csv":
        _write_csv(rows, to)
    else:
        to.writelines(json.dumps(row) + "\n" for row in rows)
    return len(rows)


@contextmanager
def _open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise InputError(
            f"ledger {path}: there is none yet; "
            "`coinsorter run` writes it, and `--ledger FILE` reads another"
        )
    address = f"{path.resolve().as_uri()}?mode=ro"
    with (
        explain_failures(path),
        closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)) as connection,
    ):
        connection.row_factory = sqlite3.Row
        _check_version(path, connection)
        yield connection


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: is no ledger that this coinsorter reads "
            f"(format {version}, not {SCHEMA_VERSION})"
        )


def _count_by(
    connection: sqlite3.Connection, query: str, arguments: tuple[int, ...]
) -> dict[str, int]:
    return dict(connection.execute(query, arguments).fetchall())


def _nest_values(sums: sqlite3.Cursor) -> dict[str, dict[str, float]]:
    value: dict[str, dict[str, float]] = {}
    for currency, label, amount in sums:
        value.setdefault(currency, {})[label] = round(amount, 6)
    return value


def _write_csv(rows: list[dict[str, Any]], to: TextIO) -> None:
    columns = list(rows[0]) if rows else ["id"]
    writer = csv.DictWriter(to, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
