"""The standard streams, wherever they lead: to a full disk, a closed pipe, or nowhere.

Python prints a traceback, or "Exception ignored", where they fail. Here a failure of standard
output is an `OutputError`, and what standard error cannot take is dropped: it could not be read.
"""

import errno
import io
import os
import sys
from typing import TextIO, TypeVar

Stream = TypeVar("Stream", bound=io.TextIOWrapper)


class OutputError(Exception):
    """Standard output cannot be written; no OSError, so that it is not taken for that of a file.

    is_unread: whether its reader has gone, as `head` does when it has seen enough.
    """

    def __init__(self, cause: OSError) -> None:
        reason = "it is closed" if cause.errno == errno.EBADF else os.strerror(cause.errno or 0)
        super().__init__(f"standard output cannot be written: {reason}")
        self.is_unread = cause.errno == errno.EPIPE


class _Output(io.TextIOWrapper):
    """Standard output."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise OutputError(error) from error


class _Complaints(io.TextIOWrapper):
    """Standard error, which never fails."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            _lead_to_nowhere(2)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _lead_to_nowhere(2)


def guard_streams() -> None:
    """Puts streams in place of the standard ones that fail as this module says.

    Streams that are closed are opened on nothing first: otherwise the next file that is opened,
    such as the ledger, would be standard output or standard error. Characters that the streams'
    encoding lacks are escaped.
    """
    _open_closed_streams()
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", errors="replace", closefd=False)
    sys.stdout = _wrap(_Output, 1, sys.stdout)
    sys.stderr = _wrap(_Complaints, 2, sys.stderr)


def flush_output() -> None:
    """Writes what waits for standard output. Raises OutputError."""
    sys.stdout.flush()


def drop_output() -> None:
    """Leads standard output to nowhere, so that what still waits for it does no harm."""
    _lead_to_nowhere(1)


def _lead_to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _open_closed_streams() -> None:
    """Opens what is closed of 0, 1 and 2; standard output so that it still cannot be written."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # which takes the lowest number that is free: this one


def _wrap(kind: type[Stream], number: int, old: TextIO | None) -> Stream:
    """A stream of a kind in the place of an old one, by its number; a slow reader is waited for."""
    os.set_blocking(number, True)
    raw = io.FileIO(number, "wb", closefd=False)
    encoding = getattr(old, "encoding", None) or "utf-8"
    by_line = number == 2 or raw.isatty()
    return kind(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=by_line)
