"""ledger_queries: totals that account for every coin, the newest rows, and exports."""

import csv
import io
import json
import sqlite3

import pytest

from coinsorter.errors import InputError, LedgerError
from coinsorter.sorting.ledger import Ledger
from coinsorter.sorting.ledger_queries import export_rows, read_rows, read_totals
from tests.unit.sorting.ledger_rows import RUN, event


def test_totals_account_for_every_coin(ledger):
    for coin, (bin_, reason, landed, late_to) in enumerate(
        [
            ("crown_2", "sorted", "crown_2", None),
            ("reject", "anomaly", "reject", None),
            ("crown_2", "sorted", "reject", "reject"),
            ("crown_2", "sorted", "crown_2", None),
        ]
    ):
        ledger.record(event(coin, bin_, reason))
        ledger.complete(coin, landed, late_to)
    ledger.record(event(9)).wait(5)
    assert read_totals(ledger.path) == {
        "seen": 5,
        "bins": {"crown_2": 2, "reject": 2},
        "rejected": {"anomaly": 1, "late": 1},
        "uncertain": 0,
        "open": 1,
        "value": {"CRN": {"crown_2": 4.0}},
    }


def test_totals_of_one_run_leave_out_the_others(tmp_path):
    path = tmp_path / "ledger.db"
    for coins in (2, 3):
        ledger = Ledger(path, RUN)
        for coin in range(coins):
            ledger.record(event(coin))
            ledger.complete(coin, "crown_2")
        ledger.close()
    assert [read_totals(path, run)["seen"] for run in (1, 2, None)] == [2, 3, 5]
    assert read_totals(path, 2)["value"] == {"CRN": {"crown_2": 6.0}}


def test_only_the_newest_rows_are_listed_the_oldest_first(ledger):
    for coin in range(5):
        ledger.record(event(coin)).wait(5)
    assert [row["coin"] for row in read_rows(ledger.path, last=2)] == [3, 4]
    assert [row["coin"] for row in read_rows(ledger.path)] == [0, 1, 2, 3, 4]


def test_an_export_holds_every_row(ledger):
    for coin in range(3):
        ledger.record(event(coin)).wait(5)
    table, lines = io.StringIO(), io.StringIO()
    assert export_rows(ledger.path, table, "csv") == 3
    assert export_rows(ledger.path, lines, "jsonl") == 3
    assert [row["coin"] for row in csv.DictReader(io.StringIO(table.getvalue()))] == ["0", "1", "2"]
    assert [json.loads(line)["coin"] for line in lines.getvalue().splitlines()] == [0, 1, 2]


def test_an_export_of_no_rows_is_a_table_without_any(tmp_path):
    Ledger(tmp_path / "ledger.db", RUN).close()
    table = io.StringIO()
    assert export_rows(tmp_path / "ledger.db", table, "csv") == 0
    assert table.getvalue() == "id\n"


def test_reading_a_ledger_that_is_not_there_says_what_writes_it(tmp_path):
    with pytest.raises(InputError, match="coinsorter run"):
        read_totals(tmp_path / "none.db")


def test_a_ledger_of_another_format_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="no ledger that this coinsorter reads"):
        read_rows(path)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        read_rows(path)
