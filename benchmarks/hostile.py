"""A hundred hostile files, each in a process of its own: `python -m benchmarks.hostile`.

Prints what ended in a traceback, took too long, took too much memory or changed a file, then the
longest time and the most memory. `--only WORD` calls those whose name has the word in it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.e2e.hostile_files import CASES, KINDS, NAMES, list_commands

#: The bars of a call. A busy computer takes longer: the time is the processor's.
MAX_CPU_S = 5.0
MAX_MB = 300.0
#: Seconds after which a call counts as hanging.
MAX_WAIT_S = 120.0
SIGNALLED = 128


@dataclass(frozen=True)
class HostileResult:
    """How a call ended: exit status (None: it hung), its errors, processor time, most memory."""

    status: int | None
    err: str
    cpu_s: float
    megabytes: float

    def list_failures(self) -> list[str]:
        """What is not as it has to be, in words."""
        checks = {
            "traceback": "Traceback" in self.err,
            "hang": self.status is None,
            "signal": self.status is not None and not 0 <= self.status < SIGNALLED,
            f"{self.cpu_s:.1f} s": self.cpu_s > MAX_CPU_S,
            f"{self.megabytes:.0f} MB": self.megabytes > MAX_MB,
        }
        return [name for name, is_so in checks.items() if is_so]


def call_hostile(source: str, kind: str) -> HostileResult:
    """Calls the command of an input with a hostile file."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "bit_10"
        folder.mkdir()
        path = folder / NAMES.get(source, "file")
        KINDS[kind](path)
        return _call([str(word) for word in list_commands(path)[source]], Path(place))


def _call(words: list[str], place: Path) -> HostileResult:
    errors = place / "errors"
    with errors.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "coinsorter", *words],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        status, usage = _wait(process)
    text = errors.read_text(errors="replace")
    return HostileResult(status, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _wait(process: "subprocess.Popen[bytes]") -> tuple[int | None, "os.struct_rusage"]:  # type: ignore[name-defined]
    end_s = time.monotonic() + MAX_WAIT_S
    while time.monotonic() < end_s:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage
        time.sleep(0.02)
    process.kill()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = -9
    return None, usage


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD")
    wanted = parser.parse_args(arguments).only
    cases = [case for case in CASES if wanted in "-".join(case)]
    results = {case: call_hostile(*case) for case in cases}
    failed = {case: result.list_failures() for case, result in results.items()}
    for case, failures in failed.items():
        if failures:
            print(f"{'-'.join(case)}: {', '.join(failures)}", flush=True)
    print(
        f"{len(cases)} calls, {sum(map(bool, failed.values()))} failed; "
        f"at most {max(result.cpu_s for result in results.values()):.1f} s of processor time, "
        f"{max(result.megabytes for result in results.values()):.0f} MB"
    )
    return 1 if any(failed.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
