"""A recording of the belt that goes through the whole machine."""

import pytest

from coinsorter.errors import LedgerError
from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.hardware.clock import ManualClock
from coinsorter.images.image_io import list_images
from coinsorter.recognition import runtime
from coinsorter.tools.belt_replay import ClockedCamera, replay_belt


def test_frames_move_the_clock_to_when_they_were_taken(recording):
    clock = ManualClock()
    camera = ClockedCamera(FolderCamera(list_images(recording)[:3], 0.5), clock)
    times_s = []
    while camera.next_frame():
        times_s.append(clock.now_s())
    assert times_s == [0.0, 0.5, 1.0] and camera.heartbeat_s == 1.0


def test_a_closed_recording_delivers_nothing(recording):
    camera = ClockedCamera(FolderCamera(list_images(recording)[:3], 0.5), ManualClock())
    camera.reopen()
    assert camera.next_frame() is not None
    camera.close()
    assert camera.next_frame() is None


def test_every_item_of_a_recording_has_its_row(recording, config, crowns, tmp_path):
    paths = list_images(recording)
    broken = tmp_path / "broken_99999.jpg"
    broken.write_bytes(b"no image")
    totals, rows = replay_belt(
        config, crowns, runtime.pick_runtime("auto"), [*paths, broken], tmp_path / "ledger.db"
    )
    assert totals["seen"] == len(rows) == 10 and totals["open"] == 0
    assert sum(totals["bins"].values()) == 10
    assert totals["pictures"] == len(paths) + 1 and totals["unreadable"] == [str(broken)]


def test_a_ledger_that_cannot_be_opened_ends_the_replay(recording, config, crowns, tmp_path):
    with pytest.raises(LedgerError):
        replay_belt(config, crowns, runtime.pick_runtime("auto"), list_images(recording), tmp_path)
