"""simulated_disk: SQLite fails as over a real disk, and the file holds what a real one would."""

import sqlite3
from contextlib import closing

import pytest

from coinsorter.errors import LedgerError, LedgerLockedError, LedgerUnavailableError
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_totals
from coinsorter.simulator.simulated_disk import DiskFault, SimulatedDisk
from tests.unit.ledger.ledger_rows import RUN, event


@pytest.fixture
def disk():
    return SimulatedDisk()


@pytest.fixture
def ledger(disk, tmp_path):
    with closing(Ledger(tmp_path / "ledger.db", RUN, connect=disk.connect)) as ledger:
        yield ledger


@pytest.mark.parametrize(
    "fault, failure, rows",
    [
        (DiskFault.FULL, LedgerUnavailableError, 0),
        (DiskFault.IO, LedgerUnavailableError, 0),
        (DiskFault.IO_AFTER_COMMIT, LedgerUnavailableError, 1),
        (DiskFault.READ_ONLY, LedgerUnavailableError, 0),
        (DiskFault.LOCKED, LedgerLockedError, 0),
        (DiskFault.DAMAGED, LedgerError, 0),
    ],
)
def test_a_fault_fails_the_transaction_and_ends_with_the_fault(ledger, disk, fault, failure, rows):
    disk.fault = fault
    with pytest.raises(failure) as error:
        ledger.record(event(1))
    assert type(error.value) is failure and fault.value[0] in str(error.value)
    assert read_totals(ledger.path)["seen"] == rows
    disk.fault = None
    ledger.record(event(2))
    assert read_totals(ledger.path)["seen"] == rows + 1


def test_each_commit_of_a_slow_disk_takes_its_time(ledger, disk):
    slept_s = []
    disk.sleep, disk.commit_s = slept_s.append, 5.0
    ledger.record(event(1))
    assert slept_s == [5.0] and read_totals(ledger.path)["seen"] == 1


def test_a_fault_names_the_code_that_sqlite_names():
    for fault in DiskFault:
        with pytest.raises(sqlite3.OperationalError) as error:
            fault.fail()
        assert error.value.sqlite_errorcode == fault.value[1]
