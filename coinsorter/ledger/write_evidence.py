"""Whether the rows of a commit that failed are in the file after all, and whose file it is.

A commit can fail and come onto the disk nevertheless; rows that are written again without a look
would be counted twice. And a file that was moved away or replaced takes rows without any error.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from coinsorter.errors import LedgerError, LedgerUnavailableError

_NEWEST_IDS = "SELECT (SELECT max(id) FROM coin_rows), (SELECT max(id) FROM incidents)"
_RUN = "SELECT started_at, bundle_hash, note FROM runs WHERE id = ?"


@dataclass(frozen=True)
class NewestIds:
    """The newest row of each table that only grows; 0 where there is none."""

    coin: int
    incident: int


def read_newest_ids(connection: sqlite3.Connection) -> NewestIds:
    """The newest rows that a connection sees."""
    coin, incident = connection.execute(_NEWEST_IDS).fetchone()
    return NewestIds(coin or 0, incident or 0)


class WriteEvidence:
    """What is known of one run's ledger: its place, its run and the newest rows.

    run: the run's id.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, run: int) -> None:
        self._run = run
        self._run_row = self._read_run(connection)
        self._written = read_newest_ids(connection)
        self._expected: NewestIds | None = None
        self._place = path.stat()

    def begin(self) -> None:
        """Forgets what an earlier transaction would have written."""
        self._expected = None

    def expect(self, connection: sqlite3.Connection) -> None:
        """Takes note of what a transaction will have written, just before its commit."""
        self._expected = read_newest_ids(connection)

    def is_met(self, connection: sqlite3.Connection) -> bool:
        """Whether the rows of the transaction whose commit failed are in the file.

        False for one that added no rows: what it changed may be changed once more.
        """
        if self._expected in (None, self._written):
            return False
        return read_newest_ids(connection) == self._expected

    def confirm(self, path: Path) -> None:
        """Makes sure that what was written is where people look for it.

        Raises LedgerUnavailableError where the path does not lead to the open file any more.
        """
        if not (path.exists() and os.path.samestat(self._place, path.stat())):
            raise LedgerUnavailableError(
                f"ledger {path}: the file was moved, deleted or replaced; put it back"
            )
        if self._expected:
            self._written = self._expected

    def recognise(self, connection: sqlite3.Connection, path: Path) -> None:
        """Takes the file that was opened again; raises LedgerError where it is not the same."""
        newest = read_newest_ids(connection)
        has_all = newest.coin >= self._written.coin and newest.incident >= self._written.incident
        if self._read_run(connection) != self._run_row or not has_all:
            raise LedgerError(
                f"ledger {path}: another file took its place while the machine ran; "
                "put the right one back, then start again"
            )
        self._place = path.stat()

    def copy_deleted(self, connection: sqlite3.Connection, path: Path) -> None:
        """Writes a deleted file again, from what its connection still holds open.

        It appears whole or not at all. Raises LedgerUnavailableError where the folder is on another
        file system: it waits to be mounted.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.stat().st_dev != self._place.st_dev:
            raise LedgerUnavailableError(f"ledger {path}: its disk is not there; mount it again")
        part = path.with_name(f"part-{path.name}")
        part.unlink(missing_ok=True)
        copy = sqlite3.connect(part)
        try:
            connection.backup(copy)
        finally:
            copy.close()
        part.rename(path)
        _flush_folder(path.parent)

    def _read_run(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        row = connection.execute(_RUN, (self._run,)).fetchone()
        return tuple(row or ())


def force_to_disk(connection: sqlite3.Connection) -> None:
    """Writes what the log holds into the file itself, and waits until it is on the disk.

    After a sync that failed, Linux calls the log's pages clean though they may be lost. Raises
    sqlite3.OperationalError while a reader is in the way.
    """
    is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if is_busy:
        error = sqlite3.OperationalError("database is locked by a reader")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
