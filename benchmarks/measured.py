"""Processes and what they take, whatever process measures them.

Linux counts the memory of the process that starts another as the other's own (`ru_maxrss` of
getrusage(2) is kept over exec). A small process in between keeps the figures apart. It also gives
signals their default actions back, which a shell takes from what it runs in the background.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KIB_PER_MIB = 1024
#: Runs the words behind the first two: the seconds that they have, and a file for their figures.
_LAUNCHER = """
import json, resource, subprocess, sys
limit_s, figures, *words = sys.argv[1:]
process = subprocess.Popen(words)
try:
    status = process.wait(float(limit_s))
except subprocess.TimeoutExpired:
    process.kill()
    process.wait()
    status = None
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(figures, "w") as file:
    json.dump([status, used.ru_utime + used.ru_stime, used.ru_maxrss], file)
"""


@dataclass(frozen=True)
class Measured:
    """How a process ended and what it took.

    status: its exit status, minus the number of the signal that ended it, or None where it was
    given up. cpu_s: processor time, s. peak_mb: the most memory that was resident, MiB.
    """

    status: int | None
    cpu_s: float
    peak_mb: float
    out: str
    err: str


@contextmanager
def name_failure(what: str) -> Iterator[None]:
    """Says on standard error which input it was, where the work within raises anything."""
    failed = True
    try:
        yield
        failed = False
    finally:
        if failed:
            print(f"{what}: the traceback below", file=sys.stderr)


def run_measured(words: Sequence[str | bytes], place: Path, limit_s: float) -> Measured:
    """Runs a program in a folder, without standard input, and gives it up after `limit_s`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start_measured(words, place, folder, limit_s).wait()
        return read_measured(folder)


def start_measured(
    words: Sequence[str | bytes],
    place: Path,
    folder: Path,
    limit_s: float,
    env: Mapping[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Starts the small process that runs a program in the folder `place`, as its own session.

    folder: takes the figures and the outputs, for `read_measured`.
    """
    figures = folder / "figures"
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(
            [sys.executable, "-ISc", _LAUNCHER, str(limit_s), str(figures), *words],
            cwd=place,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=heed_signals,
        )


def read_measured(folder: Path) -> Measured:
    """What a process that has ended left in the folder; of one that was killed only its outputs."""
    figures = folder / "figures"
    text = figures.read_text() if figures.exists() else "[null, 0, 0]"
    status, cpu_s, peak_kib = json.loads(text)
    out, err = ((folder / name).read_text("utf-8", "replace") for name in ("out", "err"))
    return Measured(status, cpu_s, peak_kib / KIB_PER_MIB, out, err)


def heed_signals() -> None:
    """Gives SIGINT and SIGQUIT their default actions; for `preexec_fn`."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def read_peak_mb() -> float:
    """The most memory of this process that was resident so far, MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / KIB_PER_MIB
    return 0.0
