"""coinsorter wiring: the files that it writes."""


def test_the_wiring_is_written_for_these_settings(command, settings, tmp_path):
    status, out, _ = command("wiring", "--config", settings, "--out", tmp_path / "firmware")
    assert status == 0 and all(
        (tmp_path / "firmware" / name).exists()
        for name in ("coinsorter.txt", "pins.md", "wiring.svg", "bom.md")
    )
    assert len(out.splitlines()) == len(list((tmp_path / "firmware").iterdir()))
