"""background_ledger: its thread cannot end or hang unnoticed, and passing faults pass."""

import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from coinsorter.errors import LedgerError
from coinsorter.ledger.background_ledger import CLOSING_S, BackgroundLedger
from coinsorter.ledger.database_file import connect_ledger
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_rows
from coinsorter.simulator.simulated_disk import DiskFault, SimulatedDisk
from tests.unit.ledger.ledger_rows import RUN, event

#: A busy machine may need so long for what takes milliseconds.
PATIENCE_S = 60.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def wait_until(is_so, message: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until_s, message
        time.sleep(0.01)


def read_coins(path) -> list[int]:
    return [row["coin"] for row in read_rows(path)]


def test_a_fault_of_the_last_change_is_raised_by_close_and_only_once(path):
    ledger = BackgroundLedger(lambda: Ledger(path, RUN))
    ledger.report_incident("said \udcff", "here", "nothing")  # text that SQLite cannot take
    with pytest.raises(LedgerError, match="surrogates not allowed"):
        ledger.close()
    ledger.close()


def test_a_note_that_cannot_be_written_is_refused_at_once(path):
    run = replace(RUN, note="note \udcff")
    with pytest.raises(LedgerError, match="surrogates not allowed"):
        BackgroundLedger(lambda: Ledger(path, run))


MISTAKES = [MemoryError(), ZeroDivisionError("a mistake"), SystemExit(1), RecursionError("deep")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: type(mistake).__name__)
def test_whatever_ends_the_thread_is_raised_by_every_receipt_every_call_and_close(path, mistake):
    def fail(path):
        raise mistake

    disk = SimulatedDisk()
    ledger = BackgroundLedger(lambda: Ledger(path, RUN, connect=disk.connect))
    disk.sleep = fail
    receipts = [ledger.record(event(coin)) for coin in (1, 2)]
    for receipt in receipts:
        with pytest.raises(LedgerError, match=f"ended with {type(mistake).__name__}"):
            assert not receipt.wait(PATIENCE_S)
    for call in (lambda: ledger.record(event(3)), lambda: ledger.trouble):
        with pytest.raises(LedgerError, match="ended with"):
            call()
    ledger.close()  # it has been raised before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_ends_the_thread_unseen_is_raised_by_close(path):
    def fail(seconds):
        raise MemoryError

    disk = SimulatedDisk()
    ledger = BackgroundLedger(lambda: Ledger(path, RUN, connect=disk.connect))
    disk.sleep = fail
    ledger.report_incident("no frame", "camera", "look")
    with pytest.raises(LedgerError, match="MemoryError.*the incident 'no frame'"):
        ledger.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: type(mistake).__name__)
def test_whatever_ends_the_thread_while_it_opens_is_raised_by_the_start(mistake):
    """In a process of its own, since the old program waited for ever."""
    code = f"""
        from coinsorter.errors import LedgerError
        from coinsorter.ledger.background_ledger import BackgroundLedger
        def open_ledger():
            raise {type(mistake).__name__}
        try:
            BackgroundLedger(open_ledger)
        except LedgerError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert f"thread ended with {type(mistake).__name__}" in done.stdout


class FrozenDisk(SimulatedDisk):
    """A disk whose commits hang until it is thawed."""

    def __init__(self) -> None:
        self.is_sound = threading.Event()
        super().__init__(sleep=lambda _: self.is_sound.wait(PATIENCE_S))


def test_a_disk_that_hangs_is_in_trouble_and_out_of_it_when_it_goes_on(path):
    disk = FrozenDisk()
    with closing(BackgroundLedger(lambda: Ledger(path, RUN))) as first:
        first.record(event(1)).wait(PATIENCE_S)
    disk.is_sound.set()
    ledger = BackgroundLedger(lambda: Ledger(path, RUN, connect=disk.connect))
    disk.is_sound.clear()
    receipts = [ledger.record(event(coin)) for coin in range(2, 12)]
    wait_until(lambda: ledger.trouble is not None, "no trouble")
    assert "has taken no row" in ledger.trouble
    receipts += [ledger.record(event(coin)) for coin in range(12, 22)]
    disk.is_sound.set()
    wait_until(lambda: ledger.trouble is None, "still in trouble")
    assert all(receipt.wait(PATIENCE_S) for receipt in receipts)
    ledger.close()
    assert read_coins(path) == list(range(1, 22))


def test_closing_does_not_wait_for_a_disk_that_hangs_and_names_the_lost_rows(path):
    disk = FrozenDisk()
    disk.is_sound.set()
    ledger = BackgroundLedger(lambda: Ledger(path, RUN, connect=disk.connect))
    disk.is_sound.clear()
    ledger.record(event(1))
    ledger.complete(1, "crown_2")
    began_s = time.monotonic()
    with pytest.raises(LedgerError, match="does not answer; 2 rows are not written: coin 1, the"):
        ledger.close()
    for _ in range(100):
        ledger.close()  # it has waited once
    assert time.monotonic() - began_s < min(PATIENCE_S, 50 * CLOSING_S)
    disk.is_sound.set()
    ledger._thread.join(PATIENCE_S)
    assert not ledger._thread.is_alive()


def test_a_disk_that_hangs_while_the_ledger_is_opened_does_not_hold_up_the_start(path):
    may_open = threading.Event()

    def open_late():
        may_open.wait(PATIENCE_S)
        return Ledger(path, RUN)

    ledger = BackgroundLedger(open_late)
    assert "still being opened" in ledger.trouble
    receipt = ledger.record(event(1))
    may_open.set()
    assert receipt.wait(PATIENCE_S) and ledger.trouble is None
    ledger.close()
    assert read_coins(path) == [1]


# Another program that writes to the ledger and does not let go of it before it is ordered to.
LOCKING = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    print("locked", flush=True)
    sys.stdin.readline()
    connection.execute("ROLLBACK")
"""


@pytest.mark.parametrize("at_start", [True, False])
def test_a_lock_of_another_program_is_waited_for(path, at_start):
    Ledger(path, RUN).close()

    def open_ledger():
        return Ledger(path, RUN, connect=lambda path: connect_ledger(path, busy_timeout_s=0.1))

    ledger = None if at_start else BackgroundLedger(open_ledger)
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LOCKING), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout.readline() == "locked\n"
        ledger = ledger or BackgroundLedger(open_ledger)
        receipts = [ledger.record(event(coin)) for coin in (1, 2, 3)]
        wait_until(lambda: ledger.trouble is not None, "no trouble")
        assert "another program writes to it" in ledger.trouble
        assert not any(receipt.durable for receipt in receipts)
        other.communicate("go\n", timeout=PATIENCE_S)
    assert all(receipt.wait(PATIENCE_S) for receipt in receipts)
    ledger.close()
    assert read_coins(path) == [1, 2, 3]


def test_a_database_that_has_reached_its_size_goes_on_once_it_may_grow(path):
    """SQLITE_FULL from SQLite itself, by `max_page_count`."""
    Ledger(path, RUN).close()
    connections = []

    def connect(path):
        connection = connect_ledger(path)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if len(connections) < 2:
            connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        connections.append(connection)
        return connection

    ledger = BackgroundLedger(lambda: Ledger(path, RUN, connect=connect))
    receipts = [ledger.record(event(coin)) for coin in range(500)]
    wait_until(lambda: ledger.trouble is not None, "no trouble")
    assert "free some space" in ledger.trouble
    assert all(receipt.wait(PATIENCE_S) for receipt in receipts)
    ledger.close()
    assert read_coins(path) == list(range(500))


# The system refuses to let the files grow beyond a limit, as a full disk would; then it may again.
LIMITED = """
    import resource, signal, sys, time
    from pathlib import Path
    from coinsorter.ledger.background_ledger import BackgroundLedger
    from coinsorter.ledger.ledger import Ledger, RunRecord
    from coinsorter.records import Decision, Event
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    ledger = BackgroundLedger(lambda: Ledger(Path(sys.argv[1]), RunRecord("b", "h", "r")))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    decision = Decision("crown_2", "sorted")
    receipts = []
    while ledger.trouble is None:
        number = len(receipts)
        receipts.append(ledger.record(Event(number, 0.0, 23.0, 250.0, None, None, decision)))
        time.sleep(0.001)
    print(ledger.trouble)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert all(receipt.wait(60) for receipt in receipts)
    ledger.close()
    print(len(receipts))
"""


def test_files_that_may_not_grow_are_waited_for_until_they_may(path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(path)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    trouble, count = done.stdout.splitlines()
    assert trouble.startswith(f"ledger {path}: ")
    assert read_coins(path) == list(range(int(count)))


def test_faults_that_follow_each_other_leave_each_row_once(path):
    disk = SimulatedDisk()
    ledger = BackgroundLedger(lambda: Ledger(path, RUN, connect=disk.connect))
    disk.fault = DiskFault.IO_AFTER_COMMIT
    receipts = [ledger.record(event(1))]
    wait_until(lambda: ledger.trouble is not None, "no trouble")
    disk.fault = DiskFault.FULL
    receipts.append(ledger.record(event(2)))
    disk.fault = None
    assert all(receipt.wait(PATIENCE_S) for receipt in receipts)
    ledger.close()
    assert read_coins(path) == [1, 2]
