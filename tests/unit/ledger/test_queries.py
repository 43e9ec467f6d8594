"""queries: totals that account for every coin, the newest rows, and exports."""

import csv
import io
import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from coinsorter.errors import InputError, LedgerError
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import export_rows, read_days, read_rows, read_totals
from tests.unit.ledger.ledger_files import write_format_1
from tests.unit.ledger.ledger_rows import RUN, THRESHOLDS, VERDICT, event


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


def test_an_export_says_what_a_decision_rested_on(tmp_path):
    """Without a gate some bounds are infinite, for which JSON has no number."""
    without = replace(event(2), verdict=replace(VERDICT, membership=inf))
    with closing(Ledger(tmp_path / "ledger.db", RUN)) as ledger:
        for coin in (event(1), without):
            ledger.record(coin)
    table, lines = io.StringIO(), io.StringIO()
    export_rows(ledger.path, table, "csv")
    export_rows(ledger.path, lines, "jsonl")
    cells = [list(row.values())[-4:] for row in csv.DictReader(io.StringIO(table.getvalue()))]
    assert cells == [["6.5", "3.25", "2.5", "-1.5"], ["6.5", "", "2.5", "-1.5"]]
    exported = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [row["membership"] for row in exported] == [VERDICT.membership, None]
    assert [row["min_membership"] for row in exported] == [THRESHOLDS.min_membership] * 2


def test_an_export_of_no_rows_is_a_table_without_any(tmp_path):
    Ledger(tmp_path / "ledger.db", RUN).close()
    table = io.StringIO()
    assert export_rows(tmp_path / "ledger.db", table, "csv") == 0
    assert table.getvalue() == "id\n"


def test_sums_of_money_are_exact(tmp_path):
    with closing(Ledger(tmp_path / "ledger.db", RUN)) as ledger:
        for coin in range(300):
            ledger.record(replace(event(coin), value=[0.1, 0.2, 0.005][coin % 3]))
            ledger.complete(coin, "crown_2")
    assert read_totals(tmp_path / "ledger.db")["value"] == {"CRN": {"crown_2": 30.5}}
    values = {row["value"] for row in read_rows(tmp_path / "ledger.db")}
    assert values == {0.1, 0.2, 0.005}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, -1e300])
def test_what_is_no_amount_of_money_is_refused(tmp_path, value):
    with (
        closing(Ledger(tmp_path / "ledger.db", RUN)) as ledger,
        pytest.raises(LedgerError, match="cannot be counted"),
    ):
        ledger.record(replace(event(1), value=value))


#: An instant in UTC, a time zone, and the day there; in New York the clock goes back at 06:00 UTC.
DAYS = [
    ("2026-11-27T22:59:00+00:00", "Europe/Berlin", "2026-11-27"),
    ("2026-11-27T23:00:00+00:00", "Europe/Berlin", "2026-11-28"),
    ("2026-07-27T21:59:00+00:00", "Europe/Berlin", "2026-07-27"),
    ("2026-07-27T22:00:00+00:00", "Europe/Berlin", "2026-07-28"),
    ("2026-11-01T03:59:00+00:00", "America/New_York", "2026-10-31"),
    ("2026-11-02T04:59:00+00:00", "America/New_York", "2026-11-01"),
    ("2026-11-27T18:14:00+00:00", "Asia/Kathmandu", "2026-11-27"),
    ("2026-11-27T18:15:00+00:00", "Asia/Kathmandu", "2026-11-28"),
]


@pytest.mark.parametrize("old", [False, True], ids=["today's format", "format 1"])
@pytest.mark.parametrize(("instant", "zone", "day"), DAYS)
def test_a_day_is_one_in_the_time_zone_of_the_computer(
    tmp_path, monkeypatch, instant, zone, day, old
):
    path = tmp_path / "ledger.db"
    if old:
        write_format_1(path, coins=1)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE coins SET at = ?", (instant.replace("+", ".000+"),))
            connection.commit()
    else:
        with closing(Ledger(path, RUN, lambda: datetime.fromisoformat(instant))) as ledger:
            ledger.record(event(1))
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        (totals,) = read_days(path)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (totals["day"], totals["seen"]) == (day, 1)


def test_days_add_up_to_the_totals(tmp_path):
    clock = iter(datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(10**6))
    with closing(Ledger(tmp_path / "ledger.db", RUN, lambda: next(clock))) as ledger:
        for coin in range(60):
            ledger.record(event(coin))
            ledger.complete(coin, "crown_2")
    days = read_days(tmp_path / "ledger.db")
    assert [day["day"] for day in days] == sorted({day["day"] for day in days})
    assert len(days) >= 5
    assert sum(day["seen"] for day in days) == 60
    assert sum(day["value"]["CRN"]["crown_2"] for day in days) == 120.0


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


def test_a_ledger_left_half_written_by_a_killed_process_can_be_read(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path, coins=200, wal=False)
    rows = read_rows(path)
    process = os.fork()
    if process == 0:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA cache_size = 1")  # so that pages are written before the commit
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE coins SET bin = 'lost', label = 'somewhere'")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert (tmp_path / "ledger.db-journal").stat().st_size > 0
    assert read_rows(path) == rows


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        read_rows(path)
