"""The camera over the simulated belt."""

import threading
import time

import numpy as np
import pytest

from coinsorter.recognition import runtime
from coinsorter.simulator.simulated_machine import SimulatedMachine


@pytest.fixture
def build(config, crowns, tmp_path):
    """A function that builds the same simulated machine again and again."""
    ledgers = (tmp_path / f"{number}.db" for number in range(9))
    chosen = runtime.pick_runtime("auto")
    built = []

    def build_one():
        built.append(SimulatedMachine(config, crowns, next(ledgers), 3, 3, chosen))
        return built[-1]

    yield build_one
    for simulated in built:
        simulated.machine.close()


def test_the_camera_delivers_frames_until_everything_has_landed(build):
    simulated = build()
    frames = []
    while frame := simulated.camera.next_frame():
        frames.append(frame)
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert frames[1].taken_s == pytest.approx(1 / simulated.config.camera.frames_per_s)
    assert simulated.camera.landed == 3
    assert {rider.landed for rider in simulated.belt.riders} == {"reject"}
    assert simulated.clock.now_s() == simulated.camera.heartbeat_s > frames[-1].taken_s


def test_frames_are_the_same_however_long_the_machine_looks_at_each(build):
    hasty, slow = build(), build()
    for _ in range(30):
        quick_frame = hasty.camera.next_frame()
        time.sleep(0.003)
        slow_frame = slow.camera.next_frame()
        assert np.array_equal(quick_frame.pixels, slow_frame.pixels)


def test_a_frame_stays_as_it_was_while_the_next_is_drawn(build):
    camera = build().camera
    frame = camera.next_frame()
    before = frame.pixels.copy()
    camera.next_frame()
    assert np.array_equal(frame.pixels, before)


def test_what_fails_while_drawing_fails_in_the_machine(build, monkeypatch):
    simulated = build()

    def fail(time_s, half_view_mm):
        raise MemoryError("no room for a sprite")

    monkeypatch.setattr(simulated.belt, "list_visible", fail)
    with pytest.raises(MemoryError, match="sprite"):
        simulated.camera.next_frame()


def test_drawing_is_counted_and_its_thread_ends_with_the_camera(build):
    before = set(threading.enumerate())
    camera = build().camera
    camera.next_frame()
    camera.close()
    started = set(threading.enumerate()) - before
    assert camera.drawing_s > 0
    assert not [thread for thread in started if "painter" in thread.name]
