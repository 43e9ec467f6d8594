"""Reports as one HTML file each that opens offline: templates filled in, images embedded."""

import base64

import cv2
import jinja2
import numpy as np

from coinsorter import __version__
from coinsorter.escape import clean
from coinsorter.images.image_io import encode_image

JPEG_QUALITY = 88

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("coinsorter.training"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_template(template_name: str, **values: object) -> str:
    """The page of a template in training/templates, with these values.

    What a terminal or a browser would obey in a value, such as a file's name, is shown in it. A
    template may extend base.html (title, style) and knows `version` and `png_uri`.
    """
    template = _TEMPLATES.get_template(template_name)
    page = template.render(version=__version__, png_uri=png_uri, **values)
    return "\n".join(map(clean, page.split("\n")))


def png_uri(rgb: np.ndarray) -> str:
    """An image, uint8 (h, w, 3) RGB, as a data URI: the `src` of an `img` that needs no file."""
    return "data:image/png;base64," + base64.b64encode(encode_png(rgb)).decode("ascii")


def jpeg_uri(rgb: np.ndarray, max_height_px: int) -> str:
    """A photograph, uint8 (h, w, 3) RGB, as a data URI of few bytes, shrunk to the height."""
    height, width = rgb.shape[:2]
    if height > max_height_px:
        size = (max(1, round(width * max_height_px / height)), max_height_px)
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    encoded = encode_image(rgb, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode("ascii")


def encode_png(rgb: np.ndarray) -> bytes:
    """An image, uint8 (h, w, 3) RGB, as a PNG file's content."""
    return encode_image(rgb, ".png", (cv2.IMWRITE_PNG_COMPRESSION, 4))
