"""references: what recurs stands once, and a transaction that fails takes it back."""

import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from math import inf, nan

import pytest

from coinsorter.ledger.references import find_name, find_thresholds, to_finite
from coinsorter.ledger.tables import THRESHOLD_COLUMNS, create_tables
from coinsorter.records import Thresholds
from tests.unit.ledger.ledger_rows import THRESHOLDS


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        create_tables(connection)
        yield connection


def test_a_text_stands_once(connection):
    ids = [find_name(connection, name) for name in ("crown_2", "reject", "crown_2")]
    assert ids[0] == ids[2] != ids[1]
    assert find_name(connection, None) is None


def test_the_columns_of_thresholds_are_their_fields():
    assert tuple(field.name for field in fields(Thresholds)) == THRESHOLD_COLUMNS


@pytest.mark.parametrize("column", THRESHOLD_COLUMNS)
def test_thresholds_that_differ_in_one_bound_are_others(connection, column):
    other = replace(THRESHOLDS, **{column: 0.125})
    ids = [find_thresholds(connection, each) for each in (THRESHOLDS, other, THRESHOLDS, other)]
    assert ids == [1, 2, 1, 2]
    (bound,) = connection.execute(f"SELECT {column} FROM thresholds WHERE id = 2").fetchone()
    assert bound == 0.125


def test_thresholds_without_a_gate_stand_once_too(connection):
    without = replace(THRESHOLDS, min_membership=-inf)
    assert [find_thresholds(connection, without) for _ in range(3)] == [1, 1, 1]
    (bound,) = connection.execute("SELECT min_membership FROM thresholds").fetchone()
    assert bound is None
    assert find_thresholds(connection, None) is None


def test_thresholds_of_a_transaction_that_failed_are_new_again(connection):
    connection.execute("BEGIN")
    find_thresholds(connection, THRESHOLDS)
    connection.execute("ROLLBACK")
    other = replace(THRESHOLDS, min_confidence=0.5)
    assert [find_thresholds(connection, each) for each in (other, THRESHOLDS)] == [1, 2]


@pytest.mark.parametrize(
    ("number", "expected"), [(1.5, 1.5), (inf, None), (-inf, None), (nan, None)]
)
def test_a_number_without_bound_is_null(number, expected):
    assert to_finite(number) == expected
