"""What of a long piece of work is finished, on disk, so that a killed run continues where it was.

The log is an append-only file of JSON lines; the first one holds the settings of the run.
"""

import fcntl
import json
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coinsorter.errors import InputError
from coinsorter.files.bounded import read_bounded
from coinsorter.files.ownership import Claim, check_file

#: Lines between two fsyncs: what a power cut can cost. A killed process costs none.
SYNC_EVERY = 50
#: Bytes that are read of a log: a kilobyte for each of 100,000 images, and as much again.
MAX_BYTES = 200_000_000
#: How a log begins; a killed run may leave less of it.
_START = b'{"settings":'


class ResumeLog:
    """Entries by key, as far as an earlier run with the same settings got.

    Of two entries with one key the later counts. A torn last line is dropped. restart: earlier
    entries are forgotten. Raises InputError where another process uses the log, and where it was
    begun with other settings.
    """

    def __init__(self, path: Path, settings: dict[str, Any], restart: bool = False) -> None:
        self._entries: dict[str, Any] = {}
        self._unsynced = 0
        with ExitStack() as close_on_error:
            _check_own(path)
            self._file = close_on_error.enter_context(path.open("a+b"))
            self._lock(path)
            if restart:
                self._file.truncate(0)
            self._read(path, settings)
            close_on_error.pop_all()  # the file stays open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def entries(self) -> dict[str, Any]:
        """The entries of earlier runs, by key."""
        return dict(self._entries)

    def get(self, key: str) -> Any | None:
        """The entry of a key, or None."""
        return self._entries.get(key)

    def add(self, key: str, entry: Any) -> None:
        """Writes an entry, which has to be plain JSON; it survives this process from now on."""
        self._write({"key": key, "entry": entry})

    def close(self) -> None:
        """Syncs and closes the file; safe to call twice."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{path.parent}: another run is at work there; "
                "wait for it, or name another folder with --out"
            ) from error

    def _read(self, path: Path, settings: dict[str, Any]) -> None:
        lines = self._whole_lines()
        if not lines:
            self._file.truncate(0)
            self._write({"settings": settings})
        elif lines[0].get("settings") != settings:
            raise InputError(
                f"{path.parent}: was begun with other settings; "
                "go on with those, or start again with --force"
            )
        self._entries = _collect(lines)

    def _whole_lines(self) -> list[dict[str, Any]]:
        """The lines that can be read, in order; what follows the last whole one is cut off."""
        self._file.seek(0)
        content = self._file.read()
        length = content.rfind(b"\n") + 1
        self._file.truncate(length)
        return _parse_lines(content)

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        self._file.write(text.encode() + b"\n")
        self._file.flush()
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._unsynced = 0


def read_entries(path: Path) -> dict[str, Any]:
    """The entries of a log that is not in use; none where there is no log."""
    try:
        return _collect(_parse_lines(read_bounded(path, MAX_BYTES)))
    except OSError:
        return {}


def _check_own(path: Path) -> None:
    """Raises InputError where a link or another program's file has the log's name."""
    claim = Claim(_is_log, "move it away, or name another folder with --out")
    if path.is_symlink():
        raise claim.refuse(path, "is a link")
    check_file(path, claim)


def _is_log(sample: bytes) -> bool:
    return sample.startswith(_START[: len(sample)])


def _parse_lines(content: bytes) -> list[dict[str, Any]]:
    lines = [_parse_line(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
    return [line for line in lines if line]


def _collect(lines: list[dict[str, Any]]) -> dict[str, Any]:
    pairs = [(line.get("key"), line.get("entry")) for line in lines]
    return {key: entry for key, entry in pairs if isinstance(key, str)}


def _parse_line(line: bytes) -> dict[str, Any]:
    """A line's content, or {} where it is damaged."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
