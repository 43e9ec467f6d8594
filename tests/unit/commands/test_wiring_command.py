"""A technician's commands, on a machine whose camera shows a recorded belt and whose servos are mock ones."""

import json
import shutil

import cv2
import numpy as np
import pytest

from coinsorter.config.load import load_config, read_config
from coinsorter.hardware.servos import mock
from coinsorter.images import read_image
from tests.conftest import CROWNS


@pytest.fixture
def settings(tmp_path, without_hardware):
    """A config.yaml of a machine without hardware."""
    path = tmp_path / "config.yaml"
    path.write_text(without_hardware)
    assert read_config(path)[1] == []
    return path


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
    kept = sorted((tmp_path / "captured" / "crown_1").glob("*.png"))
    assert status == 0 and json.loads(out)["kept"] == len(kept) == 3
    assert all(read_image(path).shape == (480, 640, 3) for path in kept)


@pytest.mark.parametrize("label", ["", ".", "..", "a/b", "/etc", "-x y"])
def test_a_label_that_cannot_name_a_folder_is_refused(command, settings, tmp_path, capsys, label):
    with pytest.raises(SystemExit) as stop:
        command("capture", "--config", settings, f"--label={label}", "--out", tmp_path / "captured")
    assert (
        stop.value.code == 2
        and "cannot name a folder" in capsys.readouterr().err
        and not (tmp_path / "captured").exists()
    )


def test_a_jog_says_that_the_flap_is_back_at_rest(command, settings):
    status, out, _ = command("jog", "crown_2", "--us", 1800, "--hold-s", 0, "--config", settings)
    assert status == 0 and out == "crown_2: moved, and back at rest\n"


def test_parking_turns_every_flap_to_its_rest_and_nowhere_else(command, settings, monkeypatch):
    sent = []
    monkeypatch.setattr(mock.MockServos, "pulse", lambda self, pin, us: sent.append((pin, us)))
    assert command("park", "--config", settings)[:2] == (0, "every flap is at rest\n")
    assert {us for _, us in sent if us} == {1500} and [pin for pin, us in sent if us] == [
        bin_.flap.pin for bin_ in load_config(settings).bins
    ]


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["gold"], "gold: no such bin; there are bit_10"),
        (["crown_2", "--us", "2501"], "2501 us is outside"),
    ],
)
def test_a_jog_beyond_what_there_is_moves_nothing_and_says_so(command, settings, words, complaint):
    status, _, err = command("jog", *words, "--hold-s", 0, "--config", settings)
    assert status == 66 and complaint in err


def test_flaps_are_calibrated_by_hand_and_written_with_all_comments_kept(
    command, settings, monkeypatch
):
    words = iter(["+20", "rest", "end"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(words))
    before = settings.read_text()
    status, out, _ = command("calibrate", "flaps", "bit_20", "--write", "--config", settings)
    assert (
        status == 0
        and "bins[1].flap.rest_deg: 91.8" in out
        and out.splitlines()[-1] == f"{settings}: written"
    )
    assert settings.read_text() == before.replace(
        "{pin: 6, rest_deg: 90,", "{pin: 6, rest_deg: 91.8,"
    )


def test_flaps_that_nobody_changed_are_left_as_they_are(command, settings, monkeypatch):
    def ends(prompt):
        raise EOFError

    monkeypatch.setattr("builtins.input", ends)
    before = settings.read_text()
    status, out, _ = command("calibrate", "flaps", "--write", "--config", settings)
    assert status == 0 and "nothing to change" in out and settings.read_text() == before


def test_the_belts_speed_is_measured_on_coins_that_ride_by(command, settings):
    status, out, _ = command("calibrate", "belt", "--coins", 8, "--config", settings, "--json")
    found = json.loads(out)
    assert status == 0 and found["coins"] == 8 and not found["written"]
    assert (
        found["speed_mm_s"] == pytest.approx(250, rel=0.05)
        and 0.5 <= found["speed_tolerance_percent"] < 20
    )


def test_the_wiring_is_written_for_these_settings(command, settings, tmp_path):
    status, out, _ = command("wiring", "--config", settings, "--out", tmp_path / "firmware")
    assert status == 0 and all(
        (tmp_path / "firmware" / name).exists()
        for name in ("coinsorter.txt", "pins.md", "wiring.svg", "bom.md")
    )
    assert len(out.splitlines()) == len(list((tmp_path / "firmware").iterdir()))


def test_watch_shows_what_the_ledger_holds(command, settings, tmp_path, recording):
    (tmp_path / "var").mkdir()
    command(
        "run",
        "--simulate",
        "--coins",
        5,
        "--out",
        tmp_path / "demo",
        "--config",
        settings,
        "--json",
    )
    shutil.copy(tmp_path / "demo" / "ledger.db", tmp_path / "var" / "ledger.db")
    status, out, _ = command("watch", "--once", "--config", settings)
    assert status == 0 and "seen" in out and "reject" in out
    found = json.loads(command("watch", "--json", "--config", settings)[1])
    assert found["totals"]["seen"] == 5 == len(found["last"])


def test_watch_without_a_ledger_says_so(command, settings):
    status, _, err = command("watch", "--once", "--config", settings)
    assert status == 66 and "ledger.db" in err and len(err.splitlines()) == 1


def test_doctor_prints_a_line_for_each_part_and_names_what_is_missing(command, settings):
    settings.write_text(
        settings.read_text().replace("frames_per_s: 60 ", "frames_per_s: 30 ")
    )  # which a busy computer keeps up with
    status, out, _ = command("doctor", "--config", settings)
    lines = out.splitlines()
    for part in (
        "settings",
        "models",
        "packages",
        "camera",
        "servos",
        "permissions",
        "ledger",
        "clock",
        "temperature",
        "supply",
        "memory",
        "versions",
    ):
        assert any(line[8:].startswith(f"{part}: ") for line in lines), part
    assert any(line.startswith("ok") and "folder: 640x480" in line for line in lines)
    assert any("no flap moves" in line for line in lines)
    found = json.loads(command("doctor", "--config", settings, "--json")[1])
    assert status == int(any(finding["state"] == "fault" for finding in found))


def test_the_self_test_alone_touches_no_hardware(command, settings):
    settings.write_text(settings.read_text().replace("source: folder ", "source: pi "))
    status, out, _ = command("doctor", "--self-test", "--config", settings)
    assert status == 0 and [line.split()[1] for line in out.splitlines()] == [
        "settings:",
        "models:",
        "packages:",
    ]
    settings.write_text(settings.read_text().replace(str(CROWNS), str(CROWNS / "none")))
    status, out, _ = command("doctor", "--self-test", "--config", settings)
    assert status == 1 and "no such bundle" in out


def test_pictures_of_another_size_are_a_fault_that_says_both(command, settings, tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((240, 320, 3), np.uint8))
    text = settings.read_text().splitlines()
    settings.write_text(
        "\n".join(
            f"  folder: {tmp_path}" if line.startswith("  folder:") else line for line in text
        )
    )
    status, out, _ = command("doctor", "--config", settings)
    assert status == 1 and "delivers 320x240, not 640x480" in out and "set camera.width_px" in out
