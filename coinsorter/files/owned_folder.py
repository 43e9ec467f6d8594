"""Folders that a command makes: which files in them are its own, and that others' are kept.

A marker in the folder lists what the command wrote. What is not in the list, or was changed since,
is of others.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from coinsorter.errors import InputError
from coinsorter.files.bounded import read_bounded
from coinsorter.files.ownership import Claim, first_overlap, follow_link

#: The file that lists what is the command's own.
MARKER = ".coinsorter-made.json"
#: Bytes that a marker may have; one of ours has some hundred a file.
MAX_MARKER_BYTES = 1_000_000


def check_folder(path: Path, claim: Claim) -> Path:
    """Where a folder is to be written, links followed.

    Raises InputError where there is something that the command did not make: a file, a folder
    without its marker, or files of its own that were changed since.
    """
    place = follow_link(path)
    if place.exists() and not place.is_dir():
        raise claim.refuse(path, "is a file", can_force=False)
    source = first_overlap(place, claim.inputs)
    if source is not None:
        raise claim.refuse(path, f"is, holds or lies in {source}, which is read", can_force=False)
    if place.is_dir() and not claim.force:
        _check_contents(path, place, claim)
    return place


def is_made(folder: Path) -> bool:
    """Whether a folder bears the marker of one that a command made."""
    return bool(_read_marker(folder))


def write_marker(folder: Path) -> None:
    """Lists all files of a new folder as the command's own."""
    digests = {
        name: _hash_file(folder / name) for name in _list_entries(folder) if _is_plain(folder, name)
    }
    digests.pop(MARKER, None)
    text = json.dumps({"made_by": "coinsorter", "files": digests}, indent=1, sort_keys=True)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def keep_others_files(old: Path, new: Path, path: Path, claim: Claim) -> None:
    """Brings what is not the command's own from a folder into the one that takes its place.

    Raises InputError where the new folder has another file of that name, unless by `--force`.
    """
    for name in _list_others_files(old):
        source, target = old / name, new / name
        if source.is_dir() and not source.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        elif not os.path.lexists(target):
            _copy(source, target)
        elif not claim.force and not _is_alike(source, target):
            raise claim.refuse(path / name, "is a file that this command did not make")


def _check_contents(path: Path, place: Path, claim: Claim) -> None:
    try:
        names = list(_list_entries(place))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; name another") from error
    own = _read_marker(place)
    if names and not own:
        raise claim.refuse(path, "holds something that this command did not make")
    for name, digest in own.items():
        if _is_plain(place, name) and _hash_file(place / name) != digest:
            raise claim.refuse(path / name, "was changed since this command made it")


def _list_others_files(folder: Path) -> Iterator[str]:
    own = _read_marker(folder)
    for name in _list_entries(folder):
        is_own = name == MARKER or (
            _is_plain(folder, name) and own.get(name) == _hash_file(folder / name)
        )
        if not is_own:
            yield name


def _list_entries(folder: Path) -> Iterator[str]:
    """What is in a folder at any depth, by its path there; folders before what is in them."""
    for place, folders, files in os.walk(folder, onerror=_raise):
        for name in (*folders, *files):
            yield os.path.relpath(Path(place) / name, folder)


def _raise(error: OSError) -> None:
    raise error


def _is_plain(folder: Path, name: str) -> bool:
    path = folder / name
    return path.is_file() and not path.is_symlink()


def _read_marker(folder: Path) -> dict[str, str]:
    """Digests by name; none where there is no marker."""
    try:
        content = json.loads(read_bounded(folder / MARKER, MAX_MARKER_BYTES))
        files = content["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _hash_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""  # which no marker lists


def _is_alike(one: Path, other: Path) -> bool:
    plain = not one.is_symlink() and one.is_file()
    return plain and _hash_file(one) == _hash_file(other) != ""


def _copy(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
