"""One ledger, one writer: real processes, of which the second is refused by name."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from coinsorter.errors import LedgerInUseError
from coinsorter.files.locks import SIMULATING
from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.ledger.ledger_lock import lock_ledger
from coinsorter.ledger.queries import read_totals
from tests.conftest import ROOT

RUN = RunRecord("b", "h", "r")
WRITE = """
import sys
from pathlib import Path
from coinsorter.errors import LedgerInUseError
from coinsorter.ledger.ledger import Ledger, RunRecord
try:
    ledger = Ledger(Path(sys.argv[1]), RunRecord("b", "h", "r"))
except LedgerInUseError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
print("open", flush=True)
sys.stdin.readline()
"""


def start_writer(path) -> subprocess.Popen:
    words = [sys.executable, "-c", WRITE, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(words, cwd=ROOT, text=True, **pipes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def test_a_second_writer_is_refused_by_name_and_changes_no_row(path):
    with start_writer(path) as writer:
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(LedgerInUseError, match=f"the machine is sorting .process {writer.pid}"):
            Ledger(path, RUN)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
        writer.kill()


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_another_name_of_the_ledger_is_the_same_ledger(path, tmp_path, link):
    with closing(Ledger(path, RUN)):
        other = tmp_path / "other.db"
        getattr(other, link)(path)
        with pytest.raises(LedgerInUseError, match=f"process {os.getpid()}"):
            Ledger(other, RUN)


def test_of_many_that_start_on_one_new_ledger_one_writes_and_the_others_are_refused(path):
    writers = [start_writer(path) for _ in range(4)]
    lines = [writer.stdout.readline() for writer in writers]
    assert sorted(line == "open\n" for line in lines) == [False, False, False, True]
    assert sum(line.startswith("ledger ") for line in lines) == 3
    for writer in writers:
        writer.communicate("\n")
    assert sorted(writer.returncode for writer in writers) == [0, 75, 75, 75]


def test_after_kill_9_the_ledger_opens_at_once(path):
    with start_writer(path) as writer:
        assert writer.stdout.readline() == "open\n"
        writer.send_signal(signal.SIGKILL)
    Ledger(path, RUN).close()
    assert read_totals(path)["open"] == 0


def test_reading_goes_on_beside_the_writer(path):
    with closing(Ledger(path, RUN)):
        assert read_totals(path)["seen"] == 0


def test_a_ledger_that_was_replaced_is_locked_anew(path, tmp_path):
    with closing(lock_ledger(path)) as old:
        (tmp_path / "new.db").touch()
        (tmp_path / "new.db").replace(path)
        assert not old.is_at(path)
        with closing(lock_ledger(path, SIMULATING)) as new:
            assert new.is_at(path)


def test_what_is_no_plain_file_is_no_ledger(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is no plain file"):
        lock_ledger(tmp_path / "pipe")
