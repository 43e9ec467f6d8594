"""The machine as a service: what signals do, what systemd hears, and where the flaps end."""

import signal
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from coinsorter.config.load import load_config
from coinsorter.errors import CameraError
from coinsorter.hardware import systemd
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.sorting.assembly import build_rules
from coinsorter.tools.sorting_service import (
    SignalRequests,
    describe_state,
    reload_rules,
    sort_until_stopped,
)


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


@pytest.mark.parametrize(
    "number, requests",
    [
        (signal.SIGTERM, (True, False)),
        (signal.SIGINT, (True, False)),
        (signal.SIGHUP, (False, True)),
    ],
)
def test_a_signal_is_a_request(number, requests):
    signals = SignalRequests()
    assert (signals.stop, signals.reload) == (False, False)
    signal.raise_signal(number)
    assert (signals.stop, signals.reload) == requests


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
    sort_until_stopped(load_config(config_path), crowns, config_path, note="a batch")
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


@pytest.fixture
def machine(config, crowns):
    """What `reload_rules` needs of a machine."""
    sites = [SimpleNamespace(bin=bin_.name) for bin_ in config.bins]
    return SimpleNamespace(
        rules=build_rules(config, crowns),
        schedule=SimpleNamespace(sites=sites),
        failure=None,
        state="sorting",
        coins_seen=7,
    )


def test_reloading_takes_the_thresholds_of_the_file(config_path, crowns, machine):
    text = config_path.read_text()
    assert "max_anomaly: null" in text
    config_path.write_text(text.replace("max_anomaly: null", "max_anomaly: 0.5"))
    reload_rules(config_path, machine, crowns)
    assert {threshold.max_anomaly for threshold in machine.rules.thresholds.values()} == {0.5}


@pytest.mark.parametrize(
    "change, complaint",
    [
        (("max_anomaly: null", "max_anomaly: -1"), "max_anomaly: -1 is below"),
        (("- name: bit_10\n", "- name: bit_10_again\n"), "bins are added only at a start"),
    ],
)
def test_a_file_that_cannot_be_reloaded_changes_nothing(
    config_path, crowns, machine, caplog, change, complaint
):
    rules = machine.rules
    text = config_path.read_text()
    assert change[0] in text
    config_path.write_text(text.replace(*change))
    reload_rules(config_path, machine, crowns)
    assert machine.rules is rules
    assert f"not reloaded: {config_path}" in caplog.text and complaint in caplog.text


def test_the_state_names_what_is_sorted_and_what_failed(machine, crowns):
    assert describe_state(machine, crowns) == "sorting; 7 things seen with crowns"
    machine.state, machine.failure = "fault", CameraError("gone")
    assert describe_state(machine, crowns) == "fault: gone; 7 things seen with crowns"
