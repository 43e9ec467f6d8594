"""coinsorter-train teach: its options; what it makes is tested with teach."""

import pytest

from coinsorter.recognition.bundle import load_bundle
from tests.conftest import BRL, needs_training, only_line

needs_training()

TOKEN = ("--diameter", "24", "--value", "1", "--currency", "XTS")


def test_crops_of_a_coin_become_a_label(crops, tmp_path, command):
    out = tmp_path / "taught"
    folder = min(path for path in crops.iterdir() if path.is_dir())
    status, printed, _ = command("teach", BRL, "token", folder, *TOKEN, "--out", out)
    assert status == 0 and "knows token by" in printed and "provisionally" in printed
    assert load_bundle(out).labels["token"].currency == "XTS"


def test_a_crop_that_is_not_there_is_named(tmp_path, command):
    words = ("teach", BRL, "token", tmp_path / "none.png", *TOKEN)
    status, _, err = command(*words, "--out", tmp_path / "x")
    assert status == 66 and "none.png" in only_line(err)


def test_a_name_that_is_no_folders_is_refused(crops, tmp_path, command):
    status, _, err = command("teach", BRL, "a/b", crops, *TOKEN, "--out", tmp_path / "x")
    assert status == 66 and "no slash" in only_line(err)


@pytest.mark.parametrize("diameter", ["0", "-3", "wide", "nan"])
def test_a_diameter_that_makes_no_sense_is_refused(crops, command, capsys, diameter):
    with pytest.raises(SystemExit) as stop:
        command("teach", BRL, "token", crops, "--diameter", diameter, "--out", "x")
    assert stop.value.code == 2 and "--diameter" in capsys.readouterr().err
