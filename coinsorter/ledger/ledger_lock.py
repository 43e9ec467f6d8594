"""One ledger, one writer: the lock on its file that every process takes before it touches a row.

It is on the ledger's own file, so that a link, or another name of the file, leads to the same lock.
Its bytes lie far above SQLite's locks. To close any descriptor of the file lets go of the process's
locks that SQLite holds (fcntl(2)), therefore this lock is closed after the connection.
"""

import contextlib
import errno
from os import O_CREAT
from pathlib import Path

from coinsorter.errors import LedgerInUseError
from coinsorter.files.locks import LEDGER_SLOT, SORTING, FileLock, LockHeldError


def lock_ledger(path: Path, purpose: str = SORTING) -> FileLock:
    """The lock of a ledger's writer; an empty file is made where there is none.

    purpose: one of `locks.PURPOSES`. Raises LedgerInUseError that names the process which writes
    the ledger, and OSError where the file cannot be opened for writing.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    while True:
        lock = _lock_file(path, purpose)
        with contextlib.suppress(FileNotFoundError):
            if lock.is_at(path):
                return lock
        lock.close()  # another process has put a new ledger in its place, or removed it


def _lock_file(path: Path, purpose: str) -> FileLock:
    try:
        return FileLock(path, LEDGER_SLOT, purpose, O_CREAT)
    except LockHeldError as error:
        raise LedgerInUseError(f"ledger {path}: {error}") from error
