"""coinsorter-train gate: its options; what it trains is tested with add_gate."""

import pytest

from tests.conftest import needs_training, only_line

needs_training()


def test_a_folder_that_is_not_there_is_named_before_anything_is_trained(tiny, tmp_path, command):
    status, _, err = command("gate", tiny, tmp_path / "nowhere", "--out", tmp_path / "gated")
    assert status == 66 and "no such folder" in only_line(err)
    assert not (tmp_path / "gated").exists()


def test_weights_that_are_no_file_are_named(tiny, frames, tmp_path, command):
    words = ["--out", tmp_path / "gated", "--weights", tmp_path / "none.h5"]
    status, _, err = command("gate", tiny, frames, *words)
    assert status == 66 and "none.h5 is no file; name one, or imagenet, or none" in only_line(err)


def test_the_bundle_itself_is_not_written_over(tiny, frames, command):
    before = (tiny / "bundle.yaml").read_bytes()
    status, _, err = command("gate", tiny, frames, "--out", tiny)
    assert status == 66 and "Traceback" not in err
    assert (tiny / "bundle.yaml").read_bytes() == before


@pytest.mark.parametrize("epochs", ["0", "-3", "many"])
def test_epochs_that_make_no_sense_are_refused(tiny, frames, command, capsys, epochs):
    with pytest.raises(SystemExit) as stop:
        command("gate", tiny, frames, "--out", "x", "--epochs", epochs)
    assert stop.value.code == 2 and "--epochs" in capsys.readouterr().err
