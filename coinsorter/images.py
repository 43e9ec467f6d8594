"""Image files: listed in the order they were taken, read, decoded, encoded and written.

Arrays are uint8 (height, width, 3) in RGB everywhere; only this module knows that OpenCV wants BGR.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from coinsorter.atomic import replace_file
from coinsorter.errors import InputError
from coinsorter.name_times import order_taken

#: Endings of the files that count as images, lower case; OpenCV reads all of them.
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def list_images(folder: Path) -> list[Path]:
    """Every image below a folder, in the order taken as the names tell it, then by path.

    Raises InputError where the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = [path for path in folder.rglob("*") if _is_image(path)]
    if not paths:
        raise InputError(f"{folder}: holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return sorted(paths, key=order_taken)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def read_image(path: Path) -> np.ndarray | None:
    """The image in a file as uint8 (h, w, 3) RGB; None where OpenCV cannot read it."""
    try:
        return decode_image(path.read_bytes())
    except OSError:
        return None


def decode_image(content: bytes) -> np.ndarray | None:
    """The image in a file's content as uint8 (h, w, 3) RGB; None where OpenCV cannot read it.

    It is turned the right way up, as its EXIF data say.
    """
    if not content:
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # the header claims an absurdly large image
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


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


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Writes an image file, whole or not at all; the ending of its name says which kind.

    pixels: uint8 (h, w, 3) RGB. Missing folders are made. Raises InputError where it cannot be
    written.
    """
    try:
        content = encode_image(pixels, path.suffix)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as new:
            new.write_bytes(content)
    except OSError as error:
        remedy = "name another file"
        raise InputError(f"{path}: cannot be written: {error.strerror}; {remedy}") from error
