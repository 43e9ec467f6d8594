"""When a camera took an image, by the EXIF data in its file: for names that hold a count only."""

import calendar
import re
import struct
from collections.abc import Iterator

#: Bytes of a file's begin that hold its EXIF data: a JPEG's segments have up to 64 KiB each.
EXIF_HEAD_BYTES = 200_000
#: EXIF 2.32, tables 4 and 7: where the table of the exposure is, and tags of the time in it.
_EXPOSURE_TABLE, _TAKEN, _SUBSECOND = 34665, 36867, 37521
_DATE_AND_TIME = re.compile(rb"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
#: Bytes of an entry of a table, and entries of one table that are looked at.
_ENTRY_BYTES, _MAX_ENTRIES = 12, 200
#: Bytes of a value that is in its entry; longer ones are elsewhere.
_INLINE_BYTES = 4


def read_exif_taken_s(head: bytes) -> float | None:
    """When a JPEG was taken, in seconds on a clock without a time zone; None where it says nothing.

    head: how its file begins.
    """
    exif = _find_exif(head)
    order = ">" if exif[:2] == b"MM" else "<"
    try:
        (first,) = struct.unpack_from(order + "I", exif, 4)
        entries = dict(_list_entries(exif, order, first))
        (exposure,) = struct.unpack(order + "I", entries[_EXPOSURE_TABLE])
        entries = dict(_list_entries(exif, order, exposure))
    except (struct.error, KeyError):
        return None
    return _parse_time(entries.get(_TAKEN, b""), entries.get(_SUBSECOND, b""))


def _find_exif(head: bytes) -> bytes:
    """The EXIF data of a JPEG, which is a TIFF without an image; nothing where there are none."""
    place = 2
    while head[:2] == b"\xff\xd8" and place + 4 <= len(head) and head[place] == 0xFF:
        marker, length = struct.unpack_from(">BH", head, place + 1)
        if marker == 0xE1 and head[place + 4 : place + 10] == b"Exif\0\0":
            return head[place + 10 : place + 2 + length]
        place += 2 + max(length, 2)
    return b""


def _list_entries(exif: bytes, order: str, place: int) -> Iterator[tuple[int, bytes]]:
    """Tags of a table with their values. Raises struct.error where it is cut off."""
    (count,) = struct.unpack_from(order + "H", exif, place)
    for number in range(min(count, _MAX_ENTRIES)):
        at = place + 2 + _ENTRY_BYTES * number
        tag, _, length = struct.unpack_from(order + "HHI", exif, at)
        value_at = at + 8
        if length > _INLINE_BYTES:  # only texts are read that are longer: a byte a letter
            (value_at,) = struct.unpack_from(order + "I", exif, value_at)
        yield tag, exif[value_at : value_at + max(length, _INLINE_BYTES)]


def _parse_time(taken: bytes, subsecond: bytes) -> float | None:
    match = _DATE_AND_TIME.match(taken)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    digits = subsecond.split(b"\0")[0].strip()
    fraction = float(b"0." + digits) if digits.isdigit() else 0.0
    return calendar.timegm((year, month, day, hour, minute, second)) + fraction
