"""duplicates: equal and nearly equal images are kept once."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.training.dataset.dataset import Dataset
from tests.unit.training.dataset.helpers import (
    prepare,
    rows,
    write,
)


def test_equal_images_are_kept_once_whatever_their_files_are(photographs, frames):
    write("photographs/bit_10/again_9000.bmp", frames["bit_10"][2])
    prepare(photographs)
    row = rows()["again_9000.bmp"]
    assert row.reason + rows()["b_1200.png"].reason == "duplicate"
    assert {row.detail, rows()["b_1200.png"].detail} == {
        "",
        "of photographs/bit_10/" + ("b_1200.png" if row.reason else "again_9000.bmp"),
    }


def test_equal_images_with_two_labels_are_both_left_out(photographs, frames):
    write("photographs/crown_20/same_9000.png", frames["bit_10"][2])
    prepare(photographs)
    assert rows()["same_9000.png"].reason == rows()["b_1200.png"].reason == "duplicate"
    left = [row for row in Dataset.load(Path("set")).rows if row.reason]
    assert [row.label for row in left] == ["bit_10", "crown_20"] and all(
        "neither can be trusted" in row.detail for row in left
    )


@pytest.mark.parametrize("copy", ["saved again", "smaller", "brighter"])
def test_nearly_equal_images_are_kept_once(photographs, frames, copy):
    pixels = frames["crown_20"][3]
    if copy == "saved again":
        write("photographs/crown_20/y_9000.jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, 75)
    elif copy == "smaller":
        write(
            "photographs/crown_20/y_9000.png",
            cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA),
        )
    else:
        write("photographs/crown_20/y_9000.png", cv2.convertScaleAbs(pixels, alpha=1.15))
    made = prepare(photographs)
    assert made["counts"]["left_out"] == {"near-duplicate": 1}
    row = next(row for row in rows().values() if row.reason)
    assert (
        re.fullmatch(r"\d+ of 256 bits from photographs/crown_20/c_1300.png", row.detail)
        and row.phash
    )
    prepare(photographs, "--near-bits", -1, "--force")
    assert not any(row.reason for row in rows().values())


def test_other_coins_of_a_label_are_no_near_duplicates(photographs, frames):
    for turns in (1, 2, 3):
        write(
            f"photographs/crown_20/turned_{9000 + 100 * turns}.png",
            np.rot90(frames["crown_20"][0], turns),
        )
    assert prepare(photographs)["counts"]["left_out"] == {}
