"""prepare: every image that is handed in is accounted for, and bad input is one line."""

import os
import shutil
from collections import Counter
from pathlib import Path

import cv2
import pytest

from coinsorter.errors import InputError
from coinsorter.training import train_cli
from coinsorter.training.dataset import dataset
from coinsorter.training.dataset.dataset import Dataset
from tests.unit.training.dataset.helpers import (
    COINS,
    EACH,
    PX_PER_MM,
    files,
    fill_the_disk,
    prepare,
    refused,
    rows,
    write,
)


def test_every_image_is_a_row_and_every_coin_a_image(photographs):
    before = files(photographs)
    made = prepare(photographs)
    loaded = Dataset.load(Path("set"))
    assert loaded.labels == ["bit_10", "crown_20"] and loaded.frame == (200, 160)
    assert (
        made["counts"]["kept"] == made["counts"]["pictures"] == len(loaded.rows) == 2 * EACH
        and made["looked_at"] == 2 * EACH
    )
    assert Counter(row.label for row in loaded.kept_rows()) == dict.fromkeys(COINS, EACH)
    assert all(
        row.source == str(photographs / row.label / Path(row.source).name) for row in loaded.rows
    )
    assert {path for path in files("set") if path.startswith("pictures/")} == {
        row.image_file for row in loaded.rows
    }
    assert set(files("set")) - {row.image_file for row in loaded.rows} == {
        "dataset.yaml",
        "table.csv",
        "report.html",
    }
    assert files(photographs) == before


@pytest.mark.parametrize("size, reason", [((10.0, 19.0), "no-coin"), ((17.0, 28.0), "")])
def test_coins_of_other_sizes_than_given_are_not_looked_for(photographs, frames, size, reason):
    """A search below 19 mm reaches to 19 x 1.2 mm, as on the machine; crowns have 27.5 mm."""
    write("photographs/more/m_90000.png", cv2.flip(frames["bit_10"][0], 0))
    prepare(photographs, "--px-per-mm", PX_PER_MM, "--diameters", "{:g}-{:g}".format(*size))
    assert {row.reason for row in rows().values() if row.label == "crown_20"} == {reason}
    assert {row.reason for row in rows().values() if row.label == "bit_10"} == {""}


def test_the_same_images_and_seed_make_the_same_data_set(photographs):
    prepare(photographs)
    first = files("set")
    shutil.rmtree("set")
    prepare(photographs)
    assert files("set") == first


def test_another_seed_makes_another_split(photographs):
    def splits(seed):
        shutil.rmtree("set", ignore_errors=True)
        prepare(photographs, "--seed", seed)
        return [row.split for row in rows().values()]

    assert len({tuple(splits(seed)) for seed in range(4)}) > 1


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["empty"], "empty: holds no images"),
        (["notes.txt"], "is no folder, CSV or ZIP"),
        (["photographs/bit_10"], "only one label, 'bit_10': at least two are needed"),
        (["photographs", "--px-per-mm", "3"], "give both or neither"),
        (["photographs", "--validation", "0.7", "--test", "0.3"], "leave nothing to train on"),
        (
            ["photographs", "--px-per-mm", "0.01", "--diameters", "18-28"],
            "coins of 0 pixels radius",
        ),
        (["photographs", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["photographs", "--validation", "nan"], "leave nothing to train on"),
        (["photographs", "--group-by", "name"], "needs --group-pattern"),
        (
            ["photographs", "--group-by", "name", "--group-pattern", "x_[0-9]"],
            "one pair of brackets",
        ),
        (["photographs", "--group-by", "name", "--group-pattern", "("], "no regular expression"),
        (
            ["photographs", "--group-by", "name", "--group-pattern", "y_([0-9])"],
            "does not fit photographs/bit_10/b_1000.png and 11 others",
        ),
        (["photographs", "--join-sides"], "no coin has both faces"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(photographs, capsys, words, complaint):
    Path("empty").mkdir()
    Path("notes.txt").write_text("x")
    assert complaint in refused(capsys, *words) and not Path("set").exists()


def test_nothing_but_a_data_set_is_ever_replaced(photographs, capsys):
    Path("set").mkdir()
    Path("set/thesis.txt").write_text("three years of work")
    assert "is not empty, and no data set" in refused(capsys, photographs, "--force")
    assert files("set") == {"thesis.txt": b"three years of work"}


@pytest.mark.parametrize("place", ["photographs/set", "photographs", "."])
def test_the_data_set_is_never_made_within_its_sources(photographs, capsys, place):
    before = files(photographs)
    status = train_cli.main(["prepare", "photographs", "--out", place])
    assert (
        status == 66
        and "name a folder beside it" in capsys.readouterr().err
        and files(photographs) == before
    )


def test_a_finished_data_set_is_left_alone(photographs, capsys):
    prepare(photographs)
    before = {path: path.stat().st_mtime_ns for path in Path("set").rglob("*")}
    assert train_cli.main(["prepare", "photographs", "--out", "set"]) == 0
    assert (
        "set: is finished, and nothing has changed; 12 of 12 images kept" in capsys.readouterr().out
    )
    assert {path: path.stat().st_mtime_ns for path in Path("set").rglob("*")} == before


def test_other_settings_need_force(photographs, capsys):
    prepare(photographs)
    before = files("set")
    assert "was made with other settings (test, seed)" in refused(
        capsys, photographs, "--seed", 2, "--test", 0.1
    )
    assert files("set") == before
    assert prepare(photographs, "--seed", 2, "--test", 0.1, "--force")["seed"] == 2


@pytest.mark.parametrize("change", ["another picture", "one more", "one less", "another name"])
def test_sources_that_changed_since_are_noticed(photographs, frames, capsys, change):
    prepare(photographs)
    path = photographs / "bit_10" / "b_1000.png"
    if change == "another picture":
        write(path, 255 - frames["bit_10"][0])
    elif change == "one more":
        write(photographs / "bit_10" / "x_9000.png", 255 - frames["bit_10"][0])
    elif change == "one less":
        path.unlink()
    else:
        path.rename(path.with_name("z_1000.png"))
    assert "set: its sources have changed since it was made; make it again with --force" in refused(
        capsys, photographs
    )


def test_sources_touched_but_not_changed_are_the_same(photographs):
    prepare(photographs)
    for path in photographs.rglob("*.png"):
        os.utime(path, (1, 1))
    assert prepare(photographs)["made"] is False


def test_a_data_set_begun_again_is_unfinished_until_it_is_done(photographs, capsys):
    prepare(photographs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "write_table", fill_the_disk)
        refused(capsys, photographs, "--force")
    with pytest.raises(InputError, match="holds no finished data set"):
        Dataset.load(Path("set"))
    assert prepare(photographs)["looked_at"] == 0


def test_a_full_disk_is_one_line(stopped, photographs, capsys, monkeypatch):
    monkeypatch.setattr(dataset, "write_table", fill_the_disk)
    assert "set/table.csv: No space left on device; what is finished is kept" in refused(
        capsys, photographs
    )
