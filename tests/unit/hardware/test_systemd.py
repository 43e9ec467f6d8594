"""systemd: what systemd hears, and when."""

import os
import socket
import sys
import types
from itertools import pairwise

import pytest

from coinsorter.errors import ServiceError
from coinsorter.hardware import systemd as systemd_notify
from coinsorter.hardware.systemd import STATUS_S, SystemdNotifier


class Recorder:
    """A clock that is moved by hand, and the messages with their times."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.messages: list[tuple[float, str]] = []
        self.service = SystemdNotifier(
            lambda message: self.messages.append((self.now_s, message)),
            lambda: self.now_s,
            interval_s=8.0,
        )

    def frames(self, until_s: float, every_s: float = 0.05) -> None:
        while self.now_s < until_s:
            self.now_s += every_s
            self.service.report_alive(self.now_s, lambda: "sorting")

    def times(self, message: str) -> list[float]:
        return [at_s for at_s, text in self.messages if text == message]


def test_ready_is_reported_with_what_the_machine_does():
    recorder = Recorder()
    recorder.service.report_ready("sorting with models/crowns")
    assert recorder.messages == [(0.0, "READY=1\nSTATUS=sorting with models/crowns")]


def test_while_frames_come_the_watchdog_hears_of_them_well_within_its_interval():
    recorder = Recorder()
    recorder.service.report_ready("sorting")
    recorder.frames(until_s=60)
    times = [0.0, *recorder.times("WATCHDOG=1")]
    assert max(later - earlier for earlier, later in pairwise(times)) < 8.0 / 3
    assert len(times) < 60 / (8.0 / 4) + 2, "and no more often than it needs"
    assert len(recorder.times("STATUS=sorting")) == pytest.approx(60 / STATUS_S, abs=1)


def test_a_loop_that_goes_round_without_frames_pings_no_watchdog():
    recorder = Recorder()
    recorder.service.report_ready("sorting")
    recorder.frames(until_s=10)
    for recorder.now_s in range(11, 40):
        recorder.service.report_alive(10.0, lambda: "sorting")
    assert max(recorder.times("WATCHDOG=1")) < 10 + 8.0 / 4 + 1
    assert max(recorder.times("STATUS=sorting")) > 30


def test_the_end_and_a_reload_are_reported():
    recorder = Recorder()
    recorder.service.report_reloading()
    recorder.service.report_stopping("stopped by SIGTERM")
    assert recorder.messages[0][1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert recorder.messages[1][1] == "STOPPING=1\nSTATUS=stopped by SIGTERM"


def test_without_a_socket_no_message_is_sent(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    quiet = systemd_notify.connect_systemd()
    quiet.report_ready("sorting")
    quiet.report_alive(0.0, lambda: "sorting")


def test_systemd_without_its_package_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    monkeypatch.setitem(sys.modules, "systemd", None)
    with pytest.raises(ServiceError, match="apt install python3-systemd"):
        systemd_notify.connect_systemd()


def test_messages_reach_the_socket_that_systemd_names(monkeypatch, tmp_path):
    """With python3-systemd where it is installed, else with the protocol's one line."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    try:
        import systemd.daemon  # noqa: F401 - the real one, where it is installed
    except ImportError:
        daemon = types.SimpleNamespace(notify=_sent)
        monkeypatch.setitem(sys.modules, "systemd", types.SimpleNamespace(daemon=daemon))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        notifier = systemd_notify.connect_systemd()
        notifier.report_ready("sorting")
        notifier.report_alive(0.0, lambda: "sorting")
        notifier.report_stopping("enough")
        listening.settimeout(5)
        assert listening.recv(1000).decode() == "READY=1\nSTATUS=sorting"
        assert listening.recv(1000).decode() == "STOPPING=1\nSTATUS=enough"


def _sent(message: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.sendto(message.encode(), os.environ["NOTIFY_SOCKET"])


@pytest.mark.parametrize("pid, watched", [("own", True), ("1", False)])
def test_the_watchdog_is_heard_only_by_the_process_that_is_watched(monkeypatch, pid, watched):
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert systemd_notify._read_interval_s() == (8.0 if watched else None)
