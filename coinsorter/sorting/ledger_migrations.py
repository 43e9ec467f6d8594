"""A ledger of an older format made into one of today's; the old file is kept beside it.

The new one is written beside it, compared, and copied into the old one's file in one transaction:
at every instant one whole ledger is there. The file is never replaced by another, because a process
that waits for it would go on with the old one, and with the new one's log.
"""

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from coinsorter.errors import LedgerError
from coinsorter.sorting.ledger_blocks import seal_blocks
from coinsorter.sorting.ledger_file import (
    check_format,
    connect_ledger,
    keep_copy,
    remove_database,
    use_alone,
)
from coinsorter.sorting.ledger_schema import MICROS, NAMED_COLUMNS, OPEN, PAGE_SIZE, create_tables

_COPY_TABLES = """
INSERT INTO new.runs SELECT * FROM main.runs;
INSERT INTO new.incidents SELECT * FROM main.incidents;
"""
_COPY_NAMES = "INSERT OR IGNORE INTO new.names (name) SELECT DISTINCT {0} FROM main.coins"
_NAME_ID = "(SELECT id FROM new.names WHERE name = {0})"
#: Julian day of the beginning of 1970, and the milliseconds of a day.
_AT_MS = "CAST(round((julianday(at) - 2440587.5) * 86400000.0) AS INTEGER)"
_COPY_COINS = f"""
INSERT INTO new.coin_rows
SELECT id, run, coin, {_AT_MS}, seen_s, {_NAME_ID.format("label")}, confidence, by_picture,
    {_NAME_ID.format("runner_up")}, anomaly, diameter_mm, speed_mm_s, min_confidence, max_anomaly,
    nominal_mm, tolerance_mm, CAST(round(value * {MICROS}) AS INTEGER),
    {_NAME_ID.format("currency")}, {_NAME_ID.format("bin")}, {_NAME_ID.format("reason")},
    CASE WHEN landed IS NULL THEN {OPEN} ELSE {_NAME_ID.format("landed")} END
FROM main.coins ORDER BY id
"""
#: What must be the same in both files.
_FINGERPRINT = f"""
SELECT count(*), total(id), total(coin), count(label), count(landed),
    total(CAST(round(value * {MICROS}) AS INTEGER)), total(confidence), count(DISTINCT bin),
    count(DISTINCT reason), min(julianday(at)), max(julianday(at))
FROM {{0}}.coins
"""


def migrate_ledger(path: Path, now: datetime) -> Path | None:
    """Makes a ledger of an older format one of today's.

    path: no link. Returns where the old file is kept; None where nothing was to be done. Raises
    LedgerError where it is in use or cannot be read whole, sqlite3.Error and OSError for a disk
    that fails; then the old ledger is as it was.
    """
    with closing(connect_ledger(path)) as connection:
        if check_format(path, connection) != 1:
            return None
    path = path.resolve()
    with use_alone(path) as connection:
        part = path.with_name(f"part-{path.name}")
        remove_database(part)  # what a process that was killed has left
        try:
            _write_new(path, connection, part)
            old = keep_copy(connection, path, "v1", now)
            with closing(connect_ledger(part)) as new:
                new.backup(connection)
            return old
        finally:
            remove_database(part)


def _write_new(path: Path, connection: sqlite3.Connection, part: Path) -> None:
    connection.execute("ATTACH ? AS new", (str(part),))
    connection.execute(f"PRAGMA new.page_size = {PAGE_SIZE}")
    with connection:
        connection.execute("BEGIN")
        _copy_from_1(path, connection)
    connection.execute("DETACH new")


def _copy_from_1(path: Path, connection: sqlite3.Connection) -> None:
    create_tables(connection, "new")
    for statement in _COPY_TABLES.strip().splitlines():
        connection.execute(statement)
    for column in NAMED_COLUMNS:
        connection.execute(f"{_COPY_NAMES.format(column)} WHERE {column} IS NOT NULL")
    connection.execute(_COPY_COINS)
    seal_blocks(connection)
    _compare(path, connection)


def _compare(path: Path, connection: sqlite3.Connection) -> None:
    old, new = (
        tuple(connection.execute(_FINGERPRINT.format(schema)).fetchone())
        for schema in ("main", "new")
    )
    if old != new:
        raise LedgerError(
            f"ledger {path}: {old[0]} rows of format 1 cannot be copied as they are; "
            "run `coinsorter ledger verify` on it, and move it away to begin a new one"
        )
