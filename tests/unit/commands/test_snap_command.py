"""coinsorter snap: what it draws and what it prints."""

import json

from coinsorter.images import read_image


def test_a_snap_shows_what_is_found(command, settings, tmp_path):
    picture = tmp_path / "snap.png"
    status, out, _ = command("snap", "--config", settings, "--out", picture)
    assert (
        status == 0
        and out.splitlines()[-1] == f"{picture}: {len(out.splitlines()) - 1} things found"
    )
    assert read_image(picture).shape == (480, 640, 3)
    found = json.loads(
        command("snap", "--config", settings, "--out", picture, "--plain", "--json")[1]
    )
    assert found["picture"] == str(picture) and isinstance(found["found"], list)
