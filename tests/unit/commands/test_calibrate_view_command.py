"""coinsorter calibrate view: config.yaml gets the scale of the camera that took the coins."""

import json

import cv2
import numpy as np
import pytest

from coinsorter.config.load import load_config
from coinsorter.vision.scale import ScalePlane
from tests.conftest import draw_disc
from tests.unit.recognition.sealed import read_facts, write_sealed
from tests.unit.tools.conftest import TRUE_SCALE, photograph_discs


@pytest.fixture
def coins(tmp_path):
    photograph_discs(tmp_path / "coins")
    return tmp_path / "coins"


def test_the_scale_is_found_and_config_yaml_is_left_alone(command, shipped_settings, coins):
    before = shipped_settings.read_text()
    status, out, _ = command("calibrate", "view", coins, "--config", shipped_settings, "--json")
    result = json.loads(out)
    assert (
        status == 0 and result["coins"] == 12 and result["left_out"] == {} and not result["written"]
    )
    tilts = result["tilt_along_percent"] / 100, result["tilt_across_percent"] / 100
    plane = ScalePlane(result["px_per_mm"], *tilts, 640, 480, result["barrel_percent"] / 100)
    for x, y in ((70, 70), (570, 70), (320, 240), (70, 410), (570, 410)):
        assert plane.px_per_mm_at(x, y) == pytest.approx(TRUE_SCALE.px_per_mm_at(x, y), rel=0.008)
    assert (
        result["scatter"] < 0.01
        and result["known_to"] < 0.01
        and shipped_settings.read_text() == before
    )


def test_written_numbers_are_in_force_and_every_comment_is_still_there(
    command, shipped_settings, coins
):
    before = shipped_settings.read_text().splitlines()
    status, out, _ = command("calibrate", "view", coins, "--config", shipped_settings, "--write")
    after = shipped_settings.read_text().splitlines()
    assert status == 0 and f"{shipped_settings}: written" in out
    assert load_config(shipped_settings).scale.px_per_mm_at(70, 70) == pytest.approx(
        TRUE_SCALE.px_per_mm_at(70, 70), rel=0.008
    )
    changed = [(a, b) for a, b in zip(before, after) if a != b]
    assert (
        len(before) == len(after)
        and len(changed) == 4
        and all(a.split("#")[1] == b.split("#")[1] for a, b in changed)
    )


def test_numbers_for_config_yaml_are_printed_option_by_option_with_what_to_do_next(
    command, shipped_settings, coins
):
    out = command("calibrate", "view", coins, "--config", shipped_settings)[1].splitlines()
    assert out[0].startswith("12 coins; one diameter is off by ")
    assert [line.partition(": ")[0] for line in out[1:5]] == [
        "belt.px_per_mm",
        "belt.tilt_along_percent",
        "belt.tilt_across_percent",
        "belt.barrel_percent",
    ]
    assert out[5:] == [
        f"{shipped_settings}: put these numbers into it, or run this again with --write"
    ]


def test_folders_may_have_a_labels_other_names(command, shipped_settings, coins):
    folder = shipped_settings.parent / "models" / "crowns"
    manifest = read_facts(folder)
    (label,) = [one for one in manifest["labels"] if one["name"] == "bit_10"]
    label["also"] = ["ten"]
    write_sealed(folder, manifest)
    (coins / "bit_10").rename(coins / "ten")
    result = json.loads(
        command("calibrate", "view", coins, "--config", shipped_settings, "--json")[1]
    )
    assert result["coins"] == 12 and result["left_out"] == {}


def test_images_that_cannot_be_used_are_left_out_with_their_reasons(
    command, shipped_settings, coins
):
    (coins / "token").mkdir()
    cv2.imwrite(str(coins / "token" / "1.png"), draw_disc(300, 200, 40, 640, 480))
    cv2.imwrite(str(coins / "bit_10" / "empty.png"), np.full((480, 640, 3), 90, np.uint8))
    cv2.imwrite(str(coins / "bit_10" / "small.png"), draw_disc(160, 120, 40))
    (coins / "bit_10" / "broken.png").write_bytes(b"no picture")
    two = np.maximum(draw_disc(200, 200, 33, 640, 480), draw_disc(420, 260, 33, 640, 480))
    cv2.imwrite(str(coins / "bit_10" / "two.png"), two)
    result = json.loads(
        command("calibrate", "view", coins, "--config", shipped_settings, "--json")[1]
    )
    why = {path.rpartition("/")[2]: reason for path, reason in result["left_out"].items()}
    assert result["coins"] == 12 and why == {
        "1.png": "folder token is named as no label of the bundle",
        "empty.png": "shows no coin",
        "two.png": "shows 2 coins, not one",
        "small.png": "is 320x240, the camera's frames are 640x480",
        "broken.png": "cannot be read",
    }


def test_a_camera_that_was_moved_far_needs_a_hint(command, shipped_settings, tmp_path):
    near = ScalePlane(8.0, 0.0, 0.0, 640, 480)
    photograph_discs(
        tmp_path / "near", near, [(x, y) for x in (130, 320, 510) for y in (130, 200, 280, 350)]
    )
    assert command("calibrate", "view", tmp_path / "near", "--config", shipped_settings)[0] == 66
    result = json.loads(
        command(
            "calibrate",
            "view",
            tmp_path / "near",
            "--config",
            shipped_settings,
            "--px-per-mm",
            8,
            "--json",
        )[1]
    )
    assert result["px_per_mm"] == pytest.approx(8.0, rel=0.006)
