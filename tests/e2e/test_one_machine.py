"""One machine, one process: whoever comes second is refused by name, and nothing is changed."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.conftest import ROOT
from tests.e2e.test_service import Service


@pytest.fixture
def service(tmp_path, without_hardware):
    """The machine, sorting."""
    started = Service(tmp_path, without_hardware)
    started.wait_for("READY=1")
    yield started
    started.close()


def call(folder, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "coinsorter", *words, "--config", str(folder / "config.yaml")]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def read_runs(folder) -> list[tuple]:
    with closing(sqlite3.connect(folder / "var" / "ledger.db")) as connection:
        return connection.execute("SELECT id, ended_at FROM runs").fetchall()


def test_whoever_comes_second_is_refused_by_name_and_the_machine_sorts_on(service, tmp_path):
    for words in (["run"], ["park"], ["jog", "bit_10"], ["calibrate", "flaps"]):
        second = call(tmp_path, *words)
        assert second.returncode == 75, second.stderr
        last_line = second.stderr.splitlines()[-1]
        assert f"the machine is sorting (process {service.process.pid}, since " in last_line
        assert "`sudo systemctl stop coinsorter`" in last_line
        assert second.stdout == ""
    assert read_runs(tmp_path) == [(1, None)]
    service.wait_for("WATCHDOG=1")
    assert service.end() == 0


def test_after_kill_9_the_flaps_can_be_parked_at_once(service, tmp_path):
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    parked = call(tmp_path, "park")
    assert (parked.returncode, parked.stdout) == (0, "every flap is at rest\n")


def test_a_second_machine_with_a_ledger_of_its_own_runs_beside_it(service, tmp_path):
    (tmp_path / "second").mkdir()
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "second" / "config.yaml").write_text(text)
    assert call(tmp_path / "second", "park").returncode == 0
    simulated = ["run", "--simulate", "--coins", "3", "--json", "--out", str(tmp_path / "demo")]
    assert call(tmp_path, *simulated).returncode == 0


def test_a_simulated_run_does_not_remove_a_ledger_that_is_being_written(service, tmp_path):
    simulated = ["run", "--simulate", "--coins", "3", "--json", "--out", str(tmp_path / "var")]
    refused = call(tmp_path, *simulated)
    assert refused.returncode in (66, 75) and "ledger.db: " in refused.stderr
    assert read_runs(tmp_path) == [(1, None)]
