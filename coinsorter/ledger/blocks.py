"""Blocks of rows that have passed: counted once and for all, and let go when they are old.

A block is counted when none of its rows and of those before it is open any more. Its counts are
rows of `counts`; all newer rows are counted by whoever reads.
"""

import sqlite3
from datetime import datetime, timedelta

from coinsorter.ledger.tables import OPEN, QUARTER_MS

#: Rows of a block. Half an hour at 2 coins/s: counting them takes 8 ms (2 cores at 2.6 GHz), and
#: ten million rows have 300,000 counts.
BLOCK_ROWS = 4096
#: Blocks that leave at most when a new one is counted, so that a machine which was switched off
#: for long does not spend seconds on it.
MAX_PRUNED_AT_ONCE = 2
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

_LAST_SEALED = "SELECT ifnull(max(last_id), 0) FROM blocks"
_FIRST_OPEN = f"SELECT min(id) FROM coin_rows WHERE id > ? AND landed = {OPEN}"
#: What the rows between two ids count, by all that totals are asked for.
COUNT_ROWS = f"""
SELECT run, at_ms / {QUARTER_MS}, label, value_micros, currency, bin, reason, landed, count(*)
FROM coin_rows WHERE id BETWEEN ? AND ? GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
_INSERT_BLOCK = """
INSERT INTO blocks (first_id, last_id, newest_ms, is_pruned)
SELECT ?1, ?2, ifnull(max(at_ms), 0), 0 FROM coin_rows WHERE id BETWEEN ?1 AND ?2
"""
_INSERT_COUNTS = f"""
INSERT INTO counts
(block, run, quarter, label, value_micros, currency, bin, reason, landed, coins)
SELECT ?, * FROM ({COUNT_ROWS})
"""
#: A clock that was wrong for a while must not send new rows away: the block after must be old too.
_OLD_BLOCKS = """
SELECT first_id, last_id FROM (
    SELECT *, lead(newest_ms) OVER (ORDER BY last_id) AS next_ms FROM blocks
) WHERE NOT is_pruned AND newest_ms < ?1 AND next_ms < ?1 ORDER BY last_id LIMIT ?2
"""


def read_last_sealed(connection: sqlite3.Connection) -> int:
    """The id of the last row that is in a block; 0 while there is none."""
    return int(connection.execute(_LAST_SEALED).fetchone()[0])


def read_last_id(connection: sqlite3.Connection) -> int:
    """The newest row's id; 0 while there is none."""
    return int(connection.execute("SELECT ifnull(max(id), 0) FROM coin_rows").fetchone()[0])


def seal_blocks(connection: sqlite3.Connection) -> int:
    """Counts every block whose rows have passed, in the transaction that is open.

    Returns the id of the last row that is in a block.
    """
    sealed = read_last_sealed(connection)
    newest = read_last_id(connection)
    (first_open,) = connection.execute(_FIRST_OPEN, (sealed,)).fetchone()
    last_closed = newest if first_open is None else first_open - 1
    while last_closed - sealed >= BLOCK_ROWS:
        _seal(connection, sealed + 1, sealed + BLOCK_ROWS)
        sealed += BLOCK_ROWS
    return sealed


def _seal(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Counts the rows between two ids, which are the block's own."""
    connection.execute(_INSERT_BLOCK, (first, last))
    connection.execute(_INSERT_COUNTS, (last, first, last))


def prune_blocks(
    connection: sqlite3.Connection, before: datetime, max_blocks: int = MAX_PRUNED_AT_ONCE
) -> int:
    """Deletes the rows of blocks that are older, in the transaction that is open.

    Their counts stay. Returns how many rows left; 0 where none is old enough. The last block stays,
    whatever its age, so that ids are never given twice.
    """
    before_ms = to_ms(before)
    blocks = connection.execute(_OLD_BLOCKS, (before_ms, max_blocks)).fetchall()
    return sum(_delete_rows(connection, first, last) for first, last in blocks)


def _delete_rows(connection: sqlite3.Connection, first: int, last: int) -> int:
    deleted = connection.execute("DELETE FROM coin_rows WHERE id BETWEEN ? AND ?", (first, last))
    connection.execute("UPDATE blocks SET is_pruned = 1 WHERE last_id = ?", (last,))
    return deleted.rowcount


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since the beginning of 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)
