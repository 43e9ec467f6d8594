"""systemd: what systemd hears, and when."""

import os
import socket
from itertools import pairwise

import pytest

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


@pytest.mark.parametrize("is_abstract", [False, True])
def test_messages_reach_the_socket_that_systemd_names(monkeypatch, tmp_path, is_abstract):
    name = f"@{tmp_path}" if is_abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if is_abstract else name)
        notifier = systemd_notify.connect_systemd()
        notifier.report_ready("sorting")
        notifier.report_alive(0.0, lambda: "sorting")
        notifier.report_stopping("enough")
        listening.settimeout(5)
        assert listening.recv(1000).decode() == "READY=1\nSTATUS=sorting"
        assert listening.recv(1000).decode() == "STOPPING=1\nSTATUS=enough"


def test_a_socket_that_nobody_reads_does_not_hold_up_the_machine(monkeypatch, tmp_path, caplog):
    """Linux queues some messages (net.unix.max_dgram_qlen); a blocking sender would wait then."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unread:
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        unread.bind(str(tmp_path / "notify"))
        notifier = systemd_notify.connect_systemd()
        for _ in range(2000):
            notifier.report_reloading()
    assert caplog.text.count("systemd does not hear this service") == 1


@pytest.mark.parametrize("pid, watched", [("own", True), ("1", False)])
def test_the_watchdog_is_heard_only_by_the_process_that_is_watched(monkeypatch, pid, watched):
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert systemd_notify._read_interval_s() == (8.0 if watched else None)


def test_a_socket_that_is_gone_is_logged_once_and_the_machine_sorts_on(caplog):
    sockets = [FileNotFoundError(2, "No such file"), ConnectionRefusedError(111, "refused")]
    sent = []

    def notify(message: str) -> None:
        if sockets:
            raise sockets.pop()
        sent.append(message)

    service = SystemdNotifier(notify)
    service.report_ready("sorting")
    service.report_reloading()
    assert caplog.text.count("systemd does not hear this service") == 1
    service.report_stopping("flaps go to rest")
    assert sent == ["STOPPING=1\nSTATUS=flaps go to rest"]


def test_a_status_of_several_lines_is_one_message():
    recorder = Recorder()
    recorder.service.report_ready("fault: one\nMAINPID=1\n two")
    assert recorder.messages == [(0.0, "READY=1\nSTATUS=fault: one MAINPID=1 two")]


def test_a_watchdog_interval_that_is_no_number_is_none(monkeypatch):
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "soon")
    assert systemd_notify._read_interval_s() is None
