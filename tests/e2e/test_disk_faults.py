"""The program while its ledger's disk fails; `python -m benchmarks.disk_faults` tries more."""

import subprocess
import sys

import pytest

from benchmarks.disk_faults import SortingProcess
from coinsorter.ledger.queries import read_rows, read_totals
from tests.conftest import ROOT

WAITING = "waiting for the ledger, feeder off"


@pytest.fixture
def sorting(tmp_path, without_hardware):
    (tmp_path / "config.yaml").write_text(without_hardware)
    sorting = SortingProcess(tmp_path)
    sorting.wait_for_rows(2)
    yield sorting
    sorting.close()


@pytest.mark.parametrize("fault", ["hangs", "full"])
def test_the_program_waits_for_its_disk_and_goes_on_by_itself(sorting, fault):
    sorting.set_fault(fault)
    sorting.wait_for_log(WAITING)
    rows = sorting.count_rows()
    sorting.set_fault(None)
    sorting.wait_for_log("going on")
    sorting.wait_for_rows(2)
    status, _ = sorting.stop()
    assert status == 0
    coins = [row["coin"] for row in read_rows(sorting.ledger_path)]
    assert coins == list(range(1, len(coins) + 1)) and len(coins) > rows
    totals = read_totals(sorting.ledger_path)
    landed = sum(totals["bins"].values()) + totals["uncertain"] + totals["open"]
    assert totals["seen"] == landed


def test_sigterm_ends_the_program_while_its_disk_hangs_and_lost_rows_are_named(sorting):
    sorting.set_fault("hangs")
    sorting.wait_for_log(WAITING)
    status, _ = sorting.stop()
    assert status == 74
    line = sorting.read_log().splitlines()[-1]
    assert line.startswith("coinsorter: ") and "rows are not written: coin " in line


def test_simulated_machines_over_failing_disks_lose_nothing_in_the_quick_form():
    words = ["--seeds", "1", "--coins", "40"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.disk_faults", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 rows missing, 0 twice" in done.stdout and "40 coins" in done.stdout
