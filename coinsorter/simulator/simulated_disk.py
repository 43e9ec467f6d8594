"""A disk whose faults are called up: SQLite over it fails as it does over a real one.

Only the statements that write, and the commits, fail. What stands in the file is real.
"""

import sqlite3
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

from coinsorter.ledger.database_file import connect_ledger


class DiskFault(Enum):
    """What a disk does to a transaction: SQLite's message and code, and at which statement."""

    FULL = ("database or disk is full", sqlite3.SQLITE_FULL, "INSERT")
    IO = ("disk I/O error", sqlite3.SQLITE_IOERR, "COMMIT")
    #: The commit fails, and is on the disk nevertheless.
    IO_AFTER_COMMIT = ("disk I/O error", sqlite3.SQLITE_IOERR, "AFTER COMMIT")
    READ_ONLY = ("attempt to write a readonly database", sqlite3.SQLITE_READONLY, "BEGIN")
    LOCKED = ("database is locked", sqlite3.SQLITE_BUSY, "BEGIN")
    DAMAGED = ("database disk image is malformed", sqlite3.SQLITE_CORRUPT, "BEGIN")

    def fail(self) -> None:
        """Raises what SQLite raises."""
        message, code, _ = self.value
        error = sqlite3.OperationalError(message)
        error.sqlite_errorcode = code
        raise error


class SimulatedDisk:
    """A disk that is sound until `fault` is set.

    fault: what it does; None while it is sound. commit_s: how long each commit takes, seconds.
    sleep: waits so long.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self.fault: DiskFault | None = None
        self.commit_s = 0.0
        self.sleep = sleep

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection to a file on this disk."""
        connection = connect_ledger(path, factory=FaultyConnection)
        vars(connection)["disk"] = self
        return connection

    def meet(self, statement: str) -> None:
        """Fails, if the disk's fault comes at this statement."""
        if self.fault and statement.lstrip().startswith(self.fault.value[2]):
            self.fault.fail()


class FaultyConnection(sqlite3.Connection):
    """A connection over a simulated disk."""

    disk = SimulatedDisk()

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As a connection's, unless the disk fails."""
        self.disk.meet(sql)
        return super().execute(sql, *parameters)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        if kind:
            return super().__exit__(kind, error, traceback)
        try:
            self.disk.sleep(self.disk.commit_s)
            self.disk.meet("COMMIT")
        except sqlite3.OperationalError as failure:
            super().__exit__(type(failure), failure, None)
            raise
        super().__exit__(None, None, None)
        self.disk.meet("AFTER COMMIT")
        return False
