"""coinsorter capture: frames of coins in a folder named as their label."""

import json

import pytest

from coinsorter.images.image_io import read_image
from coinsorter.images.name_times import read_capture_name


def test_a_capture_fills_a_folder_that_a_training_takes(command, settings, tmp_path):
    status, out, _ = command(
        "capture",
        "--config",
        settings,
        "--label",
        "crown_1",
        "--coins",
        3,
        "--out",
        tmp_path / "captured",
        "--json",
    )
    paths = sorted((tmp_path / "captured" / "crown_1").glob("*.png"))
    assert status == 0 and json.loads(out)["kept"] == len(paths) == 3
    assert all(read_image(path).shape == (480, 640, 3) for path in paths)


@pytest.mark.parametrize("label", ["", ".", "..", "a/b", "/etc", "-x y"])
def test_a_label_that_cannot_name_a_folder_is_refused(command, settings, tmp_path, capsys, label):
    with pytest.raises(SystemExit) as stop:
        command("capture", "--config", settings, f"--label={label}", "--out", tmp_path / "captured")
    assert (
        stop.value.code == 2
        and "cannot name a folder" in capsys.readouterr().err
        and not (tmp_path / "captured").exists()
    )


def test_coins_that_belong_together_are_named_so(command, settings, tmp_path):
    words = ["--label", "crown_1", "--coins", 2, "--group", "roll-3", "--out", tmp_path]
    assert command("capture", "--config", settings, *words)[0] == 0
    names = [read_capture_name(path.stem) for path in (tmp_path / "crown_1").iterdir()]
    assert [name.group for name in names] == ["roll-3", "roll-3"]


@pytest.mark.parametrize("group", ["", "a_b", "a/b", "x" * 41])
def test_a_group_that_cannot_be_in_a_name_is_refused(command, settings, tmp_path, capsys, group):
    words = ["--label", "crown_1", f"--group={group}", "--out", tmp_path / "captured"]
    with pytest.raises(SystemExit) as stop:
        command("capture", "--config", settings, *words)
    assert stop.value.code == 2 and "cannot be in a file's name" in capsys.readouterr().err


def test_foreign_things_of_any_shape_fill_a_folder_of_their_kind(
    command, settings, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["--foreign", "washers", "--coins", 3, "--json"]
    status, out, _ = command("capture", "--config", settings, *words)
    assert status == 0 and json.loads(out)["folder"] == "foreign/washers"
    assert len(list((tmp_path / "foreign" / "washers").glob("*.png"))) == 3


@pytest.mark.parametrize("words", [[], ["--label", "crown_1", "--foreign", "washers"]])
def test_what_rides_by_is_either_a_label_or_foreign(command, settings, capsys, words):
    with pytest.raises(SystemExit) as stop:
        command("capture", "--config", settings, *words)
    assert stop.value.code == 2 and "--foreign" in capsys.readouterr().err
