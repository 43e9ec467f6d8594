"""tables: what a file is; the view that other programs read."""

import sqlite3
from contextlib import closing
from dataclasses import astuple

import pytest

from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.tables import THRESHOLD_COLUMNS, create_tables, read_format
from tests.unit.ledger.ledger_files import FOREIGN, OLD_FORMATS, row_1, write_format_1
from tests.unit.ledger.ledger_rows import RUN, THRESHOLDS, event

COLUMNS_1 = (
    "id run coin at seen_s label confidence by_picture runner_up anomaly diameter_mm speed_mm_s "
    "min_confidence max_anomaly nominal_mm tolerance_mm value currency bin reason landed"
)
#: What format 3 appended to them.
COLUMNS_3 = f"{COLUMNS_1} margin membership min_margin min_membership"


def test_the_format_of_a_ledger_is_read_from_its_file(tmp_path):
    Ledger(tmp_path / "now.db", RUN).close()
    for number, write in OLD_FORMATS.items():
        write(tmp_path / f"{number}.db")
    (tmp_path / "empty.db").touch()
    versions = []
    for name in ("now.db", "1.db", "2.db", "empty.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            versions.append(read_format(connection).version)
    assert versions == [3, 1, 2, 0]


@pytest.mark.parametrize("kind", [kind for kind in FOREIGN if kind != "text"])
def test_a_file_that_is_no_ledger_is_refused_with_a_reason(tmp_path, kind):
    write, words = FOREIGN[kind]
    write(tmp_path / "file.db")
    with closing(sqlite3.connect(tmp_path / "file.db")) as connection:
        found = read_format(connection)
    assert found.version is None and words in found.refusal


def test_a_ledger_of_format_1_to_which_somebody_added_a_table_is_still_one(tmp_path):
    write_format_1(tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.execute("CREATE TABLE my_notes (coin INTEGER)")
        assert read_format(connection).version == 1


def test_the_view_of_coins_has_the_columns_of_format_1_and_then_the_new_ones(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db", RUN)
    ledger.record(event(1))
    with closing(sqlite3.connect(ledger.path)) as connection:
        cursor = connection.execute("SELECT * FROM coins WHERE landed IS NULL")
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
    ledger.close()
    assert " ".join(names) == COLUMNS_3
    assert (row["label"], row["value"], row["currency"]) == ("crown_2", 2.0, "CRN")
    assert [row[name] for name in THRESHOLD_COLUMNS] == list(astuple(THRESHOLDS))


@pytest.mark.parametrize("at_ms", [0, 1, 999, 1_795_737_600_123, 1_795_737_659_999])
def test_the_view_shows_the_wall_time_to_the_millisecond(at_ms):
    expected = sqlite3.connect(":memory:").execute(
        "SELECT datetime(?, 'unixepoch')", (at_ms // 1000,)
    )
    (seconds,) = expected.fetchone()
    with closing(sqlite3.connect(":memory:")) as connection:
        create_tables(connection)
        connection.execute("INSERT INTO runs VALUES (1, '', '', '', '', '', '')")
        connection.execute(
            "INSERT INTO coin_rows (run, coin, at_ms, seen_s, bin, reason, landed) "
            "VALUES (1, 1, ?, 0, 2, 2, 2)",
            (at_ms,),
        )
        (at,) = connection.execute("SELECT at FROM coins").fetchone()
    assert at == f"{seconds.replace(' ', 'T')}.{at_ms % 1000:03d}+00:00"


def test_rows_of_format_1_in_these_tests_have_its_columns():
    assert len(row_1(1, 6)) == len(COLUMNS_1.split())
