"""What an image file is, by its content: its format, and the size of each image in it.

Nothing is decoded: a header tells what decoding would cost. The end of a file's name tells nothing.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coinsorter.errors import ImageError

JPEG, PNG, BMP, TIFF, WEBP = READ_FORMATS = "JPEG", "PNG", "BMP", "TIFF", "WebP"
#: Bytes from a file's begin that tell its format.
HEAD_BYTES = 32
#: How files of each format begin. Of these only `READ_FORMATS` are read.
_SIGNATURES = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\x00\x10\x00\x00\x00CR", "Canon raw"),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"FUJIFILMCCD-RAW", "Fujifilm raw"),
    (b"IIRO", "Olympus raw"),
    (b"IIU\x00", "Panasonic raw"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance"),
    (b"\x00\x00\x01\x00", "icon"),
    (b"qoif", "QOI"),
    (b"gimp xcf", "GIMP"),
)
#: Brands of ISO media files that hold images.
_BRANDS = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"hevc": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "Canon raw",
}
#: Endings of raw images, whose content resembles TIFF's: OpenCV would read the preview in them.
RAW_SUFFIXES = {
    ".dng",
    ".cr2",
    ".cr3",
    ".nef",
    ".nrw",
    ".arw",
    ".sr2",
    ".orf",
    ".rw2",
    ".raf",
    ".pef",
}
#: Pages of a TIFF, at most; a file whose pages lead round in a circle has more.
MAX_PAGES = 200
#: TIFF's tags (TIFF 6.0, section 8; DNG 1.7), and the sizes of its types of numbers.
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 254, 256, 257, 258, 262
_ORIENTATION, _CHANNELS, _EXTRA, _DNG = 274, 277, 338, 50706
#: Of the tag of the photometric interpretation: red, green, blue.
_RGB = 2
_TYPE_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
#: Entries of one of TIFF's tables that are looked at.
_MAX_TAGS = 500
#: A page that is a preview of another, or its mask.
_PREVIEW_OR_MASK = 1 | 4


@dataclass(frozen=True)
class ImagePage:
    """One image in a file, as the file's header tells it.

    number: its place in the file, from 0. bits: of each channel. orientation: as in EXIF, where the
    decoder does not heed it, else 1.
    """

    number: int
    width_px: int
    height_px: int
    channels: int = 3
    bits: int = 8
    has_alpha: bool = False
    orientation: int = 1


def find_format(head: bytes) -> str:
    """The format of an image file that begins with these bytes; "" where it is none."""
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "")
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return BMP
    is_netpbm = head[:1] == b"P" and head[1:2] in b"1234567" and head[2:3].isspace()
    return "Netpbm" if is_netpbm else ""


def read_pages(content: bytes) -> tuple[str, list[ImagePage]]:
    """The format of an image file, and the images in it: several in a TIFF only.

    Raises ImageError where it is of another format than `READ_FORMATS`, holds an animation, or its
    header is damaged.
    """
    if not content:
        raise ImageError("an empty file")
    name = find_format(content[:HEAD_BYTES])
    if not name:
        raise ImageError("no image, or a damaged one")
    if name not in READ_FORMATS:
        raise ImageError(describe_unread(name))
    try:
        pages = list(_READERS[name](content))
    except (struct.error, IndexError) as error:
        raise ImageError(f"a damaged {name} image: its header ends too soon") from error
    if not pages:
        raise ImageError(f"a damaged {name} image: it says no size")
    return name, pages


def describe_unread(name: str) -> str:
    """Why an image of a format is not read, and what to do."""
    return f"a {name} image is not read; save it as JPEG, PNG or TIFF"


def _read_jpeg(content: bytes) -> Iterator[ImagePage]:
    """ISO 10918-1, annex B: segments up to the frame header."""
    place, has_adobe_marker = 2, False
    while True:
        while content[place] != 0xFF:
            place += 1
        while content[place] == 0xFF:
            place += 1
        marker = content[place]
        (length,) = struct.unpack_from(">H", content, place + 1)
        has_adobe_marker |= marker == 0xEE and content[place + 3 : place + 8] == b"Adobe"
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            break
        place += 1 + max(length, 2)
    bits, height, width, channels = struct.unpack_from(">BHHB", content, place + 3)
    if channels == 4 and not has_adobe_marker:
        raise ImageError("a CMYK image that does not say how its inks are meant; save it as RGB")
    yield ImagePage(0, width, height, 3, bits)


def _read_png(content: bytes) -> Iterator[ImagePage]:
    """PNG (third edition), section 11: the header, and chunks up to the image itself."""
    width, height, bits, colour = struct.unpack_from(">IIBB", content, 16)
    chunks = dict(_list_png_chunks(content))
    if b"acTL" in chunks:
        raise ImageError("an animation; save the image that is meant as one of its own")
    has_alpha = colour in (4, 6) or b"tRNS" in chunks
    orientation = read_orientation(chunks.get(b"eXIf", b"")) if has_alpha else 1
    channels = 4 if has_alpha else 3
    yield ImagePage(0, width, height, channels, max(bits, 8), has_alpha, orientation)


def _list_png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of all chunks but the image itself."""
    place = 8
    while place + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, place)
        if name != b"IDAT":
            yield name, content[place + 8 : place + 8 + length]
        place += 12 + length


def _read_bmp(content: bytes) -> Iterator[ImagePage]:
    """The bitmap header of Windows (40 bytes and more), or of OS/2 (12 bytes)."""
    (size,) = struct.unpack_from("<I", content, 14)
    form = "<HH" if size == 12 else "<ii"
    width, height = struct.unpack_from(form, content, 18)
    yield ImagePage(0, abs(width), abs(height))


def _read_webp(content: bytes) -> Iterator[ImagePage]:
    """RFC 9649: an extended header, or the one of a lossy or lossless image."""
    chunk = content[12:16]
    if chunk == b"VP8X":
        yield _read_extended_webp(content)
    elif chunk == b"VP8L":
        (packed,) = struct.unpack_from("<I", content, 21)
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
        has_alpha = bool(packed >> 28 & 1)
        yield ImagePage(0, width, height, 4 if has_alpha else 3, has_alpha=has_alpha)
    elif chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        yield ImagePage(0, width & 0x3FFF, height & 0x3FFF)


def _read_extended_webp(content: bytes) -> ImagePage:
    flags = content[20]
    if flags & 0x02:
        raise ImageError("an animation; save the image that is meant as one of its own")
    width = 1 + int.from_bytes(content[24:27], "little")
    height = 1 + int.from_bytes(content[27:30], "little")
    has_alpha = bool(flags & 0x10)
    orientation = read_orientation(_find_webp_exif(content)) if has_alpha else 1
    return ImagePage(0, width, height, 4 if has_alpha else 3, 8, has_alpha, orientation)


def _find_webp_exif(content: bytes) -> bytes:
    place = 12
    while place + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, place)
        if name == b"EXIF":
            return content[place + 8 : place + 8 + length].removeprefix(b"Exif\0\0")
        place += 8 + length + length % 2
    return b""


def read_orientation(exif: bytes) -> int:
    """The orientation that EXIF data tell, 1 to 8; 1 where they tell none."""
    try:
        tags = next(_list_tiff_tables(exif), {})
    except struct.error:
        return 1
    orientation = tags.get(_ORIENTATION, 1)
    return orientation if 1 <= orientation <= 8 else 1


def _read_tiff(content: bytes) -> Iterator[ImagePage]:
    """TIFF 6.0, section 2: a chain of tables, one a page."""
    for number, tags in enumerate(_list_tiff_tables(content)):
        if _DNG in tags:
            raise ImageError(describe_unread("raw"))
        if tags.get(_SUBFILE, 0) & _PREVIEW_OR_MASK and number:
            continue
        channels, bits = tags.get(_CHANNELS, 1), max(tags.get(_BITS, 1), 8)
        _check_transparency(tags, channels)
        size = (tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0))
        yield ImagePage(number, *size, max(channels, 3), bits)


def _check_transparency(tags: Mapping[int, int], channels: int) -> None:
    """Raises ImageError for a transparent image: OpenCV does not read such a TIFF rightly."""
    colours = 3 if tags.get(_PHOTOMETRIC) == _RGB else 1
    is_grey_or_rgb = tags.get(_PHOTOMETRIC) in (0, 1, _RGB)
    if is_grey_or_rgb and channels == colours + 1 and tags.get(_EXTRA, 1):
        raise ImageError("a TIFF image with transparency; save it as PNG, or without transparency")


def _list_tiff_tables(content: bytes) -> Iterator[Mapping[int, int]]:
    """The first value of each tag, table by table. Raises struct.error where one is cut off."""
    order = ">" if content[:2] == b"MM" else "<"
    is_big = content[2:3] == b"+" or content[3:4] == b"+"
    count_form, entry_bytes, next_form = ("Q", 20, "Q") if is_big else ("H", 12, "I")
    (place,) = struct.unpack_from(order + next_form, content, 8 if is_big else 4)
    seen: set[int] = set()
    while place and place not in seen and len(seen) < MAX_PAGES:
        seen.add(place)
        (count,) = struct.unpack_from(order + count_form, content, place)
        first = place + struct.calcsize(count_form)
        places = range(first, first + entry_bytes * min(count, _MAX_TAGS), entry_bytes)
        yield dict(_read_tag(content, order, at, is_big) for at in places)
        (place,) = struct.unpack_from(order + next_form, content, first + entry_bytes * count)


def _read_tag(content: bytes, order: str, place: int, is_big: bool) -> tuple[int, int]:
    """A tag and the first of its values; 0 for values that are no whole numbers."""
    tag, kind = struct.unpack_from(order + "HH", content, place)
    count_form = "Q" if is_big else "I"
    (count,) = struct.unpack_from(order + count_form, content, place + 4)
    code = _TYPE_CODES.get(kind)
    if code is None:
        return tag, 0
    at = place + 4 + struct.calcsize(count_form)
    if count * struct.calcsize(code) > struct.calcsize(count_form):
        (at,) = struct.unpack_from(order + count_form, content, at)
    (value,) = struct.unpack_from(order + code, content, at)
    return tag, value


_READERS = {
    JPEG: _read_jpeg,
    PNG: _read_png,
    BMP: _read_bmp,
    WEBP: _read_webp,
    TIFF: _read_tiff,
}
