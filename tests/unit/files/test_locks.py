"""Locks of the kernel: between real processes, and what is left of them after kill -9."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from coinsorter.files.locks import JOGGING, PARKING, SORTING, FileLock, LockHeldError, find_holder
from tests.conftest import ROOT

HOLD = """
import sys
from pathlib import Path
from coinsorter.files.locks import FileLock
lock = FileLock(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def hold(tmp_path):
    """Starts a process that holds a slot of a file."""
    processes = []

    def start(path, slot: int, purpose: str = SORTING) -> subprocess.Popen:
        words = [sys.executable, "-c", HOLD, str(path), str(slot), purpose]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(words, cwd=ROOT, text=True, **pipes)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def path(tmp_path):
    (tmp_path / "node").touch()
    return tmp_path / "node"


def test_a_held_slot_is_refused_by_the_name_of_its_process(hold, path):
    process = hold(path, 3)
    with pytest.raises(LockHeldError) as refused:
        FileLock(path, 3, PARKING)
    assert refused.value.holder.pid == process.pid
    age = datetime.now().astimezone() - refused.value.holder.since
    assert timedelta(seconds=-2) < age < timedelta(minutes=10)
    message = str(refused.value)
    assert message.startswith(f"the machine is sorting (process {process.pid}, since ")
    assert message.endswith("stop it with `sudo systemctl stop coinsorter` first")


def test_whoever_is_not_the_service_is_waited_for(hold, path):
    process = hold(path, 1, JOGGING)
    with pytest.raises(LockHeldError, match=f"moving a flap by hand.*`kill {process.pid}`"):
        FileLock(path, 1, SORTING)


def test_a_lock_ends_with_its_process_kill_9_included(hold, path):
    process = hold(path, 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    FileLock(path, 1, SORTING).close()


def test_slots_of_one_file_are_independent(hold, path):
    hold(path, 1)
    hold(path, 3)
    with closing(FileLock(path, 2, SORTING)), closing(FileLock(path, 4, SORTING)):
        assert find_holder(path, 2).pid == find_holder(path, 4).pid == os.getpid()


def test_other_openings_of_the_file_do_not_end_the_lock(hold, path):
    with closing(FileLock(path, 1, SORTING)):
        path.read_bytes()
        holder = find_holder(path, 1)
        assert (holder.pid, holder.purpose) == (os.getpid(), SORTING)
        with pytest.raises(LockHeldError):
            FileLock(path, 1, SORTING)
    assert find_holder(path, 1) is None


def test_a_child_process_does_not_inherit_the_lock(path):
    lock = FileLock(path, 1, SORTING)
    with subprocess.Popen(["sleep", "60"]) as child:
        lock.close()
        assert find_holder(path, 1) is None
        child.kill()


def test_a_closed_lock_can_be_closed_again_and_taken_again(path):
    lock = FileLock(path, 1, SORTING)
    lock.close()
    lock.close()
    FileLock(path, 1, SORTING).close()


def test_a_file_that_may_not_be_written_or_is_missing_is_an_error_of_the_system(path, tmp_path):
    with pytest.raises(IsADirectoryError):
        FileLock(tmp_path, 1, SORTING)
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "missing", 1, SORTING)
