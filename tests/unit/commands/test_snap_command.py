"""coinsorter snap: what it draws and what it prints."""

import json

from coinsorter.images.image_io import read_image


def test_a_snap_shows_what_is_detected(command, settings, tmp_path):
    path = tmp_path / "snap.png"
    status, out, _ = command("snap", "--config", settings, "--out", path)
    assert (
        status == 0 and out.splitlines()[-1] == f"{path}: {len(out.splitlines()) - 1} things found"
    )
    assert read_image(path).shape == (480, 640, 3)
    result = json.loads(
        command("snap", "--config", settings, "--out", path, "--plain", "--json")[1]
    )
    assert result["picture"] == str(path) and isinstance(result["found"], list)
