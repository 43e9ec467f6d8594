"""The ledger's tables, and what a file is by its header and its tables.

Rows are small, in small pages, because a durable write takes a whole block of the card: texts that
recur stand once in `names`, thresholds once in `thresholds`. The view `coins` has the columns that
other programs read.
Counts of blocks of rows that have passed are kept in `counts`, so that totals of many years are
read at once, and stay when the rows leave.
"""

import sqlite3
from dataclasses import dataclass

#: The format of the file, kept in SQLite's `user_version`.
SCHEMA_VERSION = 3
#: The first format with `APPLICATION_ID`.
_FIRST_MARKED = 2
#: "Coin", kept in SQLite's `application_id` since format 2.
APPLICATION_ID = 0x436F696E
#: Bytes; the smallest of SQLite: the fewest bytes written for a coin (benchmarks/ledger_wear.py).
PAGE_SIZE = 512
#: The id in `names` of "", which stands in `landed` for a coin on its way. Ids 0 and 1 are not
#: used: SQLite stores them in fewer bytes, and a row that is closed must not grow.
OPEN = 2
#: Money is counted in millionths of the currency's unit: the coins of ISO 4217 have three decimals,
#: and a quarter of a cent has four.
MICROS = 1_000_000
#: Milliseconds of a quarter of an hour: no time zone differs from UTC by less.
QUARTER_MS = 900_000

#: Columns of `coin_rows` that refer to `names`.
NAMED_COLUMNS = ("label", "runner_up", "currency", "bin", "reason", "landed")
#: Columns of `thresholds`: the fields of `records.Thresholds`, NULL where there is no such bound.
THRESHOLD_COLUMNS = (
    "min_confidence",
    "max_anomaly",
    "nominal_mm",
    "tolerance_mm",
    "min_margin",
    "min_membership",
)

#: Tables and columns of format 1, which has no mark.
_TABLES_1 = {
    "runs": "id started_at ended_at bundle bundle_hash runtime note",
    "coins": "id run coin at seen_s label confidence by_picture runner_up anomaly diameter_mm "
    "speed_mm_s min_confidence max_anomaly nominal_mm tolerance_mm value currency bin reason "
    "landed",
    "incidents": "id run at what place remedy",
}

_TABLES = """
CREATE TABLE {0}runs (
    id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    bundle TEXT NOT NULL,
    bundle_hash TEXT NOT NULL,
    runtime TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE TABLE {0}incidents (
    id INTEGER PRIMARY KEY,
    run INTEGER REFERENCES runs,
    at TEXT NOT NULL,
    what TEXT NOT NULL,
    place TEXT NOT NULL,
    remedy TEXT NOT NULL
);
CREATE TABLE {0}names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE {0}thresholds (
    id INTEGER PRIMARY KEY,
    min_confidence REAL,
    max_anomaly REAL,
    nominal_mm REAL,
    tolerance_mm REAL,
    min_margin REAL,
    min_membership REAL
);
CREATE TABLE {0}coin_rows (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    coin INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    seen_s REAL NOT NULL,
    label INTEGER REFERENCES names,
    confidence REAL,
    by_picture REAL,
    runner_up INTEGER REFERENCES names,
    anomaly REAL,
    margin REAL,
    membership REAL,
    diameter_mm REAL,
    speed_mm_s REAL,
    thresholds INTEGER REFERENCES thresholds,
    value_micros INTEGER,
    currency INTEGER REFERENCES names,
    bin INTEGER NOT NULL REFERENCES names,
    reason INTEGER NOT NULL REFERENCES names,
    landed INTEGER NOT NULL REFERENCES names
);
CREATE TABLE {0}blocks (
    last_id INTEGER PRIMARY KEY,
    first_id INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL,
    is_pruned INTEGER NOT NULL
);
CREATE TABLE {0}counts (
    block INTEGER NOT NULL REFERENCES blocks,
    run INTEGER NOT NULL REFERENCES runs,
    quarter INTEGER NOT NULL,
    label INTEGER REFERENCES names,
    value_micros INTEGER,
    currency INTEGER REFERENCES names,
    bin INTEGER NOT NULL REFERENCES names,
    reason INTEGER NOT NULL REFERENCES names,
    landed INTEGER NOT NULL REFERENCES names,
    coins INTEGER NOT NULL
);
CREATE VIEW {0}coins AS
SELECT
    id,
    run,
    coin,
    strftime('%Y-%m-%dT%H:%M:%f', at_ms / 1000.0, 'unixepoch') || '+00:00' AS at,
    seen_s,
    (SELECT name FROM names WHERE names.id = label) AS label,
    confidence,
    by_picture,
    (SELECT name FROM names WHERE names.id = runner_up) AS runner_up,
    anomaly,
    diameter_mm,
    speed_mm_s,
    {thresholds[min_confidence]} AS min_confidence,
    {thresholds[max_anomaly]} AS max_anomaly,
    {thresholds[nominal_mm]} AS nominal_mm,
    {thresholds[tolerance_mm]} AS tolerance_mm,
    value_micros / 1000000.0 AS value,
    (SELECT name FROM names WHERE names.id = currency) AS currency,
    (SELECT name FROM names WHERE names.id = bin) AS bin,
    (SELECT name FROM names WHERE names.id = reason) AS reason,
    CASE landed WHEN 2 THEN NULL
        ELSE (SELECT name FROM names WHERE names.id = landed) END AS landed,
    margin,
    membership,
    {thresholds[min_margin]} AS min_margin,
    {thresholds[min_membership]} AS min_membership
FROM coin_rows;
"""
#: A column of the thresholds of a coin's row, in the view.
_OF_THRESHOLDS = "(SELECT {0} FROM thresholds WHERE thresholds.id = coin_rows.thresholds)"


@dataclass(frozen=True)
class LedgerFormat:
    """What a file is.

    version: 0 of an empty file, else the ledger's format; None where it is no ledger that this
    program reads. refusal: why not, and what to do.
    """

    version: int | None
    refusal: str = ""


def create_tables(connection: sqlite3.Connection, schema: str = "main") -> None:
    """Makes the tables of a new ledger, in the transaction that is open.

    schema: the name under which the database is attached.
    """
    columns = {column: _OF_THRESHOLDS.format(column) for column in THRESHOLD_COLUMNS}
    for statement in _TABLES.format(f"{schema}.", thresholds=columns).split(";\n"):
        connection.execute(statement)
    connection.execute(f"INSERT INTO {schema}.names VALUES (?, '')", (OPEN,))
    connection.execute(f"PRAGMA {schema}.application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA {schema}.user_version = {SCHEMA_VERSION}")


def read_format(connection: sqlite3.Connection) -> LedgerFormat:
    """What the file of a connection is. Raises sqlite3.Error where it is no database at all."""
    application = _read_pragma(connection, "application_id")
    version = _read_pragma(connection, "user_version")
    if application == APPLICATION_ID:
        return _recognise_own(version)
    if application == 0:
        return _recognise_unmarked(connection, version)
    return _refuse(f"another program's database (application {application:#x})")


def _recognise_own(version: int) -> LedgerFormat:
    if version > SCHEMA_VERSION:
        return LedgerFormat(
            None,
            f"written by a newer coinsorter (format {version}, this one knows {SCHEMA_VERSION}); "
            "update coinsorter",
        )
    if version >= _FIRST_MARKED:
        return LedgerFormat(version)
    return _refuse(f"no format of this program (format {version})")


def _recognise_unmarked(connection: sqlite3.Connection, version: int) -> LedgerFormat:
    """A file that no program has marked: empty, or a ledger of format 1, or a foreign database."""
    tables = _read_tables(connection)
    if version == 0 and not tables:
        return LedgerFormat(0)
    if version == 1 and tables.items() >= _TABLES_1.items():
        return LedgerFormat(1)
    return _refuse(f"another program's database (format {version})")


def _refuse(reason: str) -> LedgerFormat:
    advice = "name another file as ledger.path or with --ledger"
    return LedgerFormat(None, f"is no ledger that this coinsorter reads: {reason}; {advice}")


def _read_tables(connection: sqlite3.Connection) -> dict[str, str]:
    """The columns of every table and view, by name."""
    names = connection.execute(
        "SELECT name FROM main.sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    ).fetchall()
    return {row[0]: _read_columns(connection, row[0]) for row in names}


def _read_columns(connection: sqlite3.Connection, table: str) -> str:
    query = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
    return " ".join(row[0] for row in connection.execute(query, (table,)))


def _read_pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA main.{name}").fetchone()[0])
