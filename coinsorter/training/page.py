"""A report as one HTML file: its pictures are in it, so that it opens anywhere, offline."""

import base64
from pathlib import Path

import cv2
import jinja2
import numpy as np

TEMPLATES = Path(__file__).parent / "templates"


def render(template_name: str, **values) -> str:
    """A template of ours, filled in. What the template asks for and is not given raises jinja2.UndefinedError."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(template_name).render(picture_uri=picture_uri, **values)


def picture_uri(rgb: np.ndarray) -> str:
    """A picture, uint8 (h, w, 3) RGB, as a data URI: the `src` of an image that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png(rgb)).decode("ascii")


def png(rgb: np.ndarray) -> bytes:
    """A picture, uint8 (h, w, 3) RGB, as a PNG file's content."""
    return cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
