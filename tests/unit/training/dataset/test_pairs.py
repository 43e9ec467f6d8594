"""pairs: two faces of one coin become one image."""

import shutil
from pathlib import Path

import cv2

from coinsorter.images.image_io import read_image
from coinsorter.training.dataset.dataset import Dataset
from tests.unit.training.dataset.helpers import (
    files,
    listed,
    prepare,
    rows,
)


def test_two_faces_become_one_image(collection):
    listed(collection)
    made = prepare("list.csv", "--join-sides")
    loaded = Dataset.load(Path("set"))
    assert made["counts"]["kept"] == len(loaded.rows) == 6 and {
        row.side for row in loaded.rows
    } == {"both"}
    shutil.copytree("set", "joined")
    prepare("list.csv", "--force")
    faces, single = rows(), Dataset.load(Path("set"))
    for row in loaded.rows:
        obverse, reverse = (faces[Path(part).name] for part in row.source.split(" + "))
        assert obverse.coin_id == reverse.coin_id == row.coin_id and (
            obverse.side,
            reverse.side,
        ) == ("obverse", "reverse")
        left, both = single.read_image(obverse), read_image(Path("joined") / row.image_file)
        height = left.shape[0]
        assert (both[:, :height] == left).all()
        right = cv2.resize(
            single.read_image(reverse), (height, height), interpolation=cv2.INTER_AREA
        )
        assert (both[:, height:] == right).all() and both.shape == (height, 2 * height, 3)
        assert loaded.circle_of(row) == single.circle_of(obverse)


def test_a_coin_with_a_face_missing_is_left_out(collection):
    listed([line for line in collection if "b3.png" not in line])
    made = prepare("list.csv", "--join-sides")
    assert made["counts"]["left_out"] == {"one-side": 1} and made["counts"]["kept"] == 5
    row = rows()["b0.png"]
    assert row.reason == "one-side" and "no reverse of coin b0" in row.detail
    assert not [
        path for path in files("set") if path.startswith("pictures/") and "both" not in path
    ]
