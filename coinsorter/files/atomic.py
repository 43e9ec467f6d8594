"""Files and folders that are there whole or not at all, and take no other file's place."""

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from coinsorter.errors import InputError
from coinsorter.files.owned_folder import check_folder, keep_others_files, write_marker
from coinsorter.files.ownership import Claim, check_file, recognize_any

#: Names that are streams of this process, whatever they lead to, by their descriptors.
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
#: Bytes of endings that the name of an unfinished file keeps; libraries choose formats by them.
_MAX_SUFFIX_BYTES = 40


@contextmanager
def replace_file(path: Path, claim: Claim) -> Iterator[Path]:
    """A path to write a file to, which takes the place of `path` when all went well.

    It lies in the same folder, so that it is renamed and not copied, and has the same endings, by
    which some libraries choose the format. claim: what it may take the place of. Raises InputError
    where it may not, and OSError where it cannot be written or renamed.
    """
    place = check_file(path, claim)
    part = _create_part(place)
    try:
        yield part
        flush_file(part)
        _take_place(part, path, claim)
    finally:
        part.unlink(missing_ok=True)


def _create_part(place: Path) -> Path:
    """A new empty file beside another; never one that is there already."""
    endings = "".join(place.suffixes)
    if len(os.fsencode(endings)) > _MAX_SUFFIX_BYTES:
        endings = ""
    part = place.with_name(f".coinsorter-{secrets.token_hex(8)}{endings}")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    return part


def _take_place(part: Path, path: Path, claim: Claim) -> None:
    """Renames a finished file, unless another that must stay has come to its place meanwhile."""
    place = check_file(path, claim)
    if place.exists():
        shutil.copymode(place, part)
        part.replace(place)
    else:
        _link_or_rename(part, place, path, claim)
    flush_file(place.parent)


def _link_or_rename(part: Path, place: Path, path: Path, claim: Claim) -> None:
    try:
        os.link(part, place)
    except FileExistsError as error:
        raise claim.refuse(path, "was made by another program meanwhile") from error
    except OSError:  # this file system has no hard links, such as FAT
        part.replace(place)


def flush_file(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def write_file(path: Path, claim: Claim) -> Iterator[TextIO]:
    """A UTF-8 text file to write to, which takes the place of `path` when all went well.

    It is on the disk before it takes that place. A link is followed; a device or a pipe is written
    to as it is. claim: what it may take the place of. Raises InputError where it may not, or where
    the file cannot be written.
    """
    try:
        if _is_stream(path):
            with _open_stream(path) as file:
                yield file
        else:
            with replace_file(path, claim) as new, _open_text(new) as file:
                yield file
                file.flush()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be written: {reason}; {claim.remedy}") from error


def check_output(path: Path, claim: Claim) -> None:
    """Raises InputError early where `write_file` would: before the long work for its content."""
    if not _is_stream(path):
        check_file(path, claim)


def _is_stream(path: Path) -> bool:
    if str(path) in _STREAMS:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _open_stream(path: Path) -> TextIO:
    """A device or pipe; OSError for a pipe that nothing reads from, which would be waited for."""
    if str(path) in _STREAMS:
        descriptor = os.dup(_STREAMS[str(path)])
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _open_text(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="")


@contextmanager
def replace_folder(path: Path, claim: Claim) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `path` when all went well.

    Else nothing is changed. What was not the command's own in the old folder is in the new one too.
    claim: what it may take the place of. Raises InputError where it may not, or where it cannot be
    written.
    """
    try:
        place = check_folder(path, claim)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".coinsorter-", dir=place.parent) as spare:
            new, old = Path(spare) / "new", Path(spare) / "old"
            new.mkdir()
            yield new
            write_marker(new)
            check_folder(path, claim)
            if place.is_dir():
                keep_others_files(place, new, path, claim)
            _swap(place, new, old)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{path}: cannot be written: {reason}; nothing was changed there"
        ) from error


def _swap(place: Path, new: Path, old: Path) -> None:
    """Puts a new folder into a place; the old one is back there where that fails."""
    if place.exists():
        place.replace(old)
    try:
        new.replace(place)
    except OSError:
        if old.exists():
            old.replace(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


#: For names in hidden folders that hold a command's own unfinished work.
OWN_WORK = Claim(recognize_any, "remove it")
