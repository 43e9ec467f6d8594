"""The content of an image file -> pixels as a person sees them, or why they are not read.

Deep images are brought to 8 bits, transparent ones laid on white, turned ones turned upright.
"""

import cv2
import numpy as np

from coinsorter.errors import ImageError
from coinsorter.images.decoder_messages import DecoderMessages
from coinsorter.images.image_formats import TIFF, ImagePage, read_pages

#: Pixels of an image, at most: 27 megapixels take 81 MB, and preparing a data set 300 MB in all.
MAX_PIXELS = 27_000_000
#: Bytes that an image is unpacked to, at most; each channel of more than 8 bits has two or four.
MAX_UNPACKED_BYTES = 3 * MAX_PIXELS
#: Bytes of an image file, at most: 12 megapixels in three channels of 16 bits have 72 MB.
MAX_FILE_BYTES = 80_000_000
#: Bits that cameras and their files have.
_DEPTHS = 8, 10, 12, 14, 16
#: Rows that are worked on at once, so that no second image is in memory.
_ROWS = 256


def decode_page(content: bytes, number: int = 0) -> np.ndarray:
    """One of a file's images as uint8 (h, w, 3) RGB, the right way up.

    number: which of its pages, from 0. Raises ImageError that says why it is not read: of a format
    that is not read, too large, damaged.
    """
    name, pages = read_pages(content)
    if number >= len(pages):
        raise ImageError(f"it has {len(pages)} pages")
    page = pages[number]
    _check_size(page)
    with DecoderMessages() as messages:
        pixels = _decode(content, name, page)
    damage = messages.find_damage()
    if pixels is None or damage:
        raise ImageError(f"a damaged {name} image" + (f": {damage}" if damage else ""))
    return _finish(pixels, page)


def _check_size(page: ImagePage) -> None:
    pixels = page.width_px * page.height_px
    if not pixels:
        raise ImageError("a damaged image: it says no size")
    megapixels = f"{pixels / 1e6:.0f} megapixels"
    if pixels > MAX_PIXELS:
        at_most = f"at most {MAX_PIXELS / 1e6:.0f} are read"
        raise ImageError(f"{megapixels}; {at_most}: make it smaller")
    unpacked = pixels * page.channels * page.bits // 8
    if unpacked > MAX_UNPACKED_BYTES:
        at_most = f"at most {MAX_UNPACKED_BYTES / 1e6:.0f} MB are read"
        raise ImageError(
            f"{megapixels} of {page.channels} x {page.bits} bits have {unpacked / 1e6:.0f} MB; "
            f"{at_most}: make it smaller, or save it in 8 bits"
        )


def _decode(content: bytes, name: str, page: ImagePage) -> np.ndarray | None:
    """Pixels in OpenCV's order and of any depth; None where it cannot read them."""
    flags = _choose_flags(page)
    raw = np.frombuffer(content, np.uint8)
    try:
        if name == TIFF and page.number:
            intact, images = cv2.imdecodemulti(raw, flags, range=(page.number, page.number + 1))
            return images[0] if intact and images else None
        return cv2.imdecode(raw, flags)
    except cv2.error:
        return None


def _choose_flags(page: ImagePage) -> int:
    """OpenCV heeds the orientation unless it is to leave the channels as they are."""
    if page.has_alpha or page.bits > 16:
        return cv2.IMREAD_UNCHANGED
    return cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH if page.bits > 8 else cv2.IMREAD_COLOR


def _finish(pixels: np.ndarray, page: ImagePage) -> np.ndarray:
    scale = _choose_scale(pixels)
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        _swap_channels(pixels)
        rgb = pixels
    else:
        rgb = np.empty((*pixels.shape[:2], 3), np.uint8)
        for rows in _blocks(pixels):
            rgb[rows] = _convert(pixels[rows], scale)
    return turn_upright(rgb, page.orientation)


def _blocks(pixels: np.ndarray) -> list[slice]:
    return [slice(row, row + _ROWS) for row in range(0, len(pixels), _ROWS)]


def _swap_channels(pixels: np.ndarray) -> None:
    for rows in _blocks(pixels):
        pixels[rows] = cv2.cvtColor(pixels[rows], cv2.COLOR_BGR2RGB)


def _convert(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Some rows as uint8 (n, w, 3) RGB. scale: grey levels of 8 bits in one of theirs."""
    if pixels.ndim == 2:
        return np.repeat(_reduce(pixels, scale)[..., None], 3, axis=2)
    rgb = _reduce(pixels[..., 2::-1], scale)
    if pixels.shape[2] < 4:
        return rgb
    alpha = _reduce(pixels[..., 3:], 1 if pixels.dtype == np.uint8 else 1 / 256).astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _reduce(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Levels of any kind in 8 bits: cut off, as OpenCV does with 16 bits."""
    return pixels if pixels.dtype == np.uint8 else (pixels * scale).clip(0, 255).astype(np.uint8)


def _choose_scale(pixels: np.ndarray) -> float:
    """Grey levels of 8 bits in one of the image's, by the levels that are in use.

    Cameras of 10, 12 and 14 bits are kept in files of 16. Raises ImageError for levels that are no
    numbers, or negative.
    """
    if pixels.dtype == np.uint8:
        return 1.0
    colours = pixels[..., :3] if pixels.ndim == 3 else pixels
    low, high = float(colours.min()), float(colours.max())
    if not (low >= 0 and high < np.inf):
        raise ImageError("its levels are not all numbers from 0 up; save it in 8 or 16 bits")
    if pixels.dtype.kind == "f" and high <= 1:
        return 255.0
    bits = next((bits for bits in _DEPTHS if high < 2**bits), None)
    if bits is None:
        return 255 / high
    return float(2.0 ** (8 - bits))


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """An image (h, w, 3) as its orientation in EXIF, 1 to 8, says that it is to be seen."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
