"""The ledger's file: opened for writing, alone or beside readers, and replaced as a whole.

SQLite's own locks, which the kernel holds, say who uses it: a connection in WAL mode keeps one for
as long as it lives.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from coinsorter.errors import LedgerError, LedgerLockedError
from coinsorter.files.atomic import flush_file
from coinsorter.ledger.tables import PAGE_SIZE, SCHEMA_VERSION, create_tables, read_format

#: Seconds that a connection waits for another one's transaction; SQLite's own default.
BUSY_TIMEOUT_S = 5.0
#: Frames of the write-ahead log after which it is copied into the file, some 700 coins.
CHECKPOINT_FRAMES = 2000
#: Seconds between two attempts at what SQLite itself does not wait for.
_RETRY_S = 0.05


def connect_ledger(
    path: Path,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """A connection to a ledger's file, which is made where there is none.

    It begins no transaction by itself. factory: the connection's class, as for `sqlite3.connect`.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=busy_timeout_s, factory=factory
    )
    connection.row_factory = sqlite3.Row
    return connection


def prepare_ledger(path: Path, connection: sqlite3.Connection) -> None:
    """Makes the tables in an empty file, and every commit durable.

    Raises LedgerError for a file that is no ledger of today's format, and leaves it as it is.
    """
    version = check_format(path, connection)
    if version == 0:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            create_tables(connection)
    elif version != SCHEMA_VERSION:
        raise LedgerError(f"{path}: is of the older format {version}; start again")
    make_durable(connection)


def make_durable(connection: sqlite3.Connection) -> None:
    """Lets every commit return when it is on the disk."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_FRAMES}")


def check_format(path: Path, connection: sqlite3.Connection) -> int:
    """The format of a ledger, 0 for an empty file. Raises LedgerError where it is none."""
    file_format = read_format(connection)
    if file_format.version is None:
        raise LedgerError(f"{path}: {file_format.refusal}")
    return file_format.version


@contextmanager
def use_alone(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a ledger that no other process may read or write meanwhile.

    Its write-ahead log is in the file and gone. Raises LedgerLockedError where another process uses
    the ledger.
    """
    with closing(_connect_alone(path)) as connection:
        yield connection


def _connect_alone(path: Path) -> sqlite3.Connection:
    until_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        connection = connect_ledger(path)
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if "locked" not in str(error):
                raise
            _wait_until(until_s, path)


def _wait_until(until_s: float, path: Path) -> None:
    if time.monotonic() > until_s:
        raise LedgerLockedError(
            f"ledger {path}: a machine or another program uses it; "
            "stop it (`sudo systemctl stop coinsorter`), then try again"
        )
    time.sleep(_RETRY_S)


def keep_copy(connection: sqlite3.Connection, path: Path, word: str, now: datetime) -> Path:
    """Keeps a copy of a database beside it, under a name with a word and the time; its path."""
    copy = _find_free_name(path, word, now)
    with write_database(copy) as part:
        with closing(connect_ledger(part)) as target:
            connection.backup(target)
        part.chmod(path.stat().st_mode)
        match_owner(part, path)
    return copy


def move_away(path: Path, word: str, now: datetime) -> Path:
    """Renames a file that is no database any more, with its log, as `keep_copy` names a copy."""
    away = _find_free_name(path, word, now)
    for ending in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(away.with_name(away.name + ending))
    return away


def match_owner(path: Path, like: Path) -> None:
    """Gives a file that root has made to the owner of another file or folder."""
    if os.geteuid() == 0:
        owner = like.stat()
        with contextlib.suppress(OSError):  # FAT has no owners
            os.chown(path, owner.st_uid, owner.st_gid)


@contextmanager
def write_database(path: Path) -> Iterator[Path]:
    """A path to write a database to, which takes the place of `path` when all went well.

    It is on the disk before.
    """
    part = path.with_name(f"part-{path.name}")
    remove_database(part)  # what a process that was killed has left
    try:
        yield part
        flush_file(part)
        part.replace(path)
        flush_file(path.parent)
    finally:
        remove_database(part)


def _find_free_name(path: Path, word: str, now: datetime) -> Path:
    name = f"{path.name}.{word}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    free = path.with_name(name)
    number = 1
    while free.exists():
        number += 1
        free = path.with_name(f"{name}-{number}")
    return free


def remove_database(path: Path) -> None:
    """Removes a database that was not finished, with what SQLite keeps beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
