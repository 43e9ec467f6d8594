"""Whose a file is: no output takes the place of what its command did not make.

Files are compared by device and inode after links are followed, so that links, hard links and names
that differ only in case are the same file.
"""

import fcntl
import os
import stat
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from coinsorter.errors import InputError
from coinsorter.files.bounded import FILE_KINDS, open_plain, read_bounded

#: By a file's first and last bytes: whether it is an earlier output of the same kind.
Recognize: TypeAlias = Callable[[bytes], bool]

#: Bytes of a file by which it is recognized, at its beginning and at its end.
HEAD_BYTES = 4096
TAIL_BYTES = 256

#: How every SQLite file begins. Source: sqlite.org/fileformat.html, section 1.3.1.
_SQLITE_HEADER = b"SQLite format 3\0"
#: How a write-ahead log begins, either byte order. Source: the same, section 4.1.
_WAL_HEADERS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
#: What SQLite appends to the name of a file for its journals.
_JOURNAL_SUFFIXES = ("-wal", "-shm", "-journal")
#: The bytes of a file that SQLite locks. Source: os.h of SQLite, PENDING_BYTE and what follows.
_SQLITE_LOCK_START = 0x40000000
_SQLITE_LOCK_BYTES = 512
#: struct flock of fcntl(2): kind, whence, start, length, process; padded to a multiple of 8.
_FLOCK = struct.Struct("@hhqqi0q")
#: Sections that a settings file has.
_SETTINGS_SECTIONS = (b"\nbelt:", b"\nbins:", b"\ncamera:")


def recognize_none(sample: bytes) -> bool:
    """Recognizes no file: an output of this kind never replaces another."""
    return False


def recognize_any(sample: bytes) -> bool:
    """Recognizes every file: for names in a folder that holds outputs of this kind only."""
    return True


def recognize_start(*starts: bytes) -> Recognize:
    """Recognizes files by how they begin."""
    return lambda sample: sample.startswith(starts)


def recognize_mark(maker: str) -> Recognize:
    """Recognizes files that bear the mark of their maker; see `make_mark`."""
    mark = make_mark(maker)
    return lambda sample: mark in sample


def make_mark(maker: str) -> bytes:
    """The mark by which the outputs of one maker are known."""
    return f"made-by:coinsorter:{maker}".encode()


@dataclass(frozen=True)
class Claim:
    """What an output may take the place of.

    is_own: recognizes earlier outputs of the same kind; they are replaced. remedy: what messages
    advise. inputs: files and folders that the command reads; it never replaces them. force: whether
    files of others are replaced too; None where the command has no `--force`. expected: the content
    of the one file that is replaced, for a command that changes it.
    """

    is_own: Recognize = recognize_none
    remedy: str = "name another file"
    inputs: tuple[Path, ...] = ()
    force: bool | None = None
    expected: bytes | None = None

    def spare(self, *inputs: Path | None) -> "Claim":
        """The same claim with more inputs."""
        more = tuple(path for path in inputs if path is not None)
        return replace(self, inputs=(*self.inputs, *more))

    def refuse(self, path: Path, fault: str, can_force: bool = True) -> InputError:
        """The error that says why a path is not replaced, and what to do."""
        by_force = ", or add --force" if can_force and self.force is not None else ""
        return InputError(f"{path}: {fault} and is not replaced; {self.remedy}{by_force}")


def check_file(path: Path, claim: Claim) -> Path:
    """Where a file is to be written, links followed. Raises InputError where another must stay."""
    place = follow_link(path)
    status = _read_status(place)
    if _is_journal(place):
        raise claim.refuse(path, "is the journal of a ledger", can_force=False)
    if status is None:
        return place
    if claim.expected is not None:
        _check_unchanged(path, place, claim)
        return place
    _check_inputs(path, place, claim)
    if not stat.S_ISREG(status.st_mode):
        kind = FILE_KINDS.get(stat.S_IFMT(status.st_mode), "no plain file")
        raise InputError(f"{path}: cannot be written: it is {kind}; {claim.remedy}")
    fault = _find_lasting_fault(place)
    if fault:
        raise claim.refuse(path, fault, can_force=False)
    sample = read_sample(place)
    fault = "" if claim.force else _find_fault(sample, status, claim)
    if fault:
        raise claim.refuse(path, fault)
    return place


def follow_link(path: Path) -> Path:
    """Where a path leads. Raises InputError for links that lead to each other."""
    _read_status(path)
    return Path(os.path.realpath(path))


def is_ledger(path: Path) -> bool:
    """Whether a file holds an SQLite database, such as a ledger, or its write-ahead log."""
    return _holds_ledger(read_sample(path))


def is_ledger_in_use(path: Path) -> bool:
    """Whether an SQLite database is open in some process.

    One that reads or writes in WAL mode holds a lock for as long as it is connected.
    """
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _SQLITE_LOCK_START, _SQLITE_LOCK_BYTES, 0)
    try:
        with open_plain(path) as file:
            lock = fcntl.fcntl(file, fcntl.F_OFD_GETLK, wanted)
    except OSError:
        return False
    return bool(_FLOCK.unpack(lock)[0] != fcntl.F_UNLCK)


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two names are of one file or folder."""
    statuses = (_read_status(one), _read_status(other))
    if None in statuses:
        return os.path.realpath(one) == os.path.realpath(other)
    return _identify(one) == _identify(other)


def is_within(path: Path, folder: Path) -> bool:
    """Whether a path is a folder, or lies in it at any depth."""
    place = Path(os.path.realpath(path))
    return any(is_same_file(above, folder) for above in (place, *place.parents))


def overlaps(one: Path, other: Path) -> bool:
    """Whether two paths are one, or one lies in the other."""
    return is_within(one, other) or is_within(other, one)


def read_sample(path: Path) -> bytes:
    """A file's first and last bytes; none where it cannot be read."""
    try:
        with open_plain(path) as file:
            head = file.read(HEAD_BYTES)
            size = os.fstat(file.fileno()).st_size
            file.seek(max(HEAD_BYTES, size - TAIL_BYTES))
            return head + file.read(TAIL_BYTES)
    except OSError:
        return b""


def _check_unchanged(path: Path, place: Path, claim: Claim) -> None:
    try:
        content = read_bounded(place, len(claim.expected or b""))
    except OSError:
        content = None
    if content != claim.expected:
        raise claim.refuse(path, "was changed by another program meanwhile", can_force=False)


def _check_inputs(path: Path, place: Path, claim: Claim) -> None:
    for source in claim.inputs:
        if is_within(place, source):
            raise claim.refuse(path, "is read by this command", can_force=False)


def _find_lasting_fault(place: Path) -> str:
    """Why a file is never replaced, not by `--force` either; empty where it may be."""
    sample = read_sample(place)
    if _holds_settings(sample):
        return "is a settings file"
    if _holds_ledger(sample) and is_ledger_in_use(place):
        return "is a ledger in use"
    return ""


def _find_fault(sample: bytes, status: os.stat_result, claim: Claim) -> str:
    if _holds_ledger(sample):
        return "is a ledger"
    if not status.st_size or claim.is_own(sample):
        return ""
    return "is a file that this command did not make"


def _holds_ledger(sample: bytes) -> bool:
    return sample.startswith((_SQLITE_HEADER, *_WAL_HEADERS))


def _holds_settings(sample: bytes) -> bool:
    lines = b"\n" + sample.replace(b"\r\n", b"\n")
    return all(section in lines for section in _SETTINGS_SECTIONS)


def _is_journal(place: Path) -> bool:
    """Whether SQLite takes a name for a journal of a file beside it."""
    for suffix in _JOURNAL_SUFFIXES:
        if place.name.endswith(suffix) and place.name != suffix:
            owner = place.with_name(place.name.removesuffix(suffix))
            return owner.is_file()
    return False


def _read_status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}; name another") from error


def _identify(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def first_overlap(path: Path, sources: Iterable[Path | None]) -> Path | None:
    """The first of some paths that a path is, lies in, or holds; None where there is none."""
    for source in sources:
        if source is not None and overlaps(path, source):
            return source
    return None
