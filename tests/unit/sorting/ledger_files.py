"""Files that a ledger's path may lead to: of format 1, foreign, empty, or no database."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from coinsorter.sorting.ledger_schema import APPLICATION_ID

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
_INSERT_1 = f"INSERT INTO coins VALUES ({', '.join('?' * 21)})"


def write_format_1(path: Path, coins: int = 6, wal: bool = True) -> None:
    """A ledger as version 0.1.0 wrote it: two runs, an incident, every fate of a coin.

    The last coin is still open, as after a crash.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
        connection.executescript(SCHEMA_1)
        run = ("2026-11-20T08:00:00.000+00:00", None, "models/crowns", "abc", "litert", "a note")
        for _ in range(2):
            connection.execute("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?)", run)
        incident = (1, "2026-11-20T08:00:01.000+00:00", "no frame", "camera", "check the cable")
        connection.execute("INSERT INTO incidents VALUES (NULL, ?, ?, ?, ?, ?)", incident)
        connection.execute("BEGIN")
        connection.executemany(_INSERT_1, (row_1(number, coins) for number in range(1, coins + 1)))
        connection.execute("COMMIT")


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
    at = f"2026-11-20T08:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}+00:00"
    run = 1 if number <= coins // 2 else 2
    measured = (0.99, 0.98, None, 1.25, 23.01, 250.1)
    thresholds = (0.9, 4.0, 23.0, 0.5)
    landed = landed if number < coins else None
    end = (value, currency, bin_, reason, landed)
    return (number, run, number, at, 0.5 * number, label, *measured, *thresholds, *end)


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
