"""blocks: rows that have passed are counted once; old ones leave, their counts stay."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from coinsorter.ledger.blocks import EPOCH, to_ms
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_rows, read_totals
from tests.unit.ledger.ledger_rows import RUN, THRESHOLDS, event

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    for module in ("coinsorter.ledger.blocks", "coinsorter.ledger.ledger"):
        monkeypatch.setattr(f"{module}.BLOCK_ROWS", 10)
    monkeypatch.setattr("coinsorter.ledger.ledger._RECENT_ROWS", 1)


class DayClock:
    """A wall clock that is set by hand, in days since the beginning of November."""

    def __init__(self) -> None:
        self.day = 0.0

    def __call__(self) -> datetime:
        return BEGIN + timedelta(days=self.day)


def sort(ledger, coins, first=0):
    for coin in range(first, first + coins):
        ledger.record(event(coin))
        ledger.complete(coin, "crown_2")


def blocks(path):
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT first_id, last_id, is_pruned FROM blocks ORDER BY last_id"
        return connection.execute(query).fetchall()


def test_blocks_are_counted_as_coins_pass_and_totals_stay_the_same(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db", RUN)
    for coin in range(35):
        sort(ledger, 1, first=coin)
        assert read_totals(ledger.path)["bins"] == {"crown_2": coin + 1}
    ledger.close()
    assert blocks(ledger.path) == [(1, 10, 0), (11, 20, 0), (21, 30, 0)]
    assert read_totals(ledger.path)["value"] == {"CRN": {"crown_2": 70.0}}


def test_a_block_with_an_open_row_waits(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db", RUN)
    sort(ledger, 14)
    ledger.record(event(14))
    sort(ledger, 30, first=15)
    assert blocks(ledger.path) == [(1, 10, 0)]
    ledger.complete(14, "crown_2")
    sort(ledger, 2, first=45)
    assert blocks(ledger.path)[-1] == (31, 40, 0)
    assert read_totals(ledger.path)["bins"] == {"crown_2": 47}
    ledger.close()


def test_old_rows_leave_and_their_counts_stay(tmp_path):
    clock = DayClock()
    ledger = Ledger(tmp_path / "ledger.db", RUN, clock, keep_days=30)
    for day in range(0, 100, 10):
        clock.day = day
        sort(ledger, 10, first=day)
    ledger.close()
    totals = read_totals(ledger.path)
    assert (totals["seen"], totals["value"]) == (100, {"CRN": {"crown_2": 200.0}})
    assert [row["id"] for row in read_rows(ledger.path)] == list(range(51, 101))
    assert {row["min_membership"] for row in read_rows(ledger.path)} == {THRESHOLDS.min_membership}


def test_without_a_number_of_days_nothing_leaves(tmp_path):
    clock = DayClock()
    ledger = Ledger(tmp_path / "ledger.db", RUN, clock)
    for day in range(0, 4000, 400):
        clock.day = day
        sort(ledger, 10, first=day)
    ledger.close()
    assert len(read_rows(ledger.path)) == 100


def test_rows_written_with_a_clock_that_was_not_set_yet_stay(tmp_path):
    """A Pi without a battery begins in the past, until it gets the time from the network."""
    clock = DayClock()
    ledger = Ledger(tmp_path / "ledger.db", RUN, clock, keep_days=30)
    sort(ledger, 20)
    clock.day = -20000
    sort(ledger, 10, first=20)
    clock.day = 1
    sort(ledger, 30, first=30)
    ledger.close()
    assert len(read_rows(ledger.path)) == 60


def test_ids_go_on_where_all_rows_are_old(tmp_path):
    clock = DayClock()
    ledger = Ledger(tmp_path / "ledger.db", RUN, clock, keep_days=1)
    sort(ledger, 30)
    clock.day = 500
    sort(ledger, 30, first=30)
    ledger.close()
    assert [row["id"] for row in read_rows(ledger.path)] == list(range(21, 61))
    assert read_totals(ledger.path)["seen"] == 60


def test_a_moment_is_whole_milliseconds_since_1970():
    assert to_ms(datetime(1970, 1, 1, 0, 0, 1, 999, tzinfo=UTC)) == 1000
    assert datetime(1970, 1, 1, tzinfo=UTC) == EPOCH
