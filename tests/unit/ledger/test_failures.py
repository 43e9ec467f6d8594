"""failures: faults that pass and faults that need a person, each with its remedy."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from coinsorter.errors import LedgerError, LedgerLockedError, LedgerUnavailableError
from coinsorter.ledger.failures import explain_failures


def sqlite_error(message: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "error, failure, remedy",
    [
        (sqlite_error("database or disk is full", 13), LedgerUnavailableError, "free some space"),
        (sqlite_error("disk I/O error", 10 | 4 << 8), LedgerUnavailableError, "check the disk"),
        (sqlite_error("attempt to write a readonly database", 8), LedgerUnavailableError, "folder"),
        (sqlite_error("unable to open database file", 14), LedgerUnavailableError, "folder"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), LedgerUnavailableError, "folder"),
        (sqlite_error("database is locked", 5), LedgerLockedError, "let it end"),
        (sqlite_error("database is locked", 5 | 2 << 8), LedgerLockedError, "let it end"),
        (sqlite_error("database disk image is malformed", 11), LedgerError, "check the disk"),
        (sqlite_error("file is not a database", 26), LedgerError, "check the disk"),
        (sqlite_error("no such table: coins", 1), LedgerError, "check the disk"),
        (sqlite3.InterfaceError("bad parameter"), LedgerError, "check the disk"),
    ],
)
def test_what_passes_is_told_from_what_needs_a_person(error, failure, remedy):
    with pytest.raises(LedgerError) as raised, explain_failures(Path("var/ledger.db")):
        raise error
    assert type(raised.value) is failure
    line = str(raised.value)
    assert line.startswith("ledger var/ledger.db: ") and remedy in line and "\n" not in line


def test_a_mistake_of_the_program_is_not_explained_away():
    with pytest.raises(ZeroDivisionError), explain_failures(Path("ledger.db")):
        raise ZeroDivisionError
