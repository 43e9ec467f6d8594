"""dataset: what is on disk is what was prepared, or it is refused."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from coinsorter.errors import InputError
from coinsorter.images.image_io import read_image
from coinsorter.training.dataset.dataset import (
    MAX_HASHED_BYTES,
    MAX_MANIFEST_BYTES,
    Dataset,
    Row,
    hash_file,
    read_table,
    write_table,
)
from coinsorter.vision import crop
from coinsorter.vision.crop import CropSpec
from tests.unit.training.dataset.helpers import (
    COINS,
    PX_PER_MM,
    prepare,
    write,
)

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))


def test_a_crop_cut_from_the_data_set_is_the_crop_cut_from_the_photograph(photographs, frames):
    prepare(photographs)
    loaded = Dataset.load(Path("set"))
    for row, pixels in loaded:
        in_set, frame = loaded.circle_of(row), read_image(Path(row.source))
        assert abs(2 * row.radius_px / PX_PER_MM / COINS[row.label] - 1) < 0.02
        locate_in_frame = type(in_set)(
            row.frame_x_px, row.frame_y_px, *list(vars(in_set).values())[2:]
        )
        assert (
            np.abs(
                crop.cut_crop(pixels, in_set, 20, SPEC).astype(int)
                - crop.cut_crop(frame, locate_in_frame, 20, SPEC)
            ).max()
            <= 1
        )
        assert pixels.shape[0] == pixels.shape[1] >= 3 * row.radius_px


def test_images_are_read_one_by_one(photographs):
    prepare(photographs)
    loaded = Dataset.load(Path("set"), check=False)
    images = iter(loaded)
    assert next(images)[0] == loaded.rows[0]
    for path in Path("set/pictures").rglob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"000002.*cannot be read; make the data set again"):
        next(images)


@pytest.mark.parametrize("change", ["picture", "picture gone", "table", "facts", "facts gone"])
def test_a_data_set_that_changed_since_is_refused_by_name(photographs, change):
    prepare(photographs)
    row = Dataset.load(Path("set")).kept_rows()[3]
    name = {"picture": row.image_file, "picture gone": row.image_file, "table": "table.csv"}.get(
        change, "dataset.yaml"
    )
    path = Path("set") / name
    if change == "facts":
        path.write_text(path.read_text().replace("format: 1", "format: 7"))
    elif "gone" in change:
        path.unlink()
    elif change == "table":
        path.write_text(path.read_text().replace("train", "test"))
    else:
        write(path, 255 - read_image(path))
    with pytest.raises(InputError) as caught:
        Dataset.load(Path("set"))
    assert ("set: holds no finished data set" if change == "facts gone" else str(path)) in str(
        caught.value
    ) and "coinsorter-train prepare" in str(caught.value)


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("crops: false", "crops: no", "crops is not as it was made"),
        ("crops: false", "crops: !!python/name:os.system x", "cannot be read"),
        ("crops: false", "", "crops is not as it was made"),
        ("labels:", "labels: 5\nwere:", "labels is not as it was made"),
        ("labels:\n- ", "labels:\n- 010e1\n- 5\n- ", r"labels\[1\] is not as it was made"),
        ("width_px: ", "width_px: 0", "frame.width_px is not as it was made"),
        ("crops: false", "crops: false\ncrops: true", "cannot be read"),
        ("crops: false", "crops: " + "[" * 1000, "cannot be read"),
        (
            "crops: false",
            "crops: false #" + "x" * MAX_MANIFEST_BYTES,
            "cannot be read: it is larger than 1 MB",
        ),
    ],
)
def test_a_manifest_that_is_not_as_it_was_made_is_refused(photographs, old, new, complaint):
    prepare(photographs)
    path = Path("set/dataset.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"set/dataset.yaml: {complaint}.*; make the data set"):
        Dataset.load(Path("set"))


def test_a_manifest_that_is_a_pipe_is_not_waited_for(photographs):
    prepare(photographs)
    Path("set/dataset.yaml").unlink()
    os.mkfifo("set/dataset.yaml")
    with pytest.raises(InputError, match="cannot be read: it is a pipe"):
        Dataset.load(Path("set"))


@pytest.mark.parametrize("name", ["010", "1e3", "no", "2026-11-27"])
def test_a_label_that_looks_like_a_number_stays_the_text_that_it_is(photographs, name):
    folder = next(path for path in photographs.iterdir() if path.is_dir())
    folder.rename(folder.with_name(name))
    prepare(photographs)
    assert name in Dataset.load(Path("set")).labels


def test_the_table_has_the_columns_that_it_promises(photographs):
    prepare(photographs)
    with Path("set/table.csv").open(newline="") as file:
        (first, *_) = csv.reader(file)
    assert ",".join(first) == (
        "picture,label,side,coin_id,group,split,reason,detail,sha256,phash,source,width_px,height_px,frame_x_px,frame_y_px,"
        "x_px,y_px,radius_px,quality,roundness,sharpness,surround_r,surround_g,surround_b,off_patch,alone"
    )
    manifest = yaml.safe_load(Path("set/dataset.yaml").read_text())
    assert (manifest["format"], manifest["crops"], manifest["splits"], manifest["sources"]) == (
        1,
        False,
        {"train": 0.8, "validation": 0.2, "test": 0.0},
        ["photographs"],
    )


@pytest.mark.parametrize("label", ["=1+1", "-5", "+x", "@SUM(A1)", "'=1", "'quoted"])
def test_a_label_that_is_a_formula_is_no_formula_in_the_table_and_reads_back(photographs, label):
    folder = next(path for path in photographs.iterdir() if path.is_dir())
    folder.rename(folder.with_name(label))
    prepare(photographs)
    with Path("set/table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert not any(line["label"].startswith(("=", "+", "-", "@")) for line in lines)
    assert label in {row.label for row in Dataset.load(Path("set")).rows}


def test_numbers_in_the_table_stay_numbers(tmp_path):
    write_table(tmp_path / "table.csv", [Row("pictures/a/x.png", "a", x_px=-1.5)])
    assert ",-1.5," in (tmp_path / "table.csv").read_text()
    (row,) = read_table(tmp_path / "table.csv")
    assert row.x_px == -1.5


def test_a_table_with_a_huge_cell_is_refused_by_name(photographs):
    prepare(photographs)
    path = Path("set/table.csv")
    path.write_text(path.read_text() + "x" * 200_000 + ",a\n")
    with pytest.raises(InputError, match=r"table.csv: cannot be read"):
        list(read_table(path))


def test_a_table_that_is_a_pipe_is_not_waited_for(photographs):
    prepare(photographs)
    Path("set/table.csv").unlink()
    os.mkfifo("set/table.csv")
    with pytest.raises(InputError, match=r"table.csv: is not as it was made"):
        Dataset.load(Path("set"))


def test_a_file_that_is_too_large_or_has_no_name_is_not_hashed(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_HASHED_BYTES + 1)
    assert hash_file(tmp_path / "large") == ""
    assert hash_file(tmp_path / "a\0b") == ""
