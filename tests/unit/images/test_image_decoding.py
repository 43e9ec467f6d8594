"""image_decoding: an image is read as a person sees it, or it is said why not."""

import struct

import numpy as np
import pytest

from coinsorter.errors import ImageError
from coinsorter.images import image_decoding
from coinsorter.images.image_decoding import decode_page, turn_upright
from tests.unit.image_files import (
    add_jpeg_exif,
    add_png_chunk,
    encode,
    exif,
    png_chunk,
    resize_png_header,
    smooth_image,
)

RGB = smooth_image()
GREY = RGB[..., 0]
GREY_RGB = np.repeat(GREY[..., None], 3, axis=2)
ALPHA = np.zeros(GREY.shape, np.uint8)
ALPHA[10:50, 10:70] = 255
ALPHA[:, :20] //= 2
#: How to make an upright image one of an orientation: the inverse of `turn_upright`.
INVERSE = {6: 8, 8: 6}


def off_by(pixels: np.ndarray, wanted: np.ndarray) -> float:
    assert (pixels.dtype, pixels.shape) == (np.uint8, wanted.shape)
    return float(np.abs(pixels.astype(int) - wanted).mean())


def deepen(pixels: np.ndarray, bits: int) -> np.ndarray:
    """The same levels as a camera of so many bits gives them, in 16."""
    return (pixels.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_colours_and_greys_are_read_in_rgb(suffix):
    assert off_by(decode_page(encode(suffix, RGB)), RGB) < 3
    assert off_by(decode_page(encode(suffix, GREY)), GREY_RGB) < 3


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_levels_of_any_camera_are_stretched_to_what_is_in_use(bits, suffix):
    assert off_by(decode_page(encode(suffix, deepen(GREY, bits))), GREY_RGB) < 6
    assert off_by(decode_page(encode(suffix, deepen(RGB, bits))), RGB) < 6


def test_eight_bits_in_a_file_of_sixteen_are_eight_bits():
    assert off_by(decode_page(encode(".png", GREY.astype(np.uint16))), GREY_RGB) == 0


@pytest.mark.parametrize("scale", [1 / 255, 1, 257])
def test_fractions_are_read_whatever_one_is(scale):
    levels = GREY.astype(np.float32) * np.float32(scale)
    assert off_by(decode_page(encode(".tif", levels)), GREY_RGB) < 6
    assert off_by(decode_page(encode(".tif", np.dstack([levels] * 3))), GREY_RGB) < 6


@pytest.mark.parametrize("level", [np.nan, np.inf, -1])
def test_levels_that_are_no_numbers_from_0_up_are_refused(level):
    levels = GREY.astype(np.float32)
    levels[3, 3] = level
    with pytest.raises(ImageError, match="not all numbers from 0 up"):
        decode_page(encode(".tif", levels))


@pytest.mark.parametrize("kind, factor", [(np.uint8, 1), (np.uint16, 257)])
def test_what_is_transparent_is_white(kind, factor):
    hidden = RGB * (ALPHA > 0)[..., None]
    rgba = np.dstack([hidden, ALPHA]).astype(kind) * factor
    share = ALPHA[..., None] / 255
    wanted = np.round(hidden * share + 255 * (1 - share))
    assert off_by(decode_page(encode(".png", rgba)), wanted) < 1


def test_a_transparent_webp_is_laid_on_white():
    rgba = np.dstack([RGB, ALPHA])
    pixels = decode_page(encode(".webp", rgba, 64, 101))
    assert (pixels[:5, 30:] == 255).all() and off_by(pixels[15:45, 30:65], RGB[15:45, 30:65]) < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_is_turned_upright(orientation):
    stored = turn_upright(RGB, INVERSE.get(orientation, orientation))
    jpeg = add_jpeg_exif(encode(".jpg", stored, 1, 98), orientation)
    png = add_png_chunk(encode(".png", stored), b"eXIf", exif(orientation))
    opaque = np.dstack([stored, np.full(stored.shape[:2], 255, np.uint8)])
    rgba = add_png_chunk(encode(".png", opaque), b"eXIf", exif(orientation))
    assert [off_by(decode_page(each), RGB) < 3 for each in (jpeg, png, rgba)] == [True] * 3


@pytest.mark.parametrize("damage", [bytes(300), b"\xff" * 300, b"coin" * 75])
def test_a_jpeg_damaged_in_the_middle_is_refused(damage, capfd):
    content = bytearray(encode(".jpg", smooth_image(480, 640), 1, 98))
    middle = len(content) // 2
    content[middle : middle + len(damage)] = damage
    with pytest.raises(ImageError, match="a damaged JPEG image"):
        decode_page(bytes(content))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_image_that_is_cut_off_is_refused(suffix, share, capfd):
    content = encode(suffix, RGB)
    with pytest.raises(ImageError):
        decode_page(content[: int(share * len(content))])
    assert capfd.readouterr().err == ""


def test_a_jpeg_with_more_behind_it_is_whole():
    jpeg = encode(".jpg", RGB)
    assert (decode_page(jpeg + b"a phone's film" * 99) == decode_page(jpeg)).all()


def test_a_png_with_a_wrong_checksum_is_refused():
    content = bytearray(encode(".png", RGB))
    content[len(content) // 2] ^= 1
    with pytest.raises(ImageError, match="a damaged PNG image"):
        decode_page(bytes(content))


def test_a_cmyk_jpeg_without_a_mark_is_refused():
    frame = struct.pack(">HBHHB", 20, 8, 40, 40, 4) + bytes(12)
    with pytest.raises(ImageError, match="save it as RGB"):
        decode_page(b"\xff\xd8\xff\xc0" + frame)


@pytest.mark.parametrize("size", [(32_000, 32_000), (1, 27_000_001), (6_001, 4_501)])
def test_an_image_of_too_many_pixels_is_never_decoded(size, monkeypatch):
    monkeypatch.setattr(image_decoding, "_decode", None)
    with pytest.raises(ImageError, match="megapixels; at most 27 are read"):
        decode_page(resize_png_header(encode(".png", GREY), *size))


def test_deep_images_are_counted_in_bytes(monkeypatch):
    monkeypatch.setattr(image_decoding, "_decode", None)
    deep = resize_png_header(encode(".png", deepen(RGB, 16)), 5_000, 5_000)
    with pytest.raises(ImageError, match="of 3 x 16 bits have 150 MB; at most 81 MB are read"):
        decode_page(deep)


def test_a_page_that_is_not_there_is_refused():
    with pytest.raises(ImageError, match="1 pages"):
        decode_page(encode(".tif", RGB), 1)
    with pytest.raises(ImageError, match="it says no size"):
        decode_page(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", bytes(13)))
