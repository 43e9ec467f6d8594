"""A ZIP with images: read where it lies, never unpacked.

One that leads out of itself or swells beyond reason is refused.
"""

import re
import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PurePosixPath

from coinsorter.errors import InputError
from coinsorter.images.image_folder import HIDDEN, describe_ending, is_hidden, is_image
from coinsorter.images.image_formats import HEAD_BYTES
from coinsorter.training.dataset.source_image import ZIP_ERRORS

# A ZIP bomb is a small file that swells. Photographs hardly shrink in a ZIP, drawn images as BMP a
# hundredfold, zeros a thousandfold.
MAX_MEMBERS = 100_000
#: Bytes of the ZIP's directory: each member has 46 and its name there.
MAX_DIRECTORY_BYTES = 32_000_000
#: Bytes unpacked; an image of 12 megapixels in 16 bits has 72 MB.
MAX_MEMBER_BYTES = 2**29
#: Bytes unpacked: 128 GiB.
MAX_TOTAL_BYTES = 2**37
#: Unpacked over packed size of the whole ZIP ...
MAX_RATIO = 200
#: ... where it has more bytes than this unpacked.
RATIO_FREE_BYTES = 2**26
#: Bytes of the record at a ZIP's end, and of the longest comment behind it.
_END_BYTES, _MAX_COMMENT_BYTES = 22, 65_535
_END_SIGNATURE, _BIG_SIGNATURE = b"PK\x05\x06", b"PK\x06\x06"


@dataclass(frozen=True)
class OpenedZip:
    """A ZIP and what is in it.

    images: names of its images, by the path below the ZIP's own that each is called by. tables:
    the same of its CSVs. passed_over: how many others there are, by ending.
    """

    archive: zipfile.ZipFile
    images: dict[Path, str]
    tables: dict[Path, str]
    passed_over: Counter[str]


def open_zip(source: Path, archives: ExitStack) -> OpenedZip:
    """A ZIP, open as long as `archives` is. Raises InputError where it is not to be trusted."""
    _check_directory(source)
    try:
        archive = archives.enter_context(zipfile.ZipFile(source))
    except (*ZIP_ERRORS, OSError, ValueError, struct.error) as error:
        raise InputError(f"{source}: is no ZIP that can be read: {error}; pack it again") from error
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        _check_member(source, member)
    _check_size(source, members)
    return _sort_members(source, archive, [member.filename for member in members])


def _check_directory(source: Path) -> None:
    """Refuses a ZIP whose directory alone would fill the memory; a damaged one is refused later."""
    with source.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_BYTES - _MAX_COMMENT_BYTES))
        end = file.read()
    place = end.rfind(_END_SIGNATURE)
    if place < 0 or len(end) < place + _END_BYTES:
        return
    count, directory_bytes = struct.unpack_from("<HI", end, place + 10)
    big = end.rfind(_BIG_SIGNATURE)
    if big >= 0 and len(end) >= big + 48:
        count, directory_bytes = struct.unpack_from("<QQ", end, big + 32)
    if count > MAX_MEMBERS or MAX_DIRECTORY_BYTES < directory_bytes < 0xFFFFFFFF:
        raise InputError(
            f"{source}: more than {MAX_MEMBERS} files in it, or names of "
            f"{directory_bytes / 1e6:.0f} MB; split it"
        )


def _sort_members(source: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> OpenedZip:
    opened = OpenedZip(archive, {}, {}, Counter())
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if is_hidden(path):
            opened.passed_over[HIDDEN] += 1
        elif path.suffix.lower() == ".csv":
            opened.tables[source / path] = name
        elif is_image(path, partial(_read_head, archive, name)):
            opened.images[source / path] = name
        else:
            opened.passed_over[describe_ending(path)] += 1
    return opened


def _read_head(archive: zipfile.ZipFile, name: str) -> bytes:
    """How a member begins; nothing where it cannot be read."""
    try:
        with archive.open(name) as file:
            return file.read(HEAD_BYTES)
    except (*ZIP_ERRORS, OSError):
        return b""


def find_table(source: PurePath, opened: OpenedZip) -> Path | None:
    """The CSV of a ZIP, or None. Raises InputError where there are several."""
    if len(opened.tables) > 1:
        raise InputError(
            f"{source}: holds {len(opened.tables)} CSV files; leave one that lists its images, or "
            "none"
        )
    return next(iter(opened.tables), None)


def _check_member(source: Path, member: zipfile.ZipInfo) -> None:
    """Refuses what leads out of the ZIP, links, what is locked, and what is too large."""
    where = f"{source}: {member.filename!r} in it"
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.filename):
        raise InputError(
            f"{source}: a path in it leads out of it: {member.filename!r}; nothing of it is used"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{where} is a link; pack the image itself")
    if member.flag_bits & 1:
        raise InputError(f"{where} is locked with a password; pack it without")
    if member.file_size > MAX_MEMBER_BYTES:
        size_mib = member.file_size / 2**20
        raise InputError(f"{where} swells to {size_mib:.0f} MiB, and no image needs that")


def _check_size(source: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuses ZIP bombs. Members cannot be larger than they claim: reading stops there."""
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if len(members) > MAX_MEMBERS or unpacked > MAX_TOTAL_BYTES:
        at_most = f"{MAX_MEMBERS} of {MAX_TOTAL_BYTES / 2**30:.0f} GiB"
        raise InputError(
            f"{source}: {len(members)} files of {unpacked / 2**30:.1f} GiB in it; "
            f"at most {at_most} are taken; split it"
        )
    if unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * packed:
        raise InputError(
            f"{source}: swells {unpacked / max(packed, 1):.0f} times when unpacked, "
            "as no images do; nothing of it is used"
        )
