"""Files by paths as other systems write them: backslashes, drives, other case, other Unicode."""

import os
import posixpath
import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

#: A path on a drive or a share of Windows.
_WINDOWS_ROOT = re.compile(r"^([A-Za-z]:[\\/]*|[\\/]{2}[^\\/]+[\\/]+)")
#: Folders whose listings are kept.
_MAX_FOLDERS = 256


def list_readings(path: str) -> Iterator[str]:
    """What a path may mean, the likeliest first, with slashes.

    A path on another computer's drive may mean any of its last parts, the longest first.
    """
    yield path
    slashed = path.replace("\\", "/")
    if slashed != path:
        yield slashed
    root = _WINDOWS_ROOT.match(path)
    if root:
        parts = slashed[root.end() :].split("/")
        yield from ("/".join(parts[first:]) for first in range(len(parts)))


def fold_name(name: str) -> str:
    """Equal for names that a system which minds neither case nor spelling takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


class FolderFiles:
    """Files by paths relative to a folder.

    base: the folder.
    """

    def __init__(self, base: Path) -> None:
        self._base = str(base)
        self._list = lru_cache(_MAX_FOLDERS)(_list_folded)

    def find(self, path: str) -> Path | None:
        """The file that a path means, or None."""
        for reading in list_readings(path):
            file = self._find_reading(reading)
            if file:
                return file
        return None

    def _find_reading(self, reading: str) -> Path | None:
        exact = posixpath.join(self._base, reading)
        if exists(exact):
            return Path(exact)
        current = "/" if reading.startswith("/") else self._base
        for part in reading.strip("/").split("/"):
            following = self._step(current, part)
            if following is None:
                return None
            current = following
        return Path(current)

    def _step(self, folder: str, part: str) -> str | None:
        """One part further; by strings, since a table has many lines and Path is slow."""
        if part in ("", "."):
            return folder
        following = posixpath.join(folder, part)
        if part == ".." or exists(following):
            return following
        names = self._list(folder).get(fold_name(part), [])
        return posixpath.join(folder, names[0]) if len(names) == 1 else None


def exists(path: str) -> bool:
    """Whether there is anything at a path, if only a link."""
    try:
        os.lstat(path)
    except (OSError, ValueError):
        return False
    return True


def _list_folded(folder: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    try:
        for path in Path(folder).iterdir():
            names.setdefault(fold_name(path.name), []).append(path.name)
    except (OSError, ValueError):
        return {}
    return names


class ArchiveFiles:
    """Members of an archive by paths relative to a folder in it.

    base: the folder's name there, "" for the archive itself. names: of all members.
    """

    def __init__(self, base: str, names: Collection[str]) -> None:
        self._base = base
        self._names = {name.replace("\\", "/"): name for name in names}
        self._folded: dict[str, list[str]] = {}
        for slashed, name in self._names.items():
            self._folded.setdefault(fold_name(slashed), []).append(name)

    def find(self, path: str) -> str | None:
        """The member that a path means, or None."""
        for reading in list_readings(path):
            name = posixpath.normpath(posixpath.join(self._base, reading.replace("\\", "/")))
            if name in self._names:
                return self._names[name]
            folded = self._folded.get(fold_name(name), [])
            if len(folded) == 1:
                return folded[0]
        return None

    def leads_out(self, path: str) -> bool:
        """Whether a path, as written, is of something outside the archive."""
        name = posixpath.normpath(posixpath.join(self._base, path.replace("\\", "/")))
        return name.startswith(("../", "/")) or name == ".."
