"""coinsorter doctor: a line for each part, and an exit status for programs."""

import json

import cv2
import numpy as np

from tests.conftest import CROWNS


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
    findings = json.loads(command("doctor", "--config", settings, "--json")[1])
    assert status == int(any(finding["state"] == "fault" for finding in findings))


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


def test_frames_of_another_size_are_a_fault_that_names_both_sizes(command, settings, tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((240, 320, 3), np.uint8))
    text = settings.read_text().splitlines()
    settings.write_text(
        "\n".join(
            f"  folder: {tmp_path}" if line.startswith("  folder:") else line for line in text
        )
    )
    status, out, _ = command("doctor", "--config", settings)
    assert status == 1 and "delivers 320x240, not 640x480" in out and "set camera.width_px" in out
