"""wiring: what is made from config.yaml is written, and committed for the shipped settings."""

import pytest

from coinsorter.errors import InputError
from coinsorter.tools import wiring
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "name", ["coinsorter.txt", "coinsorter-overlay.dts", "pins.md", "wiring.svg", "bom.md"]
)
def test_the_committed_file_is_what_the_shipped_settings_make(config, name):
    committed = (ROOT / "firmware" / name).read_text(encoding="utf-8")
    assert committed == wiring.render_files(config)[name], (
        f"firmware/{name} is stale; run `coinsorter wiring --config config.yaml --out firmware`"
    )


def test_every_file_is_written_and_written_again_the_same(tmp_path, config):
    paths = wiring.write_wiring(config, tmp_path / "new" / "firmware")
    first = [path.read_bytes() for path in paths]
    assert wiring.write_wiring(config, tmp_path / "new" / "firmware") == paths
    assert [path.read_bytes() for path in paths] == first
    assert sorted(path.name for path in paths) == sorted(wiring.render_files(config))


def test_a_folder_that_cannot_be_is_named(tmp_path, config):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError,
        match=r"file/firmware: cannot be written: Not a directory; name another folder with --out",
    ):
        wiring.write_wiring(config, tmp_path / "file" / "firmware")
