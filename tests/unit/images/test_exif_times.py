"""exif_times: a camera's own time, where the name holds a count only."""

import struct

import pytest

from coinsorter.images.exif_times import read_exif_taken_s

#: 26 November 2026, 10:15:00.
MORNING_S = 1_795_688_100


def jpeg_taken(taken: str, subsecond: str = "", order: str = "<") -> bytes:
    """How a JPEG begins that a camera took then."""
    text = taken.encode() + b"\0"
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    exposure_at, text_at = 26, 26 + 2 + 2 * 12 + 4
    first = struct.pack(order + "HHHIII", 1, 34665, 4, 1, exposure_at, 0)
    entries = struct.pack(order + "HHHII", 2, 36867, 2, len(text), text_at)
    inline = subsecond.encode().ljust(4, b"\0")
    entries += struct.pack(order + "HHI", 37521, 2, len(subsecond)) + inline + bytes(4)
    exif = b"Exif\0\0" + head + first + entries + text
    other = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0".ljust(14, b"\0")
    return b"\xff\xd8" + other + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif


@pytest.mark.parametrize("order", "<>")
def test_a_camera_tells_when_it_took_an_image(order):
    taken = jpeg_taken("2026:11:26 10:15:00", "25", order)
    assert read_exif_taken_s(taken) == MORNING_S + 0.25
    assert read_exif_taken_s(jpeg_taken("2026:11:26 10:15:00")) == MORNING_S


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xda" + bytes(40),
        b"\x89PNG" + bytes(40),
        jpeg_taken("    :  :     :  :  "),
        jpeg_taken("0000:00:00 00:00:00"),
        jpeg_taken("2026:13:26 10:15:00"),
    ],
)
def test_what_tells_no_time_has_none(head):
    assert read_exif_taken_s(head) is None


def test_a_file_cut_off_anywhere_is_no_error():
    whole = jpeg_taken("2026:11:26 10:15:00", "25")
    for length in range(len(whole)):
        assert read_exif_taken_s(whole[:length]) in (None, MORNING_S + 0.25)
    for place in range(20, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        taken_s = read_exif_taken_s(bytes(damaged))
        assert taken_s is None or taken_s >= 0
