"""Copies of a ledger: made while the machine runs, and put back while it does not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from coinsorter.errors import InputError, LedgerError
from coinsorter.files.atomic import flush_file
from coinsorter.files.locks import CHANGING
from coinsorter.files.ownership import Claim, check_file
from coinsorter.ledger.blocks import prune_blocks, seal_blocks
from coinsorter.ledger.database_file import (
    check_format,
    connect_ledger,
    keep_copy,
    make_durable,
    match_owner,
    move_away,
    remove_database,
    use_alone,
    write_database,
)
from coinsorter.ledger.failures import explain_failures
from coinsorter.ledger.ledger_lock import lock_ledger
from coinsorter.ledger.migrations import migrate_ledger
from coinsorter.ledger.queries import open_read_only
from coinsorter.ledger.tables import SCHEMA_VERSION
from coinsorter.ledger.verification import LedgerReport, verify_ledger


def back_up(path: Path, to: Path) -> LedgerReport:
    """Writes a copy of a ledger, of one moment of a machine that may be running.

    The copy is one file, whole or not there at all; what it holds is returned. Raises InputError
    where `to` is there already or cannot be written, LedgerError where the ledger cannot be read or
    the copy is not sound.
    """
    with open_read_only(path) as source, _explain_writing(to), write_database(to) as part:
        _copy(source, part)
        report = verify_ledger(part)
        _refuse_mistakes(path, report)
        return report


def restore(path: Path, source: Path, now: datetime) -> tuple[LedgerReport, Path | None]:
    """Puts a copy in a ledger's place; what was there is kept beside it.

    Returns what the copy holds, and where the replaced ledger is; None where there was none. Raises
    InputError where there is no copy, LedgerInUseError while a machine uses the ledger, and
    LedgerError where the copy is not sound; then nothing is changed.
    """
    path = path.resolve()
    with _hold(path), _write_copy_of(source, path) as part:
        report = verify_ledger(part)
        _refuse_mistakes(source, report)
        return report, _replace(path, part, now)


def migrate(path: Path, now: datetime) -> Path | None:
    """Brings a ledger to today's format, as the machine's next start would; see `migrate_ledger`.

    Raises InputError where there is none, LedgerInUseError while a machine uses it.
    """
    with open_read_only(path):
        pass
    with _hold(path):
        return migrate_ledger(path, now)


def prune(path: Path, before: datetime) -> int:
    """Deletes the rows of blocks that are older; their counts stay. Returns how many rows left.

    The newest rows, some thousands, stay whatever their age. Raises InputError where there is no
    ledger of today's format, LedgerInUseError while a machine uses it.
    """
    with open_read_only(path) as reader:
        _refuse_older_format(path, reader)
    with _hold(path), closing(connect_ledger(path)) as connection:
        make_durable(connection)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            seal_blocks(connection)
        return sum(_prune_some(connection, before))


def _refuse_older_format(path: Path, connection: sqlite3.Connection) -> None:
    version = check_format(path, connection)
    if version != SCHEMA_VERSION:
        raise InputError(
            f"ledger {path}: is of the older format {version}; `coinsorter ledger migrate` first"
        )


def _prune_some(connection: sqlite3.Connection, before: datetime) -> Iterator[int]:
    """Deletes old blocks, some in a transaction, so that each is short."""
    left = -1
    while left != 0:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            left = prune_blocks(connection, before)
        yield left


@contextmanager
def _hold(path: Path) -> Iterator[None]:
    """Keeps machines away from a ledger, by its lock, which is on the ledger's file itself."""
    with explain_failures(path):
        is_new = not path.exists()
        with closing(lock_ledger(path, CHANGING)):
            try:
                yield
            finally:
                if is_new and path.stat().st_size == 0:
                    path.unlink()


@contextmanager
def _write_copy_of(source: Path, path: Path) -> Iterator[Path]:
    """A copy of a ledger beside another, under a name of its own, which is removed at the end."""
    part = path.with_name(f"part-{path.name}")
    remove_database(part)  # what a process that was killed has left
    try:
        with open_read_only(source) as connection:
            _copy(connection, part)
        yield part
    finally:
        remove_database(part)


def _copy(source: sqlite3.Connection, to: Path) -> None:
    """Copies a database into one file."""
    with closing(connect_ledger(to)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _replace(path: Path, part: Path, now: datetime) -> Path | None:
    """Puts a sound ledger in another's place; where that is kept, None for an empty file."""
    try:
        return _overwrite(path, part, now)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
    old = move_away(path, "replaced", now)  # it is no database any more
    match_owner(part, old)
    flush_file(part)
    part.replace(path)
    flush_file(path.parent)
    return old


def _overwrite(path: Path, part: Path, now: datetime) -> Path | None:
    """Copies a ledger over another in one transaction, when that is kept beside it."""
    with use_alone(path) as connection, closing(connect_ledger(part)) as new:
        is_new = check_format(path, connection) == 0
        old = None if is_new else keep_copy(connection, path, "replaced", now)
        new.backup(connection)
    if is_new:
        match_owner(path, path.parent)
    return old


def _refuse_mistakes(path: Path, report: LedgerReport) -> None:
    if report.mistakes:
        more = f", and {len(report.mistakes) - 1} more" if len(report.mistakes) > 1 else ""
        raise LedgerError(
            f"ledger {path}: {report.mistakes[0]}{more}; nothing was written; "
            "`coinsorter ledger verify` lists the mistakes"
        )


@contextmanager
def _explain_writing(to: Path) -> Iterator[None]:
    try:
        if to.exists() or to.is_symlink():
            raise InputError(f"{to}: is there already; name a new file")
        check_file(to, Claim(remedy="name a new file"))
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise InputError(f"{to}: cannot be written: {error}; name another file") from error
