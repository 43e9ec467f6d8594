"""quality: what is no good is left out with its reason, and every kind of image file is read."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.vision.detect import Search, find_circles
from tests.unit.training.dataset.helpers import (
    EACH,
    as_crop,
    blurred,
    prepare,
    rows,
    write,
)


def two_coins(pixels):
    return np.hstack([pixels, pixels[:, ::-1]])


def belt(pixels):
    """A belt with a strap across and nothing on it."""
    empty = np.full((160, 200, 3), 90, np.uint8)
    empty[:, 80:120] = 140
    return empty


SPOILED = {
    "tiny": lambda pixels: cv2.resize(pixels, (31, 31), interpolation=cv2.INTER_AREA),
    "blank": lambda pixels: np.full_like(pixels, 90),
    "no-coin": belt,
    "several-coins": two_coins,
    "blurred": blurred,
}


@pytest.mark.parametrize("reason", SPOILED)
def test_what_is_no_good_is_left_out_with_its_reason(photographs, frames, reason):
    path = write("photographs/crown_20/spoiled_9000.png", SPOILED[reason](frames["crown_20"][0]))
    content = path.read_bytes()
    made = prepare(photographs)
    row = rows()["spoiled_9000.png"]
    assert (row.reason, row.image_file, row.split, row.label) == (
        reason,
        "",
        "",
        "crown_20",
    ) and row.detail
    assert made["counts"]["left_out"] == {reason: 1} and made["counts"]["kept"] == 2 * EACH
    assert path.read_bytes() == content


def test_a_coin_of_too_few_pixels_is_tiny(photographs, frames):
    small = cv2.resize(frames["bit_10"][0], None, fx=0.38, fy=0.38, interpolation=cv2.INTER_AREA)
    write(
        "photographs/bit_10/small_9000.png",
        cv2.copyMakeBorder(small, 40, 40, 40, 40, cv2.BORDER_REPLICATE),
    )
    prepare(photographs)
    row = rows()["small_9000.png"]
    assert row.reason == "tiny" and "10 pixels radius" in row.detail


UNREADABLE = {
    "empty.jpg": b"",
    "words.png": b"no picture at all",
    "header.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\x05IHDR" + bytes(30),
    "torn.png": None,
    "torn.jpg": None,
}


@pytest.mark.parametrize("name, content", UNREADABLE.items())
def test_what_cannot_be_read_is_left_out(photographs, frames, name, content):
    if content is None:
        whole = cv2.imencode(Path(name).suffix, frames["bit_10"][0][..., ::-1])[1].tobytes()
        content = whole[: len(whole) // 2]
    (photographs / "bit_10" / name).write_bytes(content)
    prepare(photographs)
    assert rows()[name].reason == "unreadable"


def test_an_image_of_a_format_that_is_not_read_is_not_passed_over(photographs, frames):
    Image.fromarray(frames["bit_10"][0]).save(photographs / "bit_10" / "phone.gif")
    (photographs / "bit_10" / "raw.nef").write_bytes(cv2.imencode(".tif", frames["bit_10"][0])[1])
    prepare(photographs)
    assert rows()["phone.gif"].detail == "a GIF image is not read; save it as JPEG, PNG or TIFF"
    assert rows()["raw.nef"].detail == "a raw image is not read; save it as JPEG, PNG or TIFF"


def test_a_image_that_claims_to_be_huge_is_not_unpacked(photographs):
    content = (photographs / "bit_10" / "b_1000.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", 30000, 30000) + content[24:29]
    (photographs / "bit_10" / "huge.png").write_bytes(
        content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    )
    prepare(photographs)
    row = rows()["huge.png"]
    assert row.reason == "unreadable" and "megapixels" in row.detail


def saved(image: Image.Image, name: str, **options) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


FORMATS = {
    "8 bit.bmp": lambda rgb, path: saved(Image.fromarray(rgb), path),
    "8 bit.tif": lambda rgb, path: saved(Image.fromarray(rgb), path),
    "8 bit.JPG": lambda rgb, path: saved(Image.fromarray(rgb), path, quality=98, subsampling=0),
    "16 bit.png": lambda rgb, path: cv2.imwrite(path, rgb[..., ::-1].astype(np.uint16) * 257),
    "16 bit.tiff": lambda rgb, path: cv2.imwrite(path, rgb[..., ::-1].astype(np.uint16) * 257),
    "cmyk.jpg": lambda rgb, path: saved(
        Image.fromarray(rgb).convert("CMYK"), path, quality=98, subsampling=0
    ),
    "cmyk.tif": lambda rgb, path: saved(Image.fromarray(rgb).convert("CMYK"), path),
    "palette.png": lambda rgb, path: saved(
        Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE, colors=256), path
    ),
    "alpha.png": lambda rgb, path: saved(Image.fromarray(rgb).convert("RGBA"), path),
    "lying.jpg": lambda rgb, path: saved(
        Image.fromarray(np.rot90(rgb).copy()), path, quality=98, subsampling=0, exif=orientation(6)
    ),
    "head down.png": lambda rgb, path: saved(
        Image.fromarray(rgb[::-1, ::-1].copy()), path, exif=orientation(3)
    ),
    "lossless.webp": lambda rgb, path: saved(Image.fromarray(rgb), path, lossless=True),
    "lying.tif": lambda rgb, path: saved(
        Image.fromarray(np.rot90(rgb, -1).copy()), path, exif=orientation(8)
    ),
}


@pytest.fixture
def crops(here, frames) -> Path:
    for label, images in frames.items():
        for number, pixels in enumerate(images[1:]):
            write(f"crops/{label}/{100 * number}.png", as_crop(pixels))
    return Path("crops")


@pytest.mark.parametrize("name", FORMATS)
def test_every_kind_of_image_is_read_rightly(crops, frames, name):
    rgb = as_crop(frames["crown_20"][0])[:-4].copy()  # not square, so that a turn shows
    FORMATS[name](rgb, str(crops / "crown_20" / name))
    prepare(crops, "--crops", "--group-by", "none")
    image = Dataset.load(Path("set")).read_image(rows()[name])
    assert image.dtype == np.uint8 and image.shape == rgb.shape
    assert np.abs(image.astype(int) - rgb).mean() < 2


@pytest.mark.parametrize("depth", [1, 257])
def test_grey_images_are_read_as_colour(crops, frames, depth):
    grey = cv2.cvtColor(as_crop(frames["crown_20"][0]), cv2.COLOR_RGB2GRAY)
    write(crops / "crown_20" / "grey.png", (grey.astype(np.uint16) * 257 if depth == 257 else grey))
    prepare(crops, "--crops", "--group-by", "none")
    assert (Dataset.load(Path("set")).read_image(rows()["grey.png"]) == grey[..., None]).all()


def test_a_ready_crop_without_an_outline_has_the_inscribed_circle(here, frames):
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            coin = as_crop(pixels)
            cut = round(0.2 * len(coin))
            write(f"crops/{label}/{100 * number}.png", coin[cut:-cut, cut:-cut])
    prepare("crops", "--crops")
    for row, pixels in Dataset.load(Path("set")):
        height, width = pixels.shape[:2]
        assert (row.quality, row.x_px, row.y_px) == (0, (width - 1) / 2, (height - 1) / 2)
        assert row.radius_px == pytest.approx(0.48 * min(height, width), abs=1e-3)


def test_beyond_the_border_of_a_photograph_its_edge_is_repeated(photographs, frames):
    pixels = np.rot90(frames["bit_10"][0]).copy()
    (coin,) = (c for c in find_circles(pixels, Search(20, 60, **LENIENT_SEARCH)) if c.quality)
    left = round(coin.x_px - 1.05 * coin.radius_px)
    write("photographs/bit_10/border_5000.png", pixels[:, left:])
    prepare(photographs)
    row = rows()["border_5000.png"]
    image = Dataset.load(Path("set")).read_image(row)
    beyond = round(row.x_px - row.frame_x_px)
    assert beyond > 10 and (image[:, :beyond] == image[:, beyond : beyond + 1]).all()
