"""Images in every format, as programs write them, with OpenCV alone or made by hand."""

import struct
import zlib

import cv2
import numpy as np


def smooth_image(height: int = 60, width: int = 80) -> np.ndarray:
    """Soft colours, so that lossy formats change them little: uint8 (h, w, 3) RGB."""
    coarse = np.random.default_rng(7).integers(20, 235, (5, 6, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encode(suffix: str, pixels: np.ndarray, *options: int) -> bytes:
    """A file's content; colours are RGB or RGBA."""
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    ordered = cv2.cvtColor(pixels, order[pixels.shape[2]]) if pixels.ndim == 3 else pixels
    return cv2.imencode(suffix, ordered, options)[1].tobytes()


def exif(orientation: int) -> bytes:
    """EXIF data that tell nothing but the orientation."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)


def png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def add_png_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return png[:33] + png_chunk(name, content) + png[33:]


def add_jpeg_exif(jpeg: bytes, orientation: int) -> bytes:
    segment = b"Exif\0\0" + exif(orientation)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment + jpeg[2:]


def resize_png_header(png: bytes, width: int, height: int) -> bytes:
    """A PNG that claims another size."""
    header = struct.pack(">II", width, height) + png[24:29]
    return png[:8] + png_chunk(b"IHDR", header) + png[33:]
