"""image_formats: content tells what a file is, and what decoding it would cost."""

import struct

import numpy as np
import pytest

from coinsorter.errors import ImageError
from coinsorter.images.image_formats import (
    MAX_PAGES,
    ImagePage,
    find_format,
    read_orientation,
    read_pages,
)
from tests.unit.image_files import add_png_chunk, encode, exif, smooth_image

RGB = smooth_image(20, 30)


@pytest.mark.parametrize(
    "suffix, name",
    [(".jpg", "JPEG"), (".png", "PNG"), (".bmp", "BMP"), (".tif", "TIFF"), (".webp", "WebP")],
)
def test_a_format_that_is_read_tells_its_size(suffix, name):
    content = encode(suffix, RGB)
    assert find_format(content[:32]) == name
    found, pages = read_pages(content)
    assert (found, len(pages)) == (name, 1)
    assert (pages[0].width_px, pages[0].height_px, pages[0].bits) == (30, 20, 8)


@pytest.mark.parametrize(
    "head, name",
    [
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"\0\0\0\x18ftypcrx ", "Canon raw"),
        (b"II*\0\x10\0\0\0CR\x02\0", "Canon raw"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"P5\n640 480", "Netpbm"),
        (b"8BPS\0\x01", "Photoshop"),
    ],
)
def test_a_format_that_is_not_read_is_named(head, name):
    assert find_format(head) == name
    with pytest.raises(ImageError, match=f"a {name} image is not read; save it as JPEG"):
        read_pages(head + bytes(40))


@pytest.mark.parametrize("head", [b"", b"<html>", b"%PDF-1.7", b"PK\x03\x04", b"BMW 320", b"P5e"])
def test_what_is_no_image_has_no_format(head):
    assert find_format(head) == ""


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_a_header_cut_off_anywhere_is_damage(suffix):
    content = encode(suffix, RGB)
    for length in range(0, 60, 3):
        try:
            _, pages = read_pages(content[:length])
        except ImageError:
            continue
        assert pages[0].width_px == 30, "whole headers only are believed"


@pytest.mark.parametrize("bits, kind", [(8, np.uint8), (16, np.uint16), (32, np.float32)])
def test_a_tiff_tells_the_bits_of_its_levels(bits, kind):
    _, (page,) = read_pages(encode(".tif", RGB[..., 0].astype(kind)))
    assert page.bits == bits


def tiff_chain(count: int, leads_back: bool = False) -> bytes:
    """A TIFF of tables only, each of one pixel."""
    content = b"II*\0\x08\0\0\0"
    for number in range(count):
        tags = struct.pack("<HHIIHHII", 256, 3, 1, 1, 257, 3, 1, 1)
        after = len(content) + 2 + len(tags) + 4
        last = 8 if leads_back else 0
        following = after if number < count - 1 else last
        content += struct.pack("<H", 2) + tags + struct.pack("<I", following)
    return content


def test_pages_are_counted_and_never_endlessly():
    assert len(read_pages(tiff_chain(3))[1]) == 3
    assert len(read_pages(tiff_chain(3, leads_back=True))[1]) == 3
    assert len(read_pages(tiff_chain(MAX_PAGES + 50))[1]) == MAX_PAGES


def test_a_preview_is_no_page():
    content = bytearray(tiff_chain(2))
    second = len(tiff_chain(1))
    struct.pack_into("<HHII", content, second + 2, 254, 4, 1, 1)
    assert [page.number for page in read_pages(bytes(content))[1]] == [0]


def test_animations_are_refused():
    png = add_png_chunk(encode(".png", RGB), b"acTL", struct.pack(">II", 2, 0))
    webp = b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + bytes(30)
    for content in (png, webp):
        with pytest.raises(ImageError, match="an animation"):
            read_pages(content)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_exif_tells_the_orientation(orientation):
    assert read_orientation(exif(orientation)) == orientation


@pytest.mark.parametrize("content", [b"", b"II*\0", exif(6)[:15], exif(99), bytes(200)])
def test_exif_that_tells_none_is_upright(content):
    assert read_orientation(content) == 1


def test_transparency_is_told():
    rgba = np.dstack([RGB, RGB[..., :1]])
    assert read_pages(encode(".png", rgba))[1] == [ImagePage(0, 30, 20, 4, 8, has_alpha=True)]
    with pytest.raises(ImageError, match="a TIFF image with transparency"):
        read_pages(encode(".tif", rgba))
