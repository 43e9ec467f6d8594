"""The machine as a service: real processes and real signals.

A socket takes systemd's place; the belt is a recorded one, and the servos are mock ones.
"""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.ledger.queries import read_totals
from tests.conftest import ROOT


class Service:
    """`coinsorter run` as systemd starts it, the messages it sends, and its log."""

    def __init__(self, folder, settings: str) -> None:
        (folder / "config.yaml").write_text(settings)
        self.folder = folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(30)
        environment = os.environ | {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "2000000",
            "PYTHONPATH": str(ROOT),
        }
        self.log = (folder / "log").open("w")
        program = [sys.executable, "-m", "coinsorter"]
        command = [*program, "run", "--config", str(folder / "config.yaml")]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stderr=self.log, stdout=self.log
        )

    def wait_for(self, word: str, within_s: float = 30) -> str:
        """The next message that has a word in it."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            message = self._socket.recv(4000).decode()
            if word in message:
                return message
        raise AssertionError(f"no {word} within {within_s} s: {self.read_log()}")

    def read_log(self) -> str:
        self.log.flush()
        return (self.folder / "log").read_text()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(20)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()
        self.log.close()


@pytest.fixture
def start(tmp_path, without_hardware):
    """Starts the service; changes: (old, new) pieces of the text of its config.yaml."""
    services = []

    def run(*changes: tuple[str, str]) -> Service:
        settings = without_hardware
        for old, new in changes:
            assert old in settings
            settings = settings.replace(old, new)
        services.append(Service(tmp_path, settings))
        return services[-1]

    yield run
    for service in services:
        service.close()


def test_it_reports_ready_pings_while_frames_come_and_stops_on_sigterm(start):
    service = start()
    assert service.wait_for("READY=1").startswith(
        "READY=1\nSTATUS=sorting; 0 things seen with crowns"
    )
    for _ in range(3):
        service.wait_for("WATCHDOG=1", within_s=5)
    assert service.end() == 0
    assert "flaps go to rest" in service.wait_for("STOPPING=1")


def test_coins_are_in_the_ledger_while_it_runs_and_the_run_is_ended_when_it_stops(start, tmp_path):
    service = start()
    service.wait_for("READY=1")
    path, until_s = tmp_path / "var" / "ledger.db", time.monotonic() + 60
    while read_totals(path)["seen"] < 3 and time.monotonic() < until_s:
        time.sleep(0.2)
    service.end()
    totals = read_totals(path)
    accounted = sum(totals["bins"].values()) + totals["uncertain"] + totals["open"]
    assert totals["seen"] == accounted >= 3
    with sqlite3.connect(path) as connection:
        (ended_at,) = connection.execute("SELECT ended_at FROM runs").fetchone()
    connection.close()
    assert ended_at


def test_a_killed_service_leaves_rows_that_the_next_start_closes(start, tmp_path):
    service = start()
    service.wait_for("READY=1")
    path, until_s = tmp_path / "var" / "ledger.db", time.monotonic() + 60
    while read_totals(path)["open"] < 1 and time.monotonic() < until_s:
        time.sleep(0.02)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    before = read_totals(path)
    Ledger(path, RunRecord("b", "h", "r")).close()
    after = read_totals(path)
    assert after["seen"] == before["seen"] and after["open"] == 0
    assert after["uncertain"] == before["open"]


@pytest.mark.parametrize(
    "threshold, messages",
    [
        ("0.9999 ", ["thresholds and labels reloaded"]),
        ("7 ", ["not reloaded: ", "acceptance.min_confidence: 7 is above 1"]),
    ],
)
def test_new_thresholds_are_taken_over_without_a_restart_unless_they_hold_mistakes(
    start, tmp_path, threshold, messages
):
    service = start()
    service.wait_for("READY=1")
    path = tmp_path / "config.yaml"
    path.write_text(
        path.read_text().replace("min_confidence: null ", f"min_confidence: {threshold}")
    )
    service.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in service.wait_for("RELOADING=1")
    service.wait_for("READY=1")
    assert all(message in service.read_log() for message in messages)
    assert service.process.poll() is None


def test_a_mistake_in_the_settings_ends_the_start_with_78(start):
    service = start(("pin: 6,", "pin: 5,"))
    assert service.process.wait(30) == 78 and "GPIO 5 drives bins[0] already" in service.read_log()


def test_a_camera_that_is_not_there_ends_the_start_with_69_and_one_line(start):
    service = start(("source: folder ", "source: usb "), ("usb_device: 0 ", "usb_device: 63 "))
    assert service.process.wait(30) == 69
    (complaint,) = [
        line for line in service.read_log().splitlines() if line.startswith("coinsorter:")
    ]
    assert "/dev/video63 is not there" in complaint
