"""The machine as a service: what signals do, what systemd hears, and where the flaps end."""

import signal
import sqlite3
from contextlib import closing

import pytest

from coinsorter.config.load import load_config
from coinsorter.hardware import systemd
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.tools.sorting_service import sort_until_stopped


@pytest.fixture(autouse=True)
def _signals_as_before():
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers):
        signal.signal(number, handler)


@pytest.fixture
def config_path(tmp_path, without_hardware):
    path = tmp_path / "config.yaml"
    path.write_text(without_hardware)
    return path


def test_the_machine_sorts_reloads_and_stops_at_signals_with_its_flaps_at_rest(
    config_path, crowns, monkeypatch
):
    """SIGHUP comes as soon as the machine is ready, SIGTERM as soon as it is ready again."""
    messages = []
    pulses = []

    def notify(message: str) -> None:
        messages.append(message.splitlines()[0])
        if message.startswith("READY=1"):
            signal.raise_signal(signal.SIGHUP if len(messages) == 1 else signal.SIGTERM)

    service = systemd.SystemdNotifier(notify)
    monkeypatch.setattr(systemd, "connect_systemd", lambda: service)
    monkeypatch.setattr(MockServos, "pulse", lambda self, pin, us: pulses.append((pin, us)))
    sort_until_stopped(load_config(config_path), lambda: crowns, config_path, note="a batch")
    kinds = [message for message in messages if not message.startswith("STATUS=")]
    assert kinds == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    last_us = {}
    for pin, us in pulses:
        last_us.setdefault(pin, []).append(us)
    assert len(last_us) == 8
    for pulses_us in last_us.values():
        assert pulses_us[-1] == 1500
    with closing(sqlite3.connect(config_path.parent / "var" / "ledger.db")) as connection:
        assert connection.execute("SELECT note FROM runs").fetchall() == [("a batch",)]
