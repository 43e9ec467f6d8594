"""coinsorter capture: frames of coins in a folder named as their label."""

import json

import pytest

from coinsorter.images import read_image


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
