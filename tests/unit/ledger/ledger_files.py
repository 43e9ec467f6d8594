"""Files that a ledger's path may lead to: of an older format, foreign, empty, or no database."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coinsorter.ledger.blocks import EPOCH
from coinsorter.ledger.tables import APPLICATION_ID

#: The tables of format 1, as version 0.1.0 made them.
SCHEMA_1 = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started_at TEXT NOT NULL, ended_at TEXT, bundle TEXT NOT NULL,
    bundle_hash TEXT NOT NULL, runtime TEXT NOT NULL, note TEXT NOT NULL
);
CREATE TABLE coins (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, coin INTEGER NOT NULL,
    at TEXT NOT NULL, seen_s REAL NOT NULL, label TEXT, confidence REAL, by_picture REAL,
    runner_up TEXT, anomaly REAL, diameter_mm REAL, speed_mm_s REAL, min_confidence REAL,
    max_anomaly REAL, nominal_mm REAL, tolerance_mm REAL, value REAL, currency TEXT,
    bin TEXT NOT NULL, reason TEXT NOT NULL, landed TEXT, UNIQUE (run, coin)
);
CREATE INDEX coins_open ON coins (id) WHERE landed IS NULL;
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY, run INTEGER REFERENCES runs, at TEXT NOT NULL, what TEXT NOT NULL,
    place TEXT NOT NULL, remedy TEXT NOT NULL
);
PRAGMA user_version = 1;
"""
#: The tables of format 2, as the version before format 3 made them.
SCHEMA_2 = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    bundle TEXT NOT NULL,
    bundle_hash TEXT NOT NULL,
    runtime TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    run INTEGER REFERENCES runs,
    at TEXT NOT NULL,
    what TEXT NOT NULL,
    place TEXT NOT NULL,
    remedy TEXT NOT NULL
);
CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE coin_rows (
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
    diameter_mm REAL,
    speed_mm_s REAL,
    min_confidence REAL,
    max_anomaly REAL,
    nominal_mm REAL,
    tolerance_mm REAL,
    value_micros INTEGER,
    currency INTEGER REFERENCES names,
    bin INTEGER NOT NULL REFERENCES names,
    reason INTEGER NOT NULL REFERENCES names,
    landed INTEGER NOT NULL REFERENCES names
);
CREATE TABLE blocks (
    last_id INTEGER PRIMARY KEY,
    first_id INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL,
    is_pruned INTEGER NOT NULL
);
CREATE TABLE counts (
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
CREATE VIEW coins AS
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
    min_confidence,
    max_anomaly,
    nominal_mm,
    tolerance_mm,
    value_micros / 1000000.0 AS value,
    (SELECT name FROM names WHERE names.id = currency) AS currency,
    (SELECT name FROM names WHERE names.id = bin) AS bin,
    (SELECT name FROM names WHERE names.id = reason) AS reason,
    CASE landed WHEN 2 THEN NULL ELSE (SELECT name FROM names WHERE names.id = landed) END AS landed
FROM coin_rows;
INSERT INTO names VALUES (2, '');
PRAGMA application_id = 1131374958;
PRAGMA user_version = 2;
"""
#: How format 2 counted the rows of a block.
SEAL_2 = """
INSERT INTO blocks (first_id, last_id, newest_ms, is_pruned)
SELECT :first, :last, ifnull(max(at_ms), 0), 0 FROM coin_rows WHERE id BETWEEN :first AND :last;
INSERT INTO counts
(block, run, quarter, label, value_micros, currency, bin, reason, landed, coins)
SELECT :last, * FROM (
    SELECT run, at_ms / 900000, label, value_micros, currency, bin, reason, landed, count(*)
    FROM coin_rows WHERE id BETWEEN :first AND :last GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
);
"""
#: How old rows left it.
PRUNE_2 = """
DELETE FROM coin_rows WHERE id BETWEEN :first AND :last;
UPDATE blocks SET is_pruned = 1 WHERE last_id = :last;
"""
_INSERT_1 = f"INSERT INTO coins VALUES ({', '.join('?' * 21)})"
_INSERT_2 = f"INSERT INTO coin_rows VALUES ({', '.join('?' * 21)})"
_RUN = ("2026-11-20T08:00:00.000+00:00", None, "models/crowns", "abc", "litert", "a note")
_INCIDENT = (1, "2026-11-20T08:00:01.000+00:00", "no frame", "camera", "check the cable")
_BEGIN = datetime(2026, 11, 20, 8, tzinfo=UTC)
#: Thresholds of each label, by the run; those of a label may change between runs.
_THRESHOLDS = {
    ("crown_2", 1): (0.9, 4.0, 23.0, 0.5),
    ("crown_5", 1): (0.95, 3.5, 25.25, 0.5),
    ("crown_2", 2): (0.9, 4.0, 23.0, 0.25),
    ("crown_5", 2): (0.95, 3.5, 25.25, 0.5),
}


def write_format_1(path: Path, coins: int = 6, wal: bool = True) -> None:
    """A ledger as version 0.1.0 wrote it: two runs, an incident, every fate of a coin.

    The last coin is still open, as after a crash.
    """
    with _write_old(path, SCHEMA_1, wal) as connection:
        connection.executemany(_INSERT_1, (row_1(number, coins) for number in range(1, coins + 1)))


def write_format_2(
    path: Path, coins: int = 6, wal: bool = True, block_rows: int = 4096, pruned: int = 0
) -> None:
    """The same coins in a ledger of format 2, counted in blocks.

    pruned: how many of the first blocks' rows have left.
    """
    with _write_old(path, SCHEMA_2, wal, "PRAGMA page_size = 512") as connection:
        for number in range(1, coins + 1):
            connection.execute(_INSERT_2, row_2(connection, number, coins))
        for block in range((coins - 1) // block_rows):
            ids = {"first": block * block_rows + 1, "last": (block + 1) * block_rows}
            for statement in (SEAL_2 + PRUNE_2 * (block < pruned)).split(";\n"):
                connection.execute(statement, ids)


@contextmanager
def _write_old(path: Path, schema: str, wal: bool, *pragmas: str) -> Iterator[sqlite3.Connection]:
    """A new ledger with its runs and its incident, in a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in (*pragmas, f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}"):
            connection.execute(pragma)
        connection.executescript(schema)
        for _ in range(2):
            connection.execute("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?)", _RUN)
        connection.execute("INSERT INTO incidents VALUES (NULL, ?, ?, ?, ?, ?)", _INCIDENT)
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")


#: How each old ledger is written; all take its number of coins, and whether its journal is a WAL.
OLD_FORMATS = {1: write_format_1, 2: write_format_2}


def row_1(number: int, coins: int) -> tuple:
    """A row of format 1: a sorted, rejected, unjudged, late or uncertain coin, by turns."""
    sorted_ = ("crown_2", 0.1, "CRN", "crown_2", "sorted", "crown_2")
    label, value, currency, bin_, reason, landed = [
        sorted_,
        ("crown_5", None, None, "reject", "anomaly", "reject"),
        (None, None, None, "reject", "fault", "reject"),
        ("crown_2", 0.1, "CRN", "reject", "late", "reject"),
        ("crown_2", 0.1, "CRN", "crown_2", "sorted", "uncertain"),
    ][(number - 1) % 5]
    at = _moment(number).isoformat(timespec="milliseconds")
    run = 1 if number <= coins // 2 else 2
    verdict = (0.99, 0.98, "crown_10", 1.25) if label else (None,) * 4
    thresholds = _THRESHOLDS[label, run] if label else (None,) * 4
    landed = landed if number < coins else None
    end = (value, currency, bin_, reason, landed)
    return (number, run, number, at, 0.5 * number, label, *verdict, 23.01, 250.1, *thresholds, *end)


def row_2(connection: sqlite3.Connection, number: int, coins: int) -> tuple:
    """The same row of format 2, its texts in the table of names."""
    *begin, value, currency, bin_, reason, landed = row_1(number, coins)
    begin[3] = (_moment(number) - EPOCH) // timedelta(milliseconds=1)
    label, runner_up = begin[5], begin[8]
    begin[5], begin[8] = _name_2(connection, label), _name_2(connection, runner_up)
    names = [_name_2(connection, name) for name in (currency, bin_, reason, landed or "")]
    return (*begin, None if value is None else round(value * 1_000_000), *names)


def _moment(number: int) -> datetime:
    """When a coin came, within the hour."""
    return _BEGIN + timedelta(seconds=number % 3600, milliseconds=number % 1000)


def _name_2(connection: sqlite3.Connection, name: str | None) -> int | None:
    if name is None:
        return None
    connection.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (name,))
    return connection.execute("SELECT id FROM names WHERE name = ?", (name,)).fetchone()[0]


def run_script(script: str) -> Callable[[Path], None]:
    """Writes a database by a script of SQL."""

    def write(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)

    return write


def write_text(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


#: How each file that is no ledger is written, and words of the message that refuses it.
FOREIGN = {
    "text": (write_text, "not a database"),
    "another program's": (
        run_script("PRAGMA application_id = 252006675; CREATE TABLE layers (id INTEGER);"),
        "another program's database",
    ),
    "unmarked": (run_script("CREATE TABLE contacts (name TEXT);"), "another program's database"),
    "unmarked, version 1": (
        run_script("CREATE TABLE coins (year INTEGER, mint TEXT); PRAGMA user_version = 1;"),
        "another program's database",
    ),
    "only a view": (run_script("CREATE VIEW coins AS SELECT 1 AS id;"), "another program's"),
    "newer": (
        run_script(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99;"),
        "newer coinsorter",
    ),
    "ours, of no format": (
        run_script(f"PRAGMA application_id = {APPLICATION_ID}; CREATE TABLE runs (id INTEGER);"),
        "no format of this program",
    ),
}
