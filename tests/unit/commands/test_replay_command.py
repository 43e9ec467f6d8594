"""coinsorter replay: what becomes of images of single coins, and of a recorded belt."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.images.image_io import list_images
from coinsorter.recognition import runtime
from coinsorter.recognition.bundle_files import MANIFEST
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.seal import compute_digest
from coinsorter.simulator import belt, coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.tools.image_replay import Replay
from tests.conftest import CONFIG, CROWNS


def test_replay_counts_what_became_of_every_image(command, photographs, tmp_path):
    events = tmp_path / "events.jsonl"
    status, out, _ = command(
        "replay", photographs, "--bundle", CROWNS, "--json", "--events", events
    )
    result = json.loads(out)
    assert result["bundle_hash"] == compute_digest((CROWNS / MANIFEST).read_bytes())
    assert status == 0 and result["pictures"] == result["seen"] == result["one_coin"] == 16
    assert result["correct"] == 12 and result["wrong"] == 0
    assert result["foreign"] == 4 and result["foreign_accepted"] == 0
    assert result["accepted"] + sum(result["rejected"].values()) == 16
    assert result["per_class"]["crown_2"] == {"seen": 4, "accepted": 4, "correct": 4, "wrong": 0}
    assert result["confusion"]["token"] == {"rejected": 4} and result["confusion"]["bit_10"] == {
        "bit_10": 4
    }
    assert 0 < result["ms_per_coin"]["median"] <= result["ms_per_coin"]["p99"]
    rows = [json.loads(line) for line in events.read_text().splitlines()]
    assert len(rows) == 16
    for row in rows:
        assert set(row) >= {
            "path",
            "label",
            "predicted",
            "confidence",
            "anomaly",
            "diameter_mm",
            "accepted",
            "reason",
        }
        assert row["accepted"] == (row["reason"] == "sorted") == (row["label"] != "token")


def test_detection_does_not_depend_on_the_scale_that_is_followed(crowns, photographs):
    """Else one coin's last digit decides what the next image shows."""
    followed, calibrated = (
        Replay(crowns, Classifier(crowns, runtime.pick_runtime("auto")), follow=follow)
        for follow in (True, False)
    )
    paths = list_images(photographs)
    one, other = (replay.replay_images(paths, photographs)[0] for replay in (followed, calibrated))
    assert [r.coin and r.coin.circles for r in one] == [r.coin and r.coin.circles for r in other]
    assert [r.coin.diameter_mm for r in one if r.coin] != [
        r.coin.diameter_mm for r in other if r.coin
    ]


def test_replay_as_a_table(command, photographs):
    status, out, _ = command("replay", photographs, "--bundle", CROWNS)
    assert (
        status == 0
        and "16 images, 16 with exactly one coin" in out
        and "foreign 4, of which accepted 0" in out
    )


def test_an_unreadable_image_is_named_and_counted_and_the_rest_goes_on(
    command, photographs, tmp_path, caplog
):
    folder = shutil.copytree(photographs, tmp_path / "some")
    (folder / "bit_10" / "broken_001.png").write_bytes(b"\x89PNG and no more")
    (folder / "bit_10" / "empty_002.jpg").write_bytes(b"")
    status, out, _ = command("replay", folder, "--bundle", CROWNS, "--json")
    result = json.loads(out)
    assert status == 0 and result["correct"] == 12
    assert [Path(path).name for path in result["unreadable"]] == ["broken_001.png", "empty_002.jpg"]
    assert "broken_001.png: cannot be read: no image" in caplog.text


def test_files_that_are_no_images_are_counted(command, photographs, tmp_path):
    folder = shutil.copytree(photographs, tmp_path / "some")
    (folder / "bit_10" / "notes.txt").write_text("no image")
    (folder / "bit_10" / ".DS_Store").write_text("a system's own")
    status, out, _ = command("replay", folder, "--bundle", CROWNS, "--json")
    result = json.loads(out)
    assert (status, result["passed_over"]) == (0, {".txt": 1, "hidden": 1})
    out = command("replay", folder, "--bundle", CROWNS)[1]
    assert "passed over, as no images: 1 .txt, 1 hidden" in out


def test_faces_within_a_label_are_of_that_label(command, photographs, tmp_path):
    folder = shutil.copytree(photographs, tmp_path / "some")
    for label in list(folder.iterdir()):
        (label / "obverse").mkdir()
        for image in label.glob("*.*"):
            image.rename(label / "obverse" / image.name)
    result = json.loads(command("replay", folder, "--bundle", CROWNS, "--json")[1])
    assert (result["correct"], result["foreign"]) == (12, 4)


def test_images_that_the_camera_did_not_take_are_rejected(command, photographs, tmp_path, caplog):
    cv2.imwrite(str(tmp_path / "crop_1.png"), np.full((300, 300, 3), 90, np.uint8))
    result = json.loads(command("replay", tmp_path, "--bundle", CROWNS, "--json")[1])
    assert result["rejected"] == {"wrong-size": 1} and "300x300" in caplog.text


def test_images_of_nothing_have_no_coin(command, tmp_path):
    cv2.imwrite(str(tmp_path / "belt_1.png"), np.full((480, 640, 3), 90, np.uint8))
    result = json.loads(command("replay", tmp_path, "--bundle", CROWNS, "--json")[1])
    assert (
        result["seen"] == 0
        and result["rejected"] == {"no-coin": 1}
        and result["ms_per_coin"]["median"] is None
    )


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_a_folder_without_images_is_one_line(command, tmp_path, kind):
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.write_text("x")
    status, _, err = command("replay", folder, "--bundle", CROWNS)
    assert status == 66 and str(folder) in err and err.count("\n") == 1


def test_a_recording_of_the_belt_goes_through_the_whole_machine(command, tmp_path, config):
    rng = np.random.default_rng(9)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    riders = [
        belt.Rider(i, coins.make_genuine_coin(rng, label), 110.0 + 90 * i, 0.0)
        for i, label in enumerate(("crown_1", "bit_20"))
    ]
    sprites = [camera.draw_item(rider.item) for rider in riders]
    for number in range(85):
        run = config.belt.speed_mm_s * number / config.camera.frames_per_s
        pixels = camera.render_frame(
            [(s, run - r.offset_mm, 0.0) for s, r in zip(sprites, riders)], run
        )
        cv2.imwrite(str(tmp_path / f"frame_{number:04d}.png"), pixels[..., ::-1])
    events = tmp_path / "events.jsonl"
    status, out, _ = command(
        "replay", tmp_path, "--config", CONFIG, "--belt", "--json", "--events", events
    )
    result = json.loads(out)
    assert status == 0 and result["seen"] == 2 and result["bins"] == {"crown_1": 1, "bit_20": 1}
    assert [json.loads(line)["label"] for line in events.read_text().splitlines()] == [
        "crown_1",
        "bit_20",
    ]
    status, out, _ = command("replay", tmp_path, "--config", CONFIG, "--belt")
    assert status == 0 and "crown_1" in out and "seen" in out


@pytest.mark.parametrize("name", [".", "no-such-folder/x.jsonl", "photographs"])
def test_events_that_cannot_be_written_are_named_and_nothing_is_left(
    command, photographs, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photographs").mkdir()
    status, _, err = command("replay", photographs, "--bundle", CROWNS, "--json", "--events", name)
    assert status == 66 and err.count("cannot be written") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]


def test_events_written_through_a_link_leave_the_link(command, photographs, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "events.jsonl")
    assert (
        command("replay", photographs, "--bundle", CROWNS, "--json", "--events", tmp_path / "link")[
            0
        ]
        == 0
    )
    assert (tmp_path / "link").is_symlink() and (tmp_path / "events.jsonl").read_text().count(
        "\n"
    ) == 16
