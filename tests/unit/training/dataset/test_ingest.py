"""ingest: each image becomes a row and a file, once."""

from pathlib import Path

import cv2
import pytest

from coinsorter.images.image_io import read_image
from coinsorter.training.dataset.dataset import Dataset
from tests.unit.training.dataset.helpers import (
    as_crop,
    prepare,
    write,
)


def test_a_ready_crop_is_kept_as_it_is_with_the_coin_measured_in_it(here, frames):
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            write(f"crops/{label}/{100 * number}.png", as_crop(pixels))
    prepare("crops", "--crops")
    for row, pixels in Dataset.load(Path("set")):
        assert (pixels == read_image(Path(row.source))).all()
        edge = min(pixels.shape[:2])
        assert (
            row.quality > 0.8
            and 0.42 < row.radius_px / edge < 0.47
            and abs(row.x_px - edge / 2) < 2
        )
        assert (row.frame_x_px, row.frame_y_px) == (row.x_px, row.y_px)


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_a_image_lost_with_the_power_is_made_again(stopped, photographs, damage):
    path = sorted(Path("set/pictures").rglob("*.png"))[4]
    content = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(content[:100])
    assert prepare(photographs)["looked_at"] == 1 and path.read_bytes() == content


def test_a_source_that_changed_meanwhile_is_looked_at_again(stopped, photographs, frames):
    write(photographs / "bit_10" / "b_1000.png", cv2.flip(frames["bit_10"][0], 1))
    assert prepare(photographs)["looked_at"] == 1
