"""parallel: jobs give the same wherever they run, and no killed process loses any."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from coinsorter.errors import InputError, WorkerError
from coinsorter.training.parallel import HERE, Workers, open_workers
from tests.conftest import ROOT
from tests.unit.training import parallel_jobs
from tests.unit.training.cluster import start_cluster


@pytest.fixture
def two():
    return Workers(2)


@pytest.fixture(scope="module")
def cluster():
    with (
        start_cluster(2, "--nthreads", "1") as address,
        open_workers(None, address) as workers,
    ):
        yield workers


def test_one_process_is_this_one():
    assert set(HERE.run(parallel_jobs.name_process, range(3))) == {os.getpid()}


def test_isolated_jobs_never_run_in_this_process():
    assert os.getpid() not in set(HERE.run(parallel_jobs.name_process, range(3), isolated=True))


def test_a_few_jobs_are_not_worth_a_process(two):
    assert set(two.run(parallel_jobs.name_process, range(7), min_jobs=4)) == {os.getpid()}
    assert os.getpid() not in set(two.run(parallel_jobs.name_process, range(8), min_jobs=4))


def test_results_come_in_the_order_of_the_jobs(two):
    assert list(two.run(parallel_jobs.square, range(50))) == [n * n for n in range(50)]


def test_without_jobs_nothing_is_started(two):
    assert list(two.run(parallel_jobs.square, [])) == []


def test_every_job_has_its_number_of_threads_wherever_it_runs(two):
    for workers in (HERE, two):
        assert set(workers.run(parallel_jobs.count_threads, range(4), threads=1)) == {(1, 1)}


def test_an_error_of_a_job_is_raised_here(two):
    with pytest.raises(InputError, match="7: cannot be used"):
        list(two.run(parallel_jobs.refuse, [7, 7]))


def test_what_a_killed_process_had_to_do_is_done_again(two, tmp_path):
    assert list(two.run(parallel_jobs.kill_once, [tmp_path] * 3)) == ["done"] * 3


def test_a_job_that_kills_every_process_is_given_up(two):
    with pytest.raises(WorkerError, match="take fewer with --jobs"):
        list(two.run(parallel_jobs.kill_always, [1, 2]))


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_process_without_a_word(tmp_path, number, status):
    process, workers = start_lingering(tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (status, b"", b"")
    assert_ended(workers)


def test_ctrl_c_in_a_terminal_reaches_every_process_and_says_nothing(tmp_path):
    process, workers = start_lingering(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130
    assert_ended(workers)


def test_where_the_command_is_killed_its_processes_end(tmp_path):
    process, workers = start_lingering(tmp_path)
    process.kill()
    process.communicate(timeout=30)
    assert_ended(workers)


def start_lingering(folder):
    """A command whose two processes wait; and the process ids of these."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.training.parallel_jobs", folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_until(lambda: len(list(folder.iterdir())) == 2)
    return process, [int(path.name) for path in folder.iterdir()]


def assert_ended(processes):
    wait_until(lambda: not any(is_running(process) for process in processes))


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(is_so):
    end_s = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_a_clusters_results_come_in_the_order_of_the_jobs(cluster):
    assert list(cluster.run(parallel_jobs.square, range(50))) == [n * n for n in range(50)]


def test_every_job_of_a_cluster_has_its_number_of_threads(cluster):
    assert set(cluster.run(parallel_jobs.count_threads, range(4), threads=1)) == {(1, 1)}


def test_an_error_of_a_clusters_job_is_raised_here(cluster):
    with pytest.raises(InputError, match="7: cannot be used"):
        list(cluster.run(parallel_jobs.refuse, [7, 7]))


def test_what_a_killed_worker_had_to_do_is_done_by_another(cluster, tmp_path):
    assert list(cluster.run(parallel_jobs.kill_once, [tmp_path] * 6)) == ["done"] * 6


def test_a_job_that_kills_every_worker_is_given_up(cluster):
    with pytest.raises(WorkerError, match="lost again and again"):
        list(cluster.run(parallel_jobs.kill_always, [1]))


def open_and_close(address):
    with open_workers(None, address):
        pass


def test_an_address_without_a_scheduler_is_one_line(monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed: pip install -e '.[cluster]'")
    monkeypatch.setattr("coinsorter.training.parallel.MAX_WAIT_S", 1.0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    for address in (f"tcp://127.0.0.1:{port}", f"127.0.0.1:{port}", "nowhere", "ftp://x:1", ""):
        with pytest.raises(InputError, match="no Dask scheduler answers there; start one"):
            open_and_close(address)


def test_a_cluster_without_workers_is_one_line(monkeypatch):
    monkeypatch.setattr("coinsorter.training.parallel.MAX_WAIT_S", 2.0)
    with start_cluster(0) as address, pytest.raises(InputError, match="has no workers; start"):
        open_and_close(address)


def test_a_worker_with_several_threads_is_refused():
    with (
        start_cluster(1, "--nthreads", "2") as address,
        pytest.raises(InputError, match="has 2 threads; start it with `--nthreads 1`"),
    ):
        open_and_close(address)
