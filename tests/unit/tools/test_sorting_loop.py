"""The loop of the service: settings that are read again beside the frames, and the state's line."""

import threading
import time
from types import SimpleNamespace

import pytest

from coinsorter.errors import CameraError
from coinsorter.hardware.systemd import SystemdNotifier
from coinsorter.sorting.assembly import build_rules
from coinsorter.tools import settings_reload
from coinsorter.tools.sorting_loop import SortingLoop


class StubMachine:
    """A machine that counts its frames and ends when it is asked to."""

    def __init__(self, config, crowns) -> None:
        sites = [SimpleNamespace(bin=bin_.name) for bin_ in config.bins]
        self.rules = build_rules(config, crowns)
        self.schedule = SimpleNamespace(sites=sites)
        self.camera = SimpleNamespace(heartbeat_s=0.0)
        self.failure = None
        self.waiting_for = None
        self.state = "sorting"
        self.coins_seen = 7
        self.frames = 0

    def start(self) -> None:
        pass

    def step(self) -> bool:
        self.frames += 1
        time.sleep(0.001)
        return True


class ReloadOnce:
    """SIGHUP at the first frame, SIGTERM when the settings are read."""

    def __init__(self) -> None:
        self.wanted = True
        self.stop = False

    def take_reload(self) -> bool:
        wanted, self.wanted = self.wanted, False
        return wanted


@pytest.fixture
def config_path(tmp_path, without_hardware):
    path = tmp_path / "config.yaml"
    path.write_text(without_hardware)
    return path


@pytest.fixture
def reload(config, crowns, config_path):
    """Runs a machine until it has read its settings again; the machine and the messages."""

    def run() -> tuple[StubMachine, list[str]]:
        machine, signals, messages = StubMachine(config, crowns), ReloadOnce(), []

        def notify(message: str) -> None:
            messages.append(message)
            signals.stop = len([m for m in messages if m.startswith("READY=1")]) == 2

        notifier = SystemdNotifier(notify)
        SortingLoop(machine, crowns, notifier, signals, config_path).run()
        return machine, messages

    return run


def test_reloading_takes_the_thresholds_of_the_file(reload, config_path):
    text = config_path.read_text()
    assert "max_anomaly: null" in text
    config_path.write_text(text.replace("max_anomaly: null", "max_anomaly: 0.5"))
    machine, messages = reload()
    assert {threshold.max_anomaly for threshold in machine.rules.thresholds.values()} == {0.5}
    assert messages[-1] == "READY=1\nSTATUS=sorting; 7 things seen with crowns"


@pytest.mark.parametrize(
    "change, complaint",
    [
        (("max_anomaly: null", "max_anomaly: -1"), "max_anomaly: -1 is below"),
        (("- name: bit_10\n", "- name: bit_10_again\n"), "bins are added only at a start"),
    ],
)
def test_a_file_that_cannot_be_reloaded_changes_nothing_and_the_status_says_why(
    reload, config_path, caplog, change, complaint
):
    text = config_path.read_text()
    assert change[0] in text
    config_path.write_text(text.replace(*change))
    machine, messages = reload()
    thresholds = machine.rules.thresholds.values()
    assert all(threshold.max_anomaly > 0.5 for threshold in thresholds)
    assert f"not reloaded: {config_path}" in caplog.text and complaint in caplog.text
    assert "; settings not reloaded: " in messages[-1] and complaint in messages[-1]


def test_frames_are_taken_while_the_settings_are_read(reload, monkeypatch):
    """The file is read only when the machine has taken three more frames."""
    frames = threading.Semaphore(0)
    read_config, step = settings_reload.read_config, StubMachine.step

    def read_slowly(*arguments):
        for _ in range(3):
            assert frames.acquire(timeout=1.0)
        return read_config(*arguments)

    def step_and_count(machine: StubMachine) -> bool:
        frames.release()
        return step(machine)

    monkeypatch.setattr(settings_reload, "read_config", read_slowly)
    monkeypatch.setattr(StubMachine, "step", step_and_count)
    machine, messages = reload()
    assert machine.frames >= 3 and "not reloaded" not in messages[-1]


def test_the_state_names_what_is_sorted_and_what_failed(config, crowns, config_path):
    machine = StubMachine(config, crowns)
    loop = SortingLoop(machine, crowns, SystemdNotifier(print), ReloadOnce(), config_path)
    assert loop.describe_state() == "sorting; 7 things seen with crowns"
    machine.state, machine.waiting_for = "waiting", "disk is full; free some space"
    waiting = "waiting: disk is full; free some space; goes on by itself; 7 things seen with crowns"
    assert loop.describe_state() == waiting
    machine.state, machine.waiting_for, machine.failure = "fault", None, CameraError("gone")
    assert loop.describe_state() == "fault: gone; 7 things seen with crowns"
