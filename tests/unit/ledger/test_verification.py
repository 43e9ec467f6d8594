"""verification: every mistake of a ledger has its line; a sound one has none."""

import sqlite3
from contextlib import closing

import pytest

from coinsorter.errors import InputError, LedgerError
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.verification import MAX_LISTED, verify_ledger
from tests.unit.ledger.ledger_files import OLD_FORMATS
from tests.unit.ledger.ledger_rows import RUN, event


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A ledger of two runs, with two blocks and a coin on its way."""
    for module in ("coinsorter.ledger.blocks", "coinsorter.ledger.ledger"):
        monkeypatch.setattr(f"{module}.BLOCK_ROWS", 10)
    monkeypatch.setattr("coinsorter.ledger.ledger._RECENT_ROWS", 1)
    path = tmp_path / "ledger.db"
    for _ in range(2):
        with closing(Ledger(path, RUN)) as ledger:
            for coin in range(12):
                ledger.record(event(coin, *[("crown_2", "sorted"), ("reject", "late")][coin % 2]))
                if coin < 11:
                    ledger.complete(coin, ["crown_2", "reject"][coin % 2])
    return path


def change(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_sound_ledger_has_no_mistake(path):
    report = verify_ledger(path)
    assert (report.mistakes, report.rows, report.totals["seen"]) == ([], 24, 24)
    assert (report.totals["open"], report.totals["uncertain"]) == (1, 1)


@pytest.mark.parametrize("coins", [0, 7])
@pytest.mark.parametrize("old_format", OLD_FORMATS)
def test_an_old_ledger_can_be_verified_too(tmp_path, old_format, coins):
    OLD_FORMATS[old_format](tmp_path / "old.db", coins)
    report = verify_ledger(tmp_path / "old.db")
    assert (report.format, report.rows, report.mistakes) == (old_format, coins, [])


REST = (
    "label, confidence, by_picture, runner_up, anomaly, margin, membership, diameter_mm, "
    "speed_mm_s, thresholds, value_micros, currency, bin, reason, landed "
    "FROM coin_rows WHERE id = 23"
)
MISTAKES = {
    "twice": (
        [f"INSERT INTO coin_rows SELECT 25, run, coin, at_ms, seen_s, {REST}"],
        "coin 10 of run 2 is counted 2 times",
    ),
    "order": (
        [f"INSERT INTO coin_rows SELECT 25, 1, 77, at_ms, seen_s, {REST}"],
        "row 25 of run 1 comes after a row of run 2",
    ),
    "gap": (["DELETE FROM coin_rows WHERE id = 22"], "row 22 is missing"),
    "gap in a block": (
        ["DELETE FROM coin_rows WHERE id IN (4, 5)"],
        "the counts of rows 1 to 10 are not what the rows say",
    ),
    "counts": (
        ["UPDATE counts SET coins = coins + 1 WHERE block = 20"],
        "the counts of rows 11 to 20 are not what the rows say",
    ),
    "counts twice": (
        ["INSERT INTO counts SELECT * FROM counts WHERE block = 20"],
        "the counts of rows 11 to 20 are not what the rows say",
    ),
    "sum": (
        ["UPDATE counts SET coins = coins + 1 WHERE block = 20"],
        "24 coins were seen, but",
    ),
    "elsewhere": (
        [
            "UPDATE coin_rows SET landed = (SELECT id FROM names WHERE name = 'reject') "
            "WHERE id = 23"
        ],
        "row 23 was sent to crown_2 and landed in reject",
    ),
    "block": (
        ["UPDATE blocks SET first_id = 12 WHERE last_id = 20"],
        "the block of rows 12 to 20 does not begin at 11",
    ),
    "open in a block": (
        ["UPDATE coin_rows SET landed = 2 WHERE id = 3"],
        "row 3 is on its way, but counted as passed",
    ),
    "reference": (
        ["UPDATE coin_rows SET label = 999 WHERE id = 23"],
        "row 23 of coin_rows names a row of names that is not there",
    ),
    "thresholds": (
        ["UPDATE coin_rows SET thresholds = 99 WHERE id = 23"],
        "row 23 of coin_rows names a row of thresholds that is not there",
    ),
    "no thresholds any more": (
        ["DELETE FROM thresholds"],
        "row 1 of coin_rows names a row of thresholds that is not there",
    ),
    "run": (["DELETE FROM runs WHERE id = 2"], "row 24 of coin_rows names a row of runs"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_a_line(path, kind):
    statements, words = MISTAKES[kind]
    change(path, *statements)
    assert [line for line in verify_ledger(path).mistakes if words in line]


def test_a_damaged_page_is_a_mistake(path):
    content = bytearray(path.read_bytes())
    content[-400:] = b"\xff" * 400
    path.write_bytes(content)
    assert any("the file is damaged" in line for line in verify_ledger(path).mistakes)


def test_of_many_mistakes_of_a_kind_the_first_are_listed(path):
    rows = f"SELECT NULL, 1, 100 + id, at_ms, seen_s, {REST}".replace("WHERE id = 23", "")
    change(path, f"INSERT INTO coin_rows {rows}", f"INSERT INTO coin_rows {rows}")
    mistakes = [line for line in verify_ledger(path).mistakes if "counted 2 times" in line]
    assert len(mistakes) == MAX_LISTED
    assert any("more like the last" in line for line in verify_ledger(path).mistakes)


def test_where_there_is_no_ledger_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(InputError, match="there is none yet"):
        verify_ledger(tmp_path / "none.db")
    (tmp_path / "text.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        verify_ledger(tmp_path / "text.db")
