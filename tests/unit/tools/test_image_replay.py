"""Replay: what becomes of single images."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.recognition import runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import Frame
from coinsorter.simulator.coins import make_genuine_coin
from coinsorter.simulator.foreign_objects import make_foreign_object
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.tools.image_replay import (
    MAX_WARNINGS,
    NO_COIN,
    WRONG_SIZE,
    Replay,
    build_own_rules,
    resize_plane,
)

PATH = Path("crown_2/coin_1.png")


@pytest.fixture(scope="module")
def replay(crowns):
    classifier = Classifier(crowns, runtime.pick_runtime("auto"), turns=1)
    return Replay(crowns, classifier, follow=False)


def render(item=None) -> Frame:
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), np.random.default_rng(4))
    placed = [(camera.draw_item(item), 5.0, -8.0)] if item else []
    return Frame(camera.render_frame(placed, 0.0), 0, 0.0)


@pytest.fixture(scope="module")
def coin() -> Frame:
    return render(make_genuine_coin(np.random.default_rng(3), "crown_2"))


def test_a_genuine_coin_is_accepted_as_what_its_folder_says(replay, coin):
    result = replay.replay_image(coin, PATH, "crown_2")
    assert result.accepted and result.correct and result.verdict.label == "crown_2"
    assert result.circles == 1 and result.took_s > 0


def test_a_coin_in_the_folder_of_another_label_is_not_correct(replay, coin):
    result = replay.replay_image(coin, PATH, "crown_5")
    assert result.accepted and not result.correct


def test_a_foreign_object_is_rejected(replay):
    token = render(make_foreign_object(np.random.default_rng(3), "token", ("heart",)))
    result = replay.replay_image(token, PATH, "token")
    assert not result.accepted and not result.correct and result.decision.bin == "reject"


def test_an_empty_belt_shows_no_coin(replay):
    result = replay.replay_image(render(), PATH, None)
    assert result.decision.reason == NO_COIN and result.circles == 0
    assert result.coin is None and result.verdict is None


@pytest.mark.parametrize("shape", [(300, 300), (480, 660), (12, 16)])
def test_an_image_that_is_not_the_cameras_view_is_rejected(replay, caplog, shape):
    frame = Frame(np.full((*shape, 3), 90, np.uint8), 0, 0.0)
    result = replay.replay_image(frame, PATH, None)
    assert result.decision.reason == WRONG_SIZE
    assert f"is {shape[1]}x{shape[0]}, the camera's view is 640x480" in caplog.text


def test_a_folder_of_other_photographs_does_not_flood_the_log(crowns, caplog):
    fresh = Replay(crowns, Classifier(crowns, runtime.pick_runtime("auto")))
    frame = Frame(np.full((300, 300, 3), 90, np.uint8), 0, 0.0)
    reasons = {fresh.replay_image(frame, PATH, None).decision.reason for _ in range(20)}
    assert reasons == {WRONG_SIZE}
    assert len(caplog.records) == MAX_WARNINGS + 1 and "more images" in caplog.text


def test_the_view_in_another_resolution_gives_the_same_diameter(replay, coin):
    small = cv2.resize(coin.pixels, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    full_size = replay.replay_image(coin, PATH, None)
    reduced = replay.replay_image(replace(coin, pixels=small), PATH, None)
    assert reduced.coin.diameter_mm == pytest.approx(full_size.coin.diameter_mm, rel=0.01)


def test_a_plane_that_fits_the_image_is_not_copied(crowns, coin):
    assert resize_plane(crowns.view, coin) is crowns.view


def test_without_settings_every_label_has_a_bin_of_its_name(crowns):
    rules = build_own_rules(crowns)
    assert rules.bins == {name: name for name in crowns.labels}
    assert rules.thresholds == crowns.thresholds and rules.reject_bin == "reject"


def test_images_are_replayed_in_order_with_their_folders_labels(replay, coin, tmp_path, caplog):
    (tmp_path / "crown_2").mkdir()
    paths = [tmp_path / "crown_2" / "a_1.png", tmp_path / "b_2.png", tmp_path / "c_3.png"]
    for path in paths[:2]:
        cv2.imwrite(str(path), coin.pixels[..., ::-1])
    paths[2].write_bytes(b"no image")
    done = []
    results, unreadable = replay.replay_images(paths, tmp_path, done.append)
    assert [(result.path, result.label) for result in results] == [
        (paths[0], "crown_2"),
        (paths[1], None),
    ]
    assert unreadable == [paths[2]] and done == [1, 2]
    assert "c_3.png: cannot be read: no image, or a damaged one; left out" in caplog.text
