"""What recurs in coins' rows, and stands once in a table of its own: texts, and thresholds.

Ids are looked up in the transaction that needs them, and never remembered: one that fails takes new
ones back.
"""

import sqlite3
from math import isfinite

from coinsorter.ledger.tables import THRESHOLD_COLUMNS
from coinsorter.records import Thresholds

_FIND_THRESHOLDS = f"""
SELECT id FROM thresholds WHERE {" AND ".join(f"{column} IS ?" for column in THRESHOLD_COLUMNS)}
"""
_INSERT_THRESHOLDS = f"""
INSERT INTO thresholds ({", ".join(THRESHOLD_COLUMNS)})
VALUES ({", ".join("?" * len(THRESHOLD_COLUMNS))})
"""


def find_name(connection: sqlite3.Connection, name: str | None) -> int | None:
    """The id of a text in the ledger's table of names, which gets it if it is new there.

    None where there is no text.
    """
    if name is None:
        return None
    row = connection.execute("SELECT id FROM names WHERE name = ?", (name,)).fetchone()
    if row:
        return int(row["id"])
    return connection.execute("INSERT INTO names (name) VALUES (?)", (name,)).lastrowid


def find_thresholds(connection: sqlite3.Connection, thresholds: Thresholds | None) -> int | None:
    """The id of thresholds in the ledger's table of them, which gets them if they are new there.

    None where there are none.
    """
    if thresholds is None:
        return None
    bounds = [to_finite(getattr(thresholds, column)) for column in THRESHOLD_COLUMNS]
    row = connection.execute(_FIND_THRESHOLDS, bounds).fetchone()
    if row:
        return int(row["id"])
    return connection.execute(_INSERT_THRESHOLDS, bounds).lastrowid


def to_finite(number: float) -> float | None:
    """A number as it stands in the ledger: None where it is infinite or NaN."""
    return float(number) if isfinite(number) else None
