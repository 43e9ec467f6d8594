"""coinsorter check: every mistake in config.yaml, and whether its bundle can be used."""

import json

from tests.conftest import CONFIG, CROWNS


def test_check_finds_nothing_wrong_with_the_shipped_settings(command, crowns):
    digest_line = f"{CROWNS}: sha256 {crowns.digest}"
    assert command("check", CONFIG) == (0, f"{CONFIG}: no mistakes\n{digest_line}\n", "")


def test_check_lists_every_mistake_and_exits_with_78(command, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        CONFIG.read_text()
        .replace("open_deg: 135, distance_mm: 240", "open_deg: 220, distance_mm: 240")
        .replace("pin: 6", "pin: 5")
    )
    status, out, _ = command("check", path)
    assert status == 78
    assert (
        f"{path}:53: bins[2].flap.open_deg: 220 is above 180\n" in out
        and "GPIO 5 drives bins[0] already" in out
    )
    mistakes = json.loads(command("check", path, "--json")[1])
    assert {mistake["option"] for mistake in mistakes} == {
        "bins[2].flap.open_deg",
        "bins[1].flap.pin",
    }


def test_check_names_a_bundle_that_is_not_there(command, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text())
    status, out, _ = command("check", path)
    assert status == 78 and "runtime.bundle: bundle" in out and "no such bundle" in out
