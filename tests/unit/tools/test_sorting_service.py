"""The machine as a service: what signals do, what systemd hears, and where the flaps end."""

import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from coinsorter.config.load import load_config
from coinsorter.hardware import systemd
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_rows, read_totals
from coinsorter.tools.sorting_service import sort_until_stopped
from tests.unit.ledger.ledger_rows import RUN, event


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


def test_rows_leave_after_as_many_days_as_the_settings_say(config_path, crowns, monkeypatch):
    for module in ("coinsorter.ledger.blocks", "coinsorter.ledger.ledger"):
        monkeypatch.setattr(f"{module}.BLOCK_ROWS", 10)
    path = config_path.parent / "var" / "ledger.db"
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with closing(Ledger(path, RUN, lambda: long_ago)) as ledger:
        for coin in range(30):
            ledger.record(event(coin))
            ledger.complete(coin, "crown_2")
    config_path.write_text(config_path.read_text().replace("keep_days: null", "keep_days: 30"))
    service = systemd.SystemdNotifier(lambda _: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(systemd, "connect_systemd", lambda: service)
    sort_until_stopped(load_config(config_path), lambda: crowns, config_path)
    assert [row["id"] for row in read_rows(path)][:10] == list(range(21, 31))
    assert read_totals(path, run=1)["bins"] == {"crown_2": 30}
