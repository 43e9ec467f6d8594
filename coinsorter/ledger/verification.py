"""Whether a ledger is whole: every mistake in it, a line each."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coinsorter.ledger.blocks import COUNT_ROWS
from coinsorter.ledger.queries import add_up, open_read_only, read_counts
from coinsorter.ledger.tables import OPEN, read_format
from coinsorter.records import UNCERTAIN

#: Mistakes of one kind that are listed at most.
MAX_LISTED = 20

_REPEATED = """
SELECT run, coin, count(*) AS times FROM {rows} GROUP BY run, coin HAVING times > 1
ORDER BY run, coin
"""
_OUT_OF_ORDER = """
SELECT id, run, earlier FROM (
    SELECT id, run, lag(run) OVER (ORDER BY id) AS earlier FROM {rows}
) WHERE run < earlier ORDER BY id
"""
_ELSEWHERE = f"""
SELECT id, bin, landed FROM coins
WHERE landed NOT IN (bin, '{UNCERTAIN}') ORDER BY id
"""
#: Rows of blocks need no look: their counts would not be right.
_GAPS = """
SELECT earlier + 1 AS first, id - 1 AS last FROM (
    SELECT id, lag(id, 1, {before}) OVER (ORDER BY id) AS earlier FROM {rows} WHERE id > {before}
) WHERE id > earlier + 1 ORDER BY id
"""
_LAST_SEALED = "(SELECT ifnull(max(last_id), 0) FROM blocks)"
_BLOCKS = "SELECT first_id, last_id, is_pruned FROM blocks ORDER BY last_id"
_COUNTS_OF_BLOCK = """
SELECT run, quarter, label, value_micros, currency, bin, reason, landed, coins
FROM counts WHERE block = ?
"""
#: Coins whose rows have left.
_LEFT = """
SELECT ifnull(sum(coins), 0) FROM counts
WHERE block IN (SELECT last_id FROM blocks WHERE is_pruned)
"""
_SEALED_OPEN = f"""
SELECT id FROM coin_rows WHERE landed = {OPEN}
AND id <= (SELECT ifnull(max(last_id), 0) FROM blocks) ORDER BY id
"""


@dataclass(frozen=True)
class LedgerReport:
    """What a ledger's verification has shown.

    rows: rows that are there; others may have left, see `totals`. totals: as `read_totals` has
    them; empty where the file cannot be read. mistakes: a line each; none of a sound ledger.
    """

    format: int
    rows: int
    totals: dict[str, Any]
    mistakes: list[str]


def verify_ledger(path: Path) -> LedgerReport:
    """Looks at every row of a ledger; the machine may write meanwhile.

    Raises InputError where there is no ledger, LedgerError where the file cannot be read at all.
    """
    with open_read_only(path) as connection:
        return verify_connection(connection)


def verify_connection(connection: sqlite3.Connection) -> LedgerReport:
    """Looks at every row of the ledger that a connection leads to."""
    version = read_format(connection).version or 0
    mistakes = list(_check_file(connection))
    if mistakes:  # what the file says is of no use
        return LedgerReport(version, 0, {}, mistakes)
    for check in _CHECKS if version > 1 else _CHECKS_1:
        mistakes += _list_some(check(connection))
    totals = add_up(read_counts(connection))
    (rows,) = connection.execute("SELECT count(*) FROM coins").fetchone()
    (left,) = connection.execute(_LEFT).fetchone() if version > 1 else (0,)
    mistakes += _check_sum(rows + left, totals)
    return LedgerReport(version, rows, totals, mistakes)


def _list_some(mistakes: Iterator[str]) -> list[str]:
    """The first mistakes of a kind, and how many more there are."""
    listed = [line for _, line in zip(range(MAX_LISTED), mistakes, strict=False)]
    more = sum(1 for _ in mistakes)
    return [*listed, f"and {more} more like the last"] if more else listed


def _check_file(connection: sqlite3.Connection) -> Iterator[str]:
    """SQLite's own checks: pages, indexes, references."""
    try:
        for (line,) in connection.execute(f"PRAGMA integrity_check({MAX_LISTED})"):
            if line != "ok":
                yield f"the file is damaged: {line}"
    except sqlite3.DatabaseError as error:
        yield f"the file is damaged: {error}"


def _check_references(connection: sqlite3.Connection) -> Iterator[str]:
    for table, row, target, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} names a row of {target} that is not there"


def _check_repeated(connection: sqlite3.Connection, rows: str) -> Iterator[str]:
    for run, coin, times in connection.execute(_REPEATED.format(rows=rows)):
        yield f"coin {coin} of run {run} is counted {times} times"


def _check_order(connection: sqlite3.Connection, rows: str) -> Iterator[str]:
    for row, run, earlier in connection.execute(_OUT_OF_ORDER.format(rows=rows)):
        yield f"row {row} of run {run} comes after a row of run {earlier}"


def _check_gaps(connection: sqlite3.Connection, rows: str, before: str) -> Iterator[str]:
    for first, last in connection.execute(_GAPS.format(rows=rows, before=before)):
        which = f"row {first} is" if first == last else f"rows {first} to {last} are"
        yield f"{which} missing"


def _check_bins(connection: sqlite3.Connection) -> Iterator[str]:
    for row, bin_, landed in connection.execute(_ELSEWHERE):
        yield f"row {row} was sent to {bin_} and landed in {landed}"


def _check_blocks(connection: sqlite3.Connection) -> Iterator[str]:
    """Whether blocks follow on each other, and count what their rows say."""
    expected = 1
    for first, last, is_pruned in connection.execute(_BLOCKS):
        if first != expected or last < first:
            yield f"the block of rows {first} to {last} does not begin at {expected}"
        expected = last + 1
        if not is_pruned and not _is_counted_right(connection, first, last):
            yield f"the counts of rows {first} to {last} are not what the rows say"


def _is_counted_right(connection: sqlite3.Connection, first: int, last: int) -> bool:
    counted = connection.execute(_COUNTS_OF_BLOCK, (last,)).fetchall()
    rows = connection.execute(COUNT_ROWS, (first, last)).fetchall()
    return set(map(tuple, counted)) == set(map(tuple, rows)) and len(counted) == len(rows)


def _check_sealed(connection: sqlite3.Connection) -> Iterator[str]:
    for (row,) in connection.execute(_SEALED_OPEN):
        yield f"row {row} is on its way, but counted as passed"


def _check_sum(seen: int, totals: dict[str, Any]) -> Iterator[str]:
    """The promise: seen = bins (with the reject bin) + uncertain + on their way."""
    parts = sum(totals["bins"].values()) + totals["uncertain"] + totals["open"]
    if seen != parts:
        yield f"{seen} coins were seen, but {parts} are in bins, uncertain or on their way"


#: A check of a connection: the mistakes that it finds.
Check = Callable[[sqlite3.Connection], Iterator[str]]
_CHECKS_1: tuple[Check, ...] = (
    _check_references,
    lambda connection: _check_repeated(connection, "coins"),
    lambda connection: _check_order(connection, "coins"),
    lambda connection: _check_gaps(connection, "coins", "0"),
    _check_bins,
)
_CHECKS: tuple[Check, ...] = (
    _check_references,
    lambda connection: _check_repeated(connection, "coin_rows"),
    lambda connection: _check_order(connection, "coin_rows"),
    lambda connection: _check_gaps(connection, "coin_rows", _LAST_SEALED),
    _check_bins,
    _check_blocks,
    _check_sealed,
)
