"""Image files: listed in the order they were taken, read, decoded, encoded and written.

Arrays are uint8 (height, width, 3) in RGB everywhere; only this module knows that OpenCV wants BGR.
"""

import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from coinsorter.errors import ImageError, InputError
from coinsorter.files.atomic import replace_file
from coinsorter.files.bounded import read_bounded
from coinsorter.files.ownership import Claim, make_mark
from coinsorter.images.image_decoding import MAX_FILE_BYTES, decode_page
from coinsorter.images.image_folder import FolderScan, describe_passed_over, scan_folder
from coinsorter.images.image_formats import RAW_SUFFIXES, READ_FORMATS, describe_unread, read_pages
from coinsorter.images.name_times import order_taken

log = logging.getLogger(__name__)

#: How files of these kinds begin; a PNG's first chunk ends with its 33rd byte.
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_BYTES = 33
_JPEG_START = b"\xff\xd8"


def list_images(folder: Path) -> list[Path]:
    """Every image below a folder, in the order taken as the names tell it, then by path.

    Content decides what it is, not the name; other files are counted in the log. Raises InputError
    where the folder is missing or holds no image.
    """
    return scan_images(folder).images


def scan_images(folder: Path) -> FolderScan:
    """`list_images`, and how many other files there are."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    scan = scan_folder(folder)
    others = describe_passed_over(scan.passed_over)
    if not scan.images:
        beside = f"; passed over: {others}" if others else ""
        raise InputError(f"{folder}: holds no images ({', '.join(READ_FORMATS)}){beside}")
    if others:
        log.info("%s: passed over: %s", folder, others)
    scan.images.sort(key=order_taken)
    return scan


def load_image(path: Path) -> np.ndarray:
    """The image in a file as uint8 (h, w, 3) RGB, the right way up, as a person sees it.

    Raises ImageError that says why it is not read.
    """
    if path.suffix.lower() in RAW_SUFFIXES:
        raise ImageError(describe_unread("raw"))
    try:
        content = read_bounded(path, MAX_FILE_BYTES)
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from error
    return decode_only(content)


def read_image(path: Path) -> np.ndarray | None:
    """The image in a file as uint8 (h, w, 3) RGB; None where it is not read."""
    try:
        return load_image(path)
    except ImageError:
        return None


def decode_only(content: bytes) -> np.ndarray:
    """The only image in a file's content as uint8 (h, w, 3) RGB.

    Raises ImageError that says why it is not read, also where there are several.
    """
    _, pages = read_pages(content)
    if len(pages) > 1:
        raise ImageError(f"it holds {len(pages)} pages; save each as a file of its own")
    return decode_page(content)


def decode_image(content: bytes) -> np.ndarray | None:
    """The image in a file's content as uint8 (h, w, 3) RGB; None where it is not read."""
    try:
        return decode_only(content)
    except ImageError:
        return None


def encode_image(pixels: np.ndarray, suffix: str, options: Sequence[int] = ()) -> bytes:
    """The content of an image file of the kind that `suffix` names, such as ".png".

    pixels: uint8 (h, w, 3) RGB. options: OpenCV's `IMWRITE_` numbers and their values, in turn.
    Raises InputError where OpenCV writes no such files.
    """
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    try:
        _, content = cv2.imencode(suffix, bgr, list(options))
    except cv2.error as error:
        kind = suffix or "nothing"
        raise InputError(f"images are not written as {kind}; name a .jpg or .png") from error
    return content.tobytes()


def mark_image(content: bytes, maker: str) -> bytes:
    """An image file's content with the mark of who made it; its pixels stay as they are.

    A PNG has it as a text chunk (PNG specification, 11.3.4.3), a JPEG as a comment (ITU T.81,
    B.2.4.5), other kinds after the end of the image.
    """
    mark = make_mark(maker)
    if content.startswith(_PNG_START):
        chunk = b"tEXt" + b"Software\0" + mark
        length = (len(chunk) - 4).to_bytes(4, "big")
        whole = length + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        return content[:_PNG_HEADER_BYTES] + whole + content[_PNG_HEADER_BYTES:]
    if content.startswith(_JPEG_START):
        length = (len(mark) + 2).to_bytes(2, "big")
        return _JPEG_START + b"\xff\xfe" + length + mark + content[len(_JPEG_START) :]
    return content + mark


def write_image(path: Path, pixels: np.ndarray, claim: Claim, maker: str) -> None:
    """Writes an image file, whole or not at all; the ending of its name says which kind.

    pixels: uint8 (h, w, 3) RGB. claim: what it may take the place of. maker: the command, by whose
    mark the file is known later. Missing folders are made. Raises InputError where it cannot be
    written.
    """
    try:
        content = mark_image(encode_image(pixels, path.suffix), maker)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path, claim) as new:
            new.write_bytes(content)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be written: {reason}; {claim.remedy}") from error
