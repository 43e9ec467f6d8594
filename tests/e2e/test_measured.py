"""What the benchmarks say of processes."""

import signal
import subprocess
import sys

import pytest

from benchmarks.measured import heed_signals, read_peak_mb, run_measured

LIMIT_S = 60.0


def run_python(code, place, limit_s=LIMIT_S):
    return run_measured([sys.executable, "-c", code], place, limit_s)


def test_memory_is_that_of_the_process_alone_however_large_its_parent_is(tmp_path):
    large = bytearray(200_000_000)
    large[::4096] = b"x" * len(large[::4096])
    assert run_python("", tmp_path).peak_mb < 50
    assert read_peak_mb() > 190
    assert run_python("a = b'x' * 100_000_000", tmp_path).peak_mb > 95
    assert len(large)


@pytest.mark.parametrize(
    "code, status", [("raise SystemExit(66)", 66), ("import os; os.abort()", -signal.SIGABRT)]
)
def test_the_status_is_that_of_the_process(code, status, tmp_path):
    assert run_python(code, tmp_path).status == status


def test_what_a_process_says_and_takes(tmp_path):
    ended = run_python("import os, sys; print(os.getcwd()); sys.stderr.write('why')", tmp_path)
    assert ended.out == f"{tmp_path.resolve()}\n" and ended.err == "why"
    assert ended.status == 0 and ended.cpu_s > 0


def test_a_process_that_does_not_end_is_given_up(tmp_path):
    ended = run_python(
        "print('still here', flush=True); input_ = __import__('time').sleep(600)", tmp_path, 2.0
    )
    assert ended.status is None


def test_a_signal_that_a_shell_in_the_background_ignores_is_heeded():
    code = "import signal; print(signal.getsignal(signal.SIGINT) == signal.default_int_handler)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=heed_signals
        ).stdout
    finally:
        signal.signal(signal.SIGINT, before)
    assert out == "True\n"
