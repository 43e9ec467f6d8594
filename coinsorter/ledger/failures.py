"""What SQLite and the system say of a ledger that fails, as errors that say what to do.

Some faults pass while the file stays as it is: a lock, a full disk, one that is gone for a while.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coinsorter.errors import LedgerError, LedgerLockedError, LedgerUnavailableError

#: Codes of SQLite (sqlite.org/rescode.html) for another connection's lock.
LOCK_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
#: Its other codes for what can pass.
PASSING_CODES = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
#: The lowest byte of an extended code is the code.
_CODE_MASK = 0xFF


@contextmanager
def explain_failures(path: Path) -> Iterator[None]:
    """Turns errors of SQLite and of the system into a LedgerError that says what to do.

    What can pass is a LedgerUnavailableError, another program's lock a LedgerLockedError.
    """
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError) as error:
        reason = str(error)
        failure = _classify(error)
        advice = _advise(reason)
        if failure is LedgerError:
            advice += ", then start again"
        raise failure(f"ledger {path}: {reason}; {advice}") from error


def _classify(error: Exception) -> type[LedgerError]:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _CODE_MASK
    if code in LOCK_CODES:
        return LedgerLockedError
    if code in PASSING_CODES or isinstance(error, OSError):
        return LedgerUnavailableError
    return LedgerError


def _advise(reason: str) -> str:
    if "full" in reason:
        return "free some space"
    if "locked" in reason:
        return "another program writes to it: let it end, or stop it"
    no_access = ("readonly", "Read-only", "ermission", "No such", "unable to open")
    if any(words in reason for words in no_access):
        return "check that the folder exists and may be written, or set ledger.path"
    return "check the disk"
