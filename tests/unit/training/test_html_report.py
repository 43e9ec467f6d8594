"""html_report: images in a page that needs no other file."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from coinsorter.training import html_report
from tests.conftest import draw_disc


def decode_uri(uri: str, kind: str) -> np.ndarray:
    content = base64.b64decode(uri.removeprefix(f"data:image/{kind};base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.fixture
def image() -> np.ndarray:
    return draw_disc(100, 80, 40, width=200, height=160)


def test_a_png_uri_holds_the_image_itself(image):
    assert (decode_uri(html_report.png_uri(image), "png") == image).all()


def test_a_jpeg_uri_holds_the_image_no_higher_than_wanted(image):
    pixels = decode_uri(html_report.jpeg_uri(image, 80), "jpeg")
    assert pixels.shape == (80, 100, 3)
    small = image.reshape(80, 2, 100, 2, 3).mean(axis=(1, 3))
    assert np.abs(pixels - small).mean() < 3


def test_a_small_image_is_not_enlarged(image):
    assert decode_uri(html_report.jpeg_uri(image, 400), "jpeg").shape == image.shape
