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
from coinsorter.ledger.blocks import seal_blocks
from coinsorter.ledger.database_file import (
    check_format,
    connect_ledger,
    keep_copy,
    remove_database,
    use_alone,
)
from coinsorter.ledger.tables import (
    MICROS,
    NAMED_COLUMNS,
    OPEN,
    PAGE_SIZE,
    SCHEMA_VERSION,
    create_tables,
)

#: What is the same in all formats.
_COPY_TABLES = """
INSERT INTO new.runs SELECT * FROM main.runs;
INSERT INTO new.incidents SELECT * FROM main.incidents;
"""
#: What is the same since format 2; the name of a coin on its way is there already.
_COPY_COUNTED = f"""
INSERT INTO new.names SELECT * FROM main.names WHERE id != {OPEN};
INSERT INTO new.blocks SELECT * FROM main.blocks;
INSERT INTO new.counts SELECT * FROM main.counts;
"""
_COPY_NAMES = "INSERT OR IGNORE INTO new.names (name) SELECT DISTINCT {0} FROM main.coins"
_NAME_ID = "(SELECT id FROM new.names WHERE name = {0})"
#: Formats 1 and 2 have four thresholds in each row; the others did not exist.
_COPY_THRESHOLDS = """
INSERT INTO new.thresholds (min_confidence, max_anomaly, nominal_mm, tolerance_mm)
SELECT min_confidence, max_anomaly, nominal_mm, tolerance_mm FROM main.coins
WHERE coalesce(min_confidence, max_anomaly, nominal_mm, tolerance_mm) IS NOT NULL
GROUP BY 1, 2, 3, 4 ORDER BY min(id)
"""
_THRESHOLDS_ID = """(
    SELECT known.id FROM new.thresholds AS known
    WHERE known.min_confidence IS old.min_confidence AND known.max_anomaly IS old.max_anomaly
    AND known.nominal_mm IS old.nominal_mm AND known.tolerance_mm IS old.tolerance_mm
)"""
#: Julian day of the beginning of 1970, and the milliseconds of a day.
_AT_MS = "CAST(round((julianday(at) - 2440587.5) * 86400000.0) AS INTEGER)"
_COPY_COINS_1 = f"""
INSERT INTO new.coin_rows
SELECT id, run, coin, {_AT_MS}, seen_s, {_NAME_ID.format("label")}, confidence, by_picture,
    {_NAME_ID.format("runner_up")}, anomaly, NULL, NULL, diameter_mm, speed_mm_s,
    {_THRESHOLDS_ID}, CAST(round(value * {MICROS}) AS INTEGER),
    {_NAME_ID.format("currency")}, {_NAME_ID.format("bin")}, {_NAME_ID.format("reason")},
    CASE WHEN landed IS NULL THEN {OPEN} ELSE {_NAME_ID.format("landed")} END
FROM main.coins AS old ORDER BY id
"""
_COPY_COINS_2 = f"""
INSERT INTO new.coin_rows
SELECT id, run, coin, at_ms, seen_s, label, confidence, by_picture, runner_up, anomaly, NULL, NULL,
    diameter_mm, speed_mm_s, {_THRESHOLDS_ID}, value_micros, currency, bin, reason, landed
FROM main.coin_rows AS old ORDER BY id
"""
#: What must be the same in both files; the products say that each row has its own thresholds.
_FINGERPRINT = f"""
SELECT count(*), total(id), total(coin), count(label), count(landed),
    total(CAST(round(value * {MICROS}) AS INTEGER)), total(confidence), count(DISTINCT bin),
    count(DISTINCT reason), min(julianday(at)), max(julianday(at)), count(min_confidence),
    total(id * min_confidence), total(id * max_anomaly), total(id * nominal_mm),
    total(id * tolerance_mm), (SELECT count(*) FROM {{0}}.runs),
    (SELECT count(*) FROM {{0}}.incidents)
FROM {{0}}.coins
"""
#: The same of what was counted, since format 2.
_FINGERPRINT_COUNTED = """
SELECT count(*), total(block), total(quarter), total(coins), total(label * coins),
    total(value_micros * coins), total(reason * coins), total(landed * coins),
    (SELECT total(last_id) FROM {0}.blocks), (SELECT total(newest_ms) FROM {0}.blocks),
    (SELECT total(is_pruned * last_id) FROM {0}.blocks), (SELECT count(*) FROM {0}.names)
FROM {0}.counts
"""


def migrate_ledger(path: Path, now: datetime) -> Path | None:
    """Makes a ledger of an older format one of today's.

    path: no link. Returns where the old file is kept; None where nothing was to be done. Raises
    LedgerError where it is in use or cannot be read whole, sqlite3.Error and OSError for a disk
    that fails; then the old ledger is as it was.
    """
    with closing(connect_ledger(path)) as connection:
        version = check_format(path, connection)
    if version in (0, SCHEMA_VERSION):
        return None
    path = path.resolve()
    with use_alone(path) as connection:
        part = path.with_name(f"part-{path.name}")
        remove_database(part)  # what a process that was killed has left
        try:
            _write_new(path, connection, part, version)
            old = keep_copy(connection, path, f"v{version}", now)
            with closing(connect_ledger(part)) as new:
                new.backup(connection)
            return old
        finally:
            remove_database(part)


def _write_new(path: Path, connection: sqlite3.Connection, part: Path, version: int) -> None:
    connection.execute("ATTACH ? AS new", (str(part),))
    connection.execute(f"PRAGMA new.page_size = {PAGE_SIZE}")
    with connection:
        connection.execute("BEGIN")
        create_tables(connection, "new")
        _run_all(connection, _COPY_TABLES)
        connection.execute(_COPY_THRESHOLDS)
        if version == 1:
            _copy_from_1(path, connection)
        else:
            _copy_from_2(path, connection)
    connection.execute("DETACH new")


def _copy_from_1(path: Path, connection: sqlite3.Connection) -> None:
    for column in NAMED_COLUMNS:
        connection.execute(f"{_COPY_NAMES.format(column)} WHERE {column} IS NOT NULL")
    connection.execute(_COPY_COINS_1)
    seal_blocks(connection)
    _compare(path, connection, 1, _FINGERPRINT)


def _copy_from_2(path: Path, connection: sqlite3.Connection) -> None:
    _run_all(connection, _COPY_COUNTED)
    connection.execute(_COPY_COINS_2)
    for fingerprint in (_FINGERPRINT, _FINGERPRINT_COUNTED):
        _compare(path, connection, 2, fingerprint)


def _run_all(connection: sqlite3.Connection, statements: str) -> None:
    """Runs statements, a line each, in the transaction that is open."""
    for statement in statements.strip().splitlines():
        connection.execute(statement)


def _compare(path: Path, connection: sqlite3.Connection, version: int, fingerprint: str) -> None:
    old, new = (
        tuple(connection.execute(fingerprint.format(schema)).fetchone())
        for schema in ("main", "new")
    )
    if old != new:
        raise LedgerError(
            f"ledger {path}: its rows of format {version} cannot be copied as they are; "
            "run `coinsorter ledger verify` on it, and move it away to begin a new one"
        )
