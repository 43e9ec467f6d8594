"""Jobs that do not depend on each other, in processes of this computer or on a Dask cluster.

joblib runs them here, Dask there. Results come in the order of the jobs. A job has as many threads
wherever it runs, so that its result is the same to the bit. What a killed process had to do is done
again by another.
"""

import logging
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import cv2
import joblib
from threadpoolctl import threadpool_limits

from coinsorter import __version__
from coinsorter.errors import InputError, WorkerError

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")

#: Images that a process is worth starting for: it takes a second to start.
IMAGES_PER_PROCESS = 32
#: Batches that a cluster's worker gets of the jobs that a process is worth starting for.
BATCHES_PER_PROCESS = 4
#: Times that processes may be killed, one after the other, without a job being done.
MAX_KILLED = 3
#: Seconds that a scheduler may take to answer, and its workers to appear.
MAX_WAIT_S = 10.0
#: The tracker's warnings, as $PYTHONWARNINGS has them: what their text begins with.
TRACKER_FILTER = "ignore:resource_tracker"
#: Seconds between two looks whether the command still runs.
WATCH_S = 0.5

#: Jobs of one process run one by one: they set the threads and random numbers of all of it.
_one_at_a_time = threading.Lock()


class Workers:
    """Where jobs run: in this process, in several of this computer, or on a cluster.

    processes: how many of this computer at most; 1 is this one itself. client: a
    `distributed.Client`, which takes the place of them.
    """

    def __init__(self, processes: int = 1, client: Any = None) -> None:
        self.processes = processes
        self._client = client

    def run(
        self,
        function: Callable[[_Job], _Result],
        jobs: Sequence[_Job],
        min_jobs: int = 1,
        threads: int = 1,
        isolated: bool = False,
    ) -> Iterator[_Result]:
        """The results of a function for some jobs, in their order, as soon as they are there.

        function, jobs: can be pickled; a job says by paths where large things lie. min_jobs: that a
        process is worth starting for. threads: of each job. isolated: never in this process.
        Raises what the function raises, and WorkerError where processes are killed again and again.
        """
        if self._client is not None:
            return _run_on_cluster(self._client, function, jobs, min_jobs, threads)
        processes = min(self.processes, len(jobs) // min_jobs)
        if processes <= 1 and not isolated:
            return (_run_job(function, job, threads) for job in jobs)
        return _run_in_processes(function, jobs, max(1, processes), threads)


#: This process alone.
HERE = Workers()


@contextmanager
def open_workers(
    processes: int | None, cluster: str | None, paths: Sequence[Path | None] = ()
) -> Iterator[Workers]:
    """The workers that the options of a command ask for.

    processes: None: as many as there are cores. cluster: address of a Dask scheduler, such as
    tcp://10.0.0.1:8786; None: this computer. paths: files and folders that all workers have to see.
    Raises InputError where no cluster can be used there.
    """
    if cluster is None:
        yield Workers(processes or joblib.cpu_count())
        return
    client = _connect(cluster)
    try:
        _check_cluster(client, cluster)
        _check_paths(client, cluster, [Path.cwd(), *(path for path in paths if path)])
        yield Workers(client=client)
    finally:
        client.close(timeout=1)


def _connect(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "--cluster: Dask is not installed; run `pip install 'coinsorter[train,cluster]'`"
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)  # we say it ourselves
    try:
        return distributed.Client(address, timeout=MAX_WAIT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"--cluster {address}: no Dask scheduler answers there; start one with "
            "`dask scheduler` and name the address that it prints, such as tcp://10.0.0.1:8786"
        ) from error


def _check_cluster(client: Any, address: str) -> None:
    """Raises InputError where the cluster has no workers, or some that cannot be used."""
    try:
        client.wait_for_workers(1, timeout=MAX_WAIT_S)
    except TimeoutError as error:
        raise InputError(
            f"--cluster {address}: has no workers; start some with "
            f"`dask worker {address} --nthreads 1`"
        ) from error
    for worker, threads in client.nthreads().items():
        if threads != 1:
            raise InputError(
                f"--cluster {address}: worker {worker} has {threads} threads; start it with "
                "`--nthreads 1`, and several with `--nworkers`"
            )
    _check_versions(client, address)


def _check_versions(client: Any, address: str) -> None:
    try:
        versions = client.run(_read_version)
    except ImportError as error:
        raise InputError(
            f"--cluster {address}: a worker cannot import {error.name}; install "
            "`coinsorter[train,cluster]` where it runs"
        ) from error
    for worker, version in versions.items():
        if version != __version__:
            raise InputError(
                f"--cluster {address}: worker {worker} has coinsorter {version}, not {__version__}"
            )


def _read_version() -> str:
    return __version__


def _check_paths(client: Any, address: str, paths: Sequence[Path]) -> None:
    """Raises InputError where a worker does not see what is there on this computer."""
    here = [path.resolve() for path in paths if path.exists()]
    for worker, missing in client.run(_list_missing, here).items():
        if missing:
            raise InputError(
                f"--cluster {address}: worker {worker} does not see {missing[0]}; share that "
                "folder with its computer, at the same path"
            )


def _list_missing(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if not path.exists()]


def _run_in_processes(
    function: Callable[[_Job], _Result], jobs: Sequence[_Job], processes: int, threads: int
) -> Iterator[_Result]:
    """The results, by new processes wherever one was killed."""
    done = killed = 0
    while done < len(jobs):
        try:
            for result in _start_processes(function, jobs[done:], processes, threads):
                done, killed = done + 1, 0
                yield result
        except BrokenProcessPool as error:
            killed += 1
            if killed == MAX_KILLED:
                raise WorkerError(
                    "processes at work were killed again and again, perhaps for want of memory; "
                    "take fewer with --jobs"
                ) from error


def _start_processes(
    function: Callable[[_Job], _Result], jobs: Sequence[_Job], processes: int, threads: int
) -> Iterator[_Result]:
    # loky replaces a process whose memory has grown, as TensorFlow's does: nothing is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
    _silence_tracker()
    folder = Path.cwd()
    calls = (joblib.delayed(_run_there)(function, [job], threads, folder) for job in jobs)
    with joblib.parallel_config(
        "loky", inner_max_num_threads=1, initializer=_begin_process, initargs=(os.getpid(),)
    ):
        # For one process joblib would take this very one: of two, only one gets a job at a time.
        parallel = joblib.Parallel(
            n_jobs=max(2, processes),
            pre_dispatch="2*n_jobs" if processes > 1 else 1,
            batch_size="auto" if len(jobs) > processes else 1,
            return_as="generator",
            max_nbytes=None,
        )
        batches = parallel(calls)
    return (result for batch in batches for result in batch)


def _silence_tracker() -> None:
    """Loky's tracker, a process of its own, is to say nothing of what a signal left to it.

    It removes that, too.
    """
    before = os.environ.get("PYTHONWARNINGS", "")
    if TRACKER_FILTER not in before.split(","):
        os.environ["PYTHONWARNINGS"] = f"{before},{TRACKER_FILTER}".lstrip(",")


def _run_on_cluster(
    client: Any,
    function: Callable[[_Job], _Result],
    jobs: Sequence[_Job],
    min_jobs: int,
    threads: int,
) -> Iterator[_Result]:
    """The results; Dask itself gives a lost worker's jobs to others.

    joblib's own way to Dask is not taken: where one worker is left, it runs jobs in this process.
    """
    size = max(1, min_jobs // BATCHES_PER_PROCESS)
    batches = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    waiting: deque[Any] = deque()
    folder = Path.cwd()
    try:
        for batch in batches:
            call = (_run_there, function, batch, threads, folder)
            waiting.append(client.submit(*call, pure=False))
            if len(waiting) > BATCHES_PER_PROCESS * len(client.nthreads()):
                yield from _wait_for(waiting.popleft())
        while waiting:
            yield from _wait_for(waiting.popleft())
    finally:
        client.cancel(list(waiting))


def _wait_for(future: Any) -> Any:
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    try:
        return future.result()
    except (KilledWorker, FutureCancelledError, CommClosedError) as error:
        raise WorkerError(
            "workers of the cluster were lost again and again, perhaps for want of memory; "
            "see what `dask scheduler` and `dask worker` printed"
        ) from error


def _run_there(
    function: Callable[[_Job], _Result], jobs: Sequence[_Job], threads: int, folder: Path
) -> list[_Result]:
    """What another process does. folder: the command's own, which paths are relative to."""
    with chdir(folder):
        return [_run_job(function, job, threads) for job in jobs]


def _run_job(function: Callable[[_Job], _Result], job: _Job, threads: int) -> _Result:
    """What a process does: threads of other numbers than 1 round sums differently."""
    with _one_at_a_time, threadpool_limits(threads):
        threads_before = cv2.getNumThreads()
        cv2.setNumThreads(threads)
        try:
            return function(job)
        finally:
            cv2.setNumThreads(threads_before)


def _begin_process(command: int) -> None:
    """Ctrl-C reaches every process of a terminal: only the command itself ends on it.

    command: its process id; without it no process goes on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(command,), daemon=True).start()


def _end_with(command: int) -> None:
    while os.getppid() == command:
        time.sleep(WATCH_S)
    os._exit(1)
