"""Hostile files, each in a process of its own: `python -m benchmarks.hostile`.

Prints what ended in a traceback or by a signal, waited, took too long or too much memory, wrote
what a terminal obeys, or changed a file; then the longest times and the most memory. `--only WORD`
calls those whose name has the word in it, `--quick` one of each way in and of each file.
"""

import argparse
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measured import read_measured, start_measured
from tests.conftest import CONFIG, ROOT
from tests.e2e.hostile_inputs import (
    CASES,
    SOURCES,
    make_command,
    make_template,
    set_trap,
)

#: The bars of a call: seconds of processor time, MB of 1024 * 1024 bytes.
MAX_CPU_S = 5.0
MAX_MB = 300.0
#: A call hangs where it takes longer than this, and than so many times its processor time: a busy
#: computer is slow, but not idle.
MAX_IDLE_S = 5.0
MAX_SLOWNESS = 8.0
START_S = 3.0
#: Seconds of processor time after which a call is ended.
GIVEN_UP_CPU_S = 30.0
#: Seconds of the clock that never pass: the rule above ends what hangs.
NEVER_S = 1e6
#: Statuses from here on are those of signals.
SIGNALLED = 128
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: Bytes of a file whose content is compared; of a larger one, size and time.
_MAX_COMPARED_BYTES = 10_000_000
#: What a call may write into its place.
_OUTPUTS = {"out"}


@dataclass(frozen=True)
class HostileResult:
    """How a call ended.

    status: exit status, None where it was ended because it hung. printed, complaints: what it wrote
    to its outputs. cpu_s, wall_s: seconds. megabytes: the most memory. changed: files that are not
    as they were.
    """

    status: int | None
    printed: str
    complaints: str
    cpu_s: float
    wall_s: float
    megabytes: float
    changed: tuple[str, ...] = ()

    def list_failures(self) -> list[str]:
        """What is not as it has to be, in words."""
        status = self.status
        checks = {
            "traceback": "Traceback" in self.complaints,
            f"hang of {self.wall_s:.1f} s": status is None,
            f"status {status}": status is not None and not 0 <= status < SIGNALLED,
            "no word": bool(status) and not (self.printed + self.complaints).strip(),
            "escapes": _has_escapes(self.printed + self.complaints),
            f"{self.cpu_s:.1f} s": not self.cpu_s <= MAX_CPU_S,
            f"{self.megabytes:.0f} MB": not self.megabytes <= MAX_MB,
            f"changed {', '.join(self.changed)}": bool(self.changed),
        }
        return [name for name, is_so in checks.items() if is_so]


def _has_escapes(text: str) -> bool:
    return not all(letter.isprintable() or letter == "\n" for letter in text)


@contextmanager
def make_templates() -> Iterator[Path]:
    """A folder with what commands read; the data set is prepared by the command."""
    with tempfile.TemporaryDirectory(prefix="coinsorter-hostile-") as name:
        folder = Path(name)
        for template in ("photographs", "bundle"):
            make_template(folder, template)
        words = ["coinsorter.training", "prepare", "photographs", "--out", "set"]
        words += ["--group-by", "none"]
        subprocess.run(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=_environment(),
            check=True,
            capture_output=True,
        )
        yield folder


def call_hostile(templates: Path, name: str, kind: str) -> HostileResult:
    """Calls the command of a way in with a hostile file."""
    with tempfile.TemporaryDirectory(prefix="coinsorter-hostile-") as folder:
        place = Path(folder)
        for template in SOURCES[name].holds:
            shutil.copytree(templates / template, place / template)
        set_trap(place, name, kind)
        before = take_stock(place) | take_stock(ROOT / "models") | {"": CONFIG.read_bytes()}
        result = _call(make_command(place, name, kind), place)
        after = take_stock(place) | take_stock(ROOT / "models") | {"": CONFIG.read_bytes()}
    names = sorted({*before, *after})
    changed = tuple(name for name in names if before.get(name) != after.get(name))
    return HostileResult(**{**vars(result), "changed": changed})


def take_stock(folder: Path) -> dict[str, object]:
    """What is in a folder, but outputs: the content of files, where links lead, kinds of all else.

    Of a large file it is the size and when it was written.
    """
    stock: dict[str, object] = {}
    for root, folders, files in os.walk(folder):
        if Path(root) == folder:
            folders[:] = [name for name in folders if name not in _OUTPUTS]
            files = [name for name in files if name not in _OUTPUTS]
        for name in (*folders, *files):
            path = Path(root) / name
            stock[str(path.relative_to(folder))] = _describe(path)
    return stock


def _describe(path: Path) -> object:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return path.readlink()
    if not stat.S_ISREG(status.st_mode):
        return stat.S_IFMT(status.st_mode)
    if status.st_size > _MAX_COMPARED_BYTES:
        return status.st_size, status.st_mtime_ns
    return hashlib.sha256(path.read_bytes()).digest()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "500"}


def _call(words: list[str], place: Path) -> HostileResult:
    started_s = time.monotonic()
    program = [os.fsencode(sys.executable), b"-m", *map(os.fsencode, words)]
    with tempfile.TemporaryDirectory(prefix="coinsorter-hostile-") as name:
        folder = Path(name)
        process = start_measured(program, place, folder, NEVER_S, _environment())
        _wait(process, started_s)
        ended = read_measured(folder)
    wall_s = time.monotonic() - started_s
    return HostileResult(ended.status, ended.out, ended.err, ended.cpu_s, wall_s, ended.peak_mb)


def _wait(process: "subprocess.Popen[bytes]", started_s: float) -> None:
    """Waits for a process; kills it and all that it started where it hangs."""
    while process.poll() is None:
        cpu_s = read_cpu_s(process.pid)
        if cpu_s > GIVEN_UP_CPU_S or time.monotonic() - started_s > max_wall_s(cpu_s):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.02)


def max_wall_s(cpu_s: float) -> float:
    """Seconds that a call may take which has had so much processor time, on a busy computer."""
    return max(MAX_IDLE_S, MAX_SLOWNESS * cpu_s + START_S)


def read_cpu_s(pid: int) -> float:
    """Seconds of processor time of a process and all its children so far; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own_s = sum(map(int, fields[11:15])) / _TICKS_PER_S  # user, system, and of waited-for children
    return own_s + sum(read_cpu_s(int(child)) for child in children)


def list_quick_cases() -> list[tuple[str, str]]:
    """Some of the cases, so that each way in and each kind of file is among them."""
    chosen: list[tuple[str, str]] = []
    names: set[str] = set()
    kinds: set[str] = set()
    for name, kind in CASES:
        if name not in names or kind not in kinds:
            chosen.append((name, kind))
            names.add(name)
            kinds.add(kind)
    return chosen


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    cases = list_quick_cases() if options.quick else CASES
    wanted = [case for case in cases if options.only in " ".join(case)]
    results: list[HostileResult] = []
    with make_templates() as templates:
        for name, kind in wanted:
            results.append(call_hostile(templates, name, kind))
            failures = results[-1].list_failures()
            if failures:
                print(f"{name} {kind}: {'; '.join(failures)}", flush=True)
    return _summarize(results)


def _summarize(results: list[HostileResult]) -> int:
    failed = sum(bool(result.list_failures()) for result in results)
    print(
        f"{len(results)} calls, {failed} failed; at most "
        f"{max(result.cpu_s for result in results):.1f} s of processor time, "
        f"{max(result.wall_s for result in results):.1f} s, "
        f"{max(result.megabytes for result in results):.0f} MB"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
