"""queued_ledger: what cannot be written for now is kept in order, tried again, and there once."""

from contextlib import closing
from datetime import UTC, datetime

import pytest

from coinsorter.errors import LedgerError
from coinsorter.hardware.clock import ManualClock
from coinsorter.ledger import queued_ledger
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_rows
from coinsorter.ledger.queued_ledger import COMPANY_S, DEADLINE_S, RETRY_S, QueuedLedger
from coinsorter.simulator.simulated_disk import DiskFault, SimulatedDisk
from tests.unit.ledger.ledger_rows import RUN, event

PASSING = [fault for fault in DiskFault if fault is not DiskFault.DAMAGED]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def disk():
    return SimulatedDisk()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path, disk, clock):
    ledger = QueuedLedger(lambda: Ledger(path, RUN, connect=disk.connect), clock.now_s)
    ledger.write_due()  # opens it
    return ledger


def pass_time(ledger: QueuedLedger, clock: ManualClock, seconds: float) -> None:
    clock.advance_to(clock.now_s() + seconds)
    if ledger.is_due:
        ledger.write_due()


def read_coins(path) -> list[tuple]:
    return [(row["coin"], row["landed"]) for row in read_rows(path)]


def test_changes_are_written_in_their_order(ledger, path):
    receipts = [ledger.record(event(coin)) for coin in (1, 2, 3)]
    ledger.complete(1, "crown_2")
    ledger.write_due()
    assert all(receipt.durable for receipt in receipts)
    assert read_coins(path) == [(1, "crown_2"), (2, None), (3, None)]


def test_a_row_is_due_at_once_and_its_end_waits_for_company(ledger, clock, path):
    assert not ledger.is_due
    ledger.record(event(1))
    assert ledger.is_due
    ledger.write_due()
    ledger.complete(1, "crown_2")
    assert not ledger.is_due
    pass_time(ledger, clock, COMPANY_S)
    assert read_coins(path) == [(1, "crown_2")]


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_keeps_the_rows_and_writes_each_once(ledger, disk, clock, path, fault):
    disk.fault = fault
    receipt = ledger.record(event(1))
    ledger.write_due()
    later = ledger.record(event(2))
    assert not receipt.durable and fault.value[0] in ledger.trouble
    assert not ledger.is_due
    for _ in range(3):
        pass_time(ledger, clock, RETRY_S)
    assert later.durable is (fault is DiskFault.IO_AFTER_COMMIT)
    disk.fault = None
    for _ in range(2):
        pass_time(ledger, clock, RETRY_S)
    assert receipt.durable and later.durable and ledger.trouble is None
    assert read_coins(path) == [(1, None), (2, None)]


def test_a_fault_that_stays_is_raised_by_every_receipt_and_every_call(ledger, disk):
    waiting = ledger.record(event(1))
    disk.fault = DiskFault.DAMAGED
    ledger.write_due()
    calls = [
        lambda: waiting.durable,
        lambda: ledger.trouble,
        lambda: ledger.record(event(2)),
        lambda: ledger.complete(1, "crown_2"),
        lambda: ledger.report_incident("what", "where", "do"),
    ]
    for call in calls:
        with pytest.raises(LedgerError, match="malformed.*1 row is not written: coin 1"):
            call()


def test_a_row_has_the_time_when_it_came_however_long_it_waited(path, disk, clock):
    times = [datetime(2026, 11, 27, 12, 0, second, tzinfo=UTC) for second in (10, 20)]
    ledger = QueuedLedger(
        lambda: Ledger(path, RUN, connect=disk.connect), clock.now_s, iter(times).__next__
    )
    ledger.write_due()
    disk.fault = DiskFault.FULL
    ledger.record(event(1))
    ledger.write_due()
    ledger.record(event(2))
    disk.fault = None
    for _ in range(2):
        pass_time(ledger, clock, RETRY_S)
    assert [row["at"][17:19] for row in read_rows(path)] == ["10", "20"]


def test_a_disk_that_takes_no_row_is_in_trouble_after_the_deadline(ledger, clock):
    ledger.record(event(1))
    clock.advance_to(DEADLINE_S)
    assert ledger.trouble is None
    clock.advance_to(DEADLINE_S + 0.1)
    assert "has taken no row for 2 s" in ledger.trouble


def test_more_rows_than_memory_is_set_aside_for_are_refused(ledger, disk, clock, path, monkeypatch):
    monkeypatch.setattr(queued_ledger, "MAX_WAITING", 3)
    disk.fault = DiskFault.FULL
    for coin in (1, 2, 3):
        ledger.record(event(coin))
    ledger.write_due()
    with pytest.raises(LedgerError, match="disk is full.*3 rows wait"):
        ledger.record(event(4))
    disk.fault = None
    pass_time(ledger, clock, RETRY_S)
    assert read_coins(path) == [(1, None), (2, None), (3, None)]


def test_closing_tries_once_more_and_names_the_rows_that_are_lost(ledger, disk, path):
    disk.fault = DiskFault.FULL
    ledger.record(event(1))
    ledger.complete(1, "crown_2")
    ledger.write_due()
    lost = "disk is full.*2 rows are not written: coin 1, the bin of coin 1"
    with pytest.raises(LedgerError, match=lost):
        ledger.close()
    assert read_coins(path) == []
    ledger.close()


def test_closing_writes_what_waits_if_the_fault_has_passed(ledger, disk, path):
    disk.fault = DiskFault.FULL
    ledger.record(event(1))
    ledger.write_due()
    disk.fault = None
    ledger.complete(1, "crown_2")
    ledger.close()
    assert read_coins(path) == [(1, "crown_2")]


def test_names_of_many_lost_rows_fit_into_a_line(ledger, disk):
    disk.fault = DiskFault.FULL
    for coin in range(1000):
        ledger.record(event(coin))
    with pytest.raises(LedgerError, match="1000 rows are not written: coin 0, .*coin 19, ...$"):
        ledger.close()


def test_a_ledger_that_is_locked_at_the_start_is_opened_once_it_is_free(path, disk, clock):
    disk.fault = DiskFault.LOCKED
    Ledger(path, RUN).close()
    with closing(SimulatedDisk().connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ledger = QueuedLedger(
            lambda: Ledger(path, RUN, connect=lambda p: connect_briefly(disk, p)), clock.now_s
        )
        ledger.record(event(1))
        ledger.write_due()
        assert "is locked" in ledger.trouble
        other.execute("ROLLBACK")
    disk.fault = None
    pass_time(ledger, clock, RETRY_S)
    assert ledger.trouble is None and read_coins(path) == [(1, None)]


def connect_briefly(disk: SimulatedDisk, path):
    connection = disk.connect(path)
    connection.execute("PRAGMA busy_timeout = 50")
    return connection


def test_a_ledger_that_cannot_be_opened_is_a_fault_that_stays(tmp_path, clock):
    (tmp_path / "file").write_text("")
    ledger = QueuedLedger(lambda: Ledger(tmp_path / "file" / "ledger.db", RUN), clock.now_s)
    ledger.write_due()
    with pytest.raises(LedgerError, match="set ledger.path|check"):
        ledger.record(event(1))
