"""Reports as one HTML file each that opens offline: templates filled in, pictures embedded."""

import base64

import cv2
import jinja2
import numpy as np

from coinsorter import __version__

JPEG_QUALITY = 88

_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("coinsorter.training"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_template(template_name: str, **values: object) -> str:
    """The page of a template in training/templates, which may extend base.html (title, style) and knows `version` and `picture_uri`."""
    return _PAGES.get_template(template_name).render(version=__version__, png_uri=png_uri, **values)


def png_uri(rgb: np.ndarray) -> str:
    """A picture, uint8 (h, w, 3) RGB, as a data URI: the `src` of an image that needs no file."""
    return "data:image/png;base64," + base64.b64encode(encode_png(rgb)).decode("ascii")


def jpeg_uri(rgb: np.ndarray, height_px: int) -> str:
    """A photograph, uint8 (h, w, 3) RGB, as a data URI of fewer bytes; shrunk to the height where it is higher."""
    height, width = rgb.shape[:2]
    if height > height_px:
        rgb = cv2.resize(
            rgb,
            (max(1, round(width * height_px / height)), height_px),
            interpolation=cv2.INTER_AREA,
        )
    content = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    )[1]
    return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")


def encode_png(rgb: np.ndarray) -> bytes:
    """A picture, uint8 (h, w, 3) RGB, as a PNG file's content."""
    return cv2.imencode(
        ".png", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )[1].tobytes()
