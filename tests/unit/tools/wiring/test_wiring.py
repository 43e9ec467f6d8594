"""wiring: what is made from config.yaml is written, and committed for the shipped settings."""

import pytest

from coinsorter.errors import InputError
from coinsorter.files.ownership import Claim
from coinsorter.tools import wiring
from tests.conftest import ROOT

CLAIM = Claim(wiring.is_wiring, wiring.REMEDY)


@pytest.mark.parametrize(
    "name", ["coinsorter.txt", "coinsorter-overlay.dts", "pins.md", "wiring.svg", "bom.md"]
)
def test_the_committed_file_is_what_the_shipped_settings_make(config, name):
    committed = (ROOT / "firmware" / name).read_text(encoding="utf-8")
    assert committed == wiring.render_files(config)[name], (
        f"firmware/{name} is stale; run `coinsorter wiring --config config.yaml --out firmware`"
    )


def test_every_file_is_written_and_written_again_the_same(tmp_path, config):
    paths = wiring.write_wiring(config, tmp_path / "new" / "firmware", CLAIM)
    first = [path.read_bytes() for path in paths]
    assert wiring.write_wiring(config, tmp_path / "new" / "firmware", CLAIM) == paths
    assert [path.read_bytes() for path in paths] == first
    assert sorted(path.name for path in paths) == sorted(wiring.render_files(config))


def test_a_folder_that_cannot_be_is_named(tmp_path, config):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError,
        match=r"file/firmware: cannot be written: Not a directory; name another folder with --out",
    ):
        wiring.write_wiring(config, tmp_path / "file" / "firmware", CLAIM)


@pytest.mark.parametrize("name", ["coinsorter.txt", "pins.md", "bom.md"])
def test_a_file_that_it_did_not_make_stays_and_nothing_else_is_written(tmp_path, config, name):
    (tmp_path / name).write_text("pins of another machine")
    with pytest.raises(InputError, match=f"{name}: .*did not make and is not replaced"):
        wiring.write_wiring(config, tmp_path, CLAIM)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "pins of another machine"
