"""What of a long piece of work is finished, on disk: an append-only file, a line each, so that a killed run continues where it was."""

import fcntl
import json
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coinsorter.errors import InputError

SYNC_EVERY = 50  # lines: what a power cut can cost; a killed process costs none


class ResumeLog:
    """Entries by key, as far as a former run of the same settings got; of two with one key the later counts.

    anew: former entries are forgotten. Raises InputError where another process is at it, and where it was begun with other settings. A torn
    last line is dropped.
    """

    def __init__(self, path: Path, settings: dict[str, Any], anew: bool = False) -> None:
        self._entries: dict[str, Any] = {}
        self._unsynced = 0
        with ExitStack() as undone:
            self._file = undone.enter_context(path.open("a+b"))
            self._lock(path)
            if anew:
                self._file.truncate(0)
            self._read(path, settings)
            undone.pop_all()  # the file stays open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, key: str) -> Any | None:
        """The entry of a key, or None."""
        return self._entries.get(key)

    def add(self, key: str, entry: Any) -> None:
        """Writes an entry, which has to be plain JSON; it survives this process from now on."""
        self._write({"key": key, "entry": entry})

    def close(self) -> None:
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{path.parent}: another run is at work there; wait for it, or name another folder with --out"
            ) from error

    def _read(self, path: Path, settings: dict[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        self._file.truncate(whole)
        lines = [line for line in map(_parsed, content[:whole].splitlines()) if line]
        if not lines:
            self._file.truncate(0)
            self._write({"settings": settings})
        elif lines[0].get("settings") != settings:
            raise InputError(
                f"{path.parent}: was begun with other settings; go on with those, or start anew with --force"
            )
        self._entries = {line["key"]: line["entry"] for line in lines if "key" in line}

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(
            json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        )
        self._file.flush()
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._unsynced = 0


def _parsed(line: bytes) -> dict[str, Any]:
    """A line's content, or {} where it is damaged."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
