"""How programs end: one line and a status for every failure, and signals at any time."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from coinsorter.command_line import StopSignal, end_command
from coinsorter.errors import ConfigError, InputError, MachineInUseError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "error, status, message",
    [
        (InputError("x: none"), 66, "name: x: none"),
        (MachineInUseError("busy"), 75, "name: busy"),
        (
            ConfigError("config.yaml:1: a\nconfig.yaml:2: b"),
            78,
            "config.yaml:1: a\nconfig.yaml:2: b",
        ),
        (ModuleNotFoundError(name="keras"), 69, "name: keras is not installed; install it"),
        (PermissionError(13, "Permission denied", "/x"), 71, "name: /x: Permission denied"),
        (OSError("odd"), 71, "name: odd"),
        (MemoryError(), 71, "name: out of memory; end other programs, or take a smaller input"),
        (InputError("bell\a and \x1b[31mred\x85"), 66, "name: bell\\x07 and \\x1b[31mred\\x85"),
    ],
)
def test_a_failure_is_its_line_and_its_status(capsys, error, status, message):
    def fail() -> int:
        raise error

    assert end_command("name", fail, "install it") == status
    assert capsys.readouterr().err == f"{message}\n"


@pytest.mark.parametrize(
    "error, status",
    [(KeyboardInterrupt(), 130), (StopSignal(signal.SIGTERM), 143), (BrokenPipeError(), 0)],
)
def test_what_a_person_has_done_is_a_status_without_a_line(capsys, error, status):
    def fail() -> int:
        raise error

    assert end_command("name", fail) == status
    assert capsys.readouterr().err == ""


def test_links_that_lead_to_each_other_are_a_line(capsys, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    def fail() -> None:
        (tmp_path / "loop").resolve(strict=True)

    assert end_command("name", fail) == 71
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(RuntimeError):
        end_command("name", lambda: _raise(RuntimeError("a mistake")))


def _raise(error: Exception) -> None:
    raise error


def test_a_name_of_several_lines_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["name", "two\nlines"])

    def fail() -> int:
        raise InputError("two\nlines: no such file")

    assert end_command("name", fail) == 66
    assert capsys.readouterr().err == "name: two\\nlines: no such file\n"


def test_a_status_is_handed_on_and_none_is_0():
    assert end_command("name", lambda: 5) == 5
    assert end_command("name", lambda: None) == 0


def test_a_mistake_in_the_program_is_no_line():
    with pytest.raises(ZeroDivisionError):
        end_command("name", lambda: 1 // 0)


# The phases of a program: while it is imported, while it works, while it cleans up.
PROGRAM = """
    import sys, time
    from coinsorter.command_line import end_command, run_program

    def load_main():
        wait("importing")
        return main

    def main(words):
        return end_command("name", work)

    def work():
        try:
            wait("working")
        finally:
            wait("cleaning up")
            print("clean", flush=True)

    def wait(phase):
        if phase in sys.argv[1:]:
            print(phase, flush=True)
            time.sleep(0.5 if phase == "cleaning up" else 60)

    sys.exit(run_program("name", load_main))
"""


def start_program(*phases: str) -> subprocess.Popen:
    words = [sys.executable, "-c", textwrap.dedent(PROGRAM), *phases]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, cwd=ROOT, text=True, preexec_fn=_heed_signals, **pipes)


def _heed_signals() -> None:
    """A shell in the background and `nohup` let the tests ignore signals: not their programs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(
    "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("phase, out", [("importing", ""), ("working", "clean\n")])
def test_a_signal_ends_a_program_with_its_status_and_no_traceback(number, status, phase, out):
    process = start_program(phase)
    assert process.stdout.readline() == f"{phase}\n"
    process.send_signal(number)
    assert process.communicate(timeout=60) == (out, "")
    assert process.returncode == status


def test_a_second_signal_does_not_disturb_the_cleaning_up():
    process = start_program("working", "cleaning up")
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "cleaning up\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("clean\n", "")
    assert process.returncode == 143


def test_a_signal_that_is_ignored_stays_ignored():
    words = ["nohup", sys.executable, "-c", textwrap.dedent(PROGRAM), "cleaning up"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    process = subprocess.Popen(words, cwd=ROOT, text=True, **pipes)
    assert process.stdout.readline() == "cleaning up\n"
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "clean\n")


DESTRUCTOR = """
    import sys, time
    from coinsorter.command_line import end_command, run_program

    class Part:
        def __del__(self):
            print("destroying", flush=True)
            time.sleep(60)

    def work():
        Part()
        time.sleep(60)

    sys.exit(run_program("name", lambda: lambda words: end_command("name", work)))
"""


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_comes_within_a_destructor_ends_the_program_too(number, status):
    words = [sys.executable, "-c", textwrap.dedent(DESTRUCTOR)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout.readline() == "destroying\n"
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == status


# A library in another language that is being imported takes any exception for its own failure.
IMPORTER = """
import sys, time
from coinsorter.command_line import end_command, run_program

def work():
    import slow
    print("imported", flush=True)
    time.sleep(60)

sys.exit(run_program("name", lambda: lambda words: end_command("name", work)))
"""
SLOW_MODULE = """
import time
print("importing", flush=True)
try:
    time.sleep(0.3)
except BaseException:
    print("broken", flush=True)
"""


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_comes_within_an_import_waits_for_its_end(number, status, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW_MODULE)
    words = [sys.executable, "-c", textwrap.dedent(IMPORTER)]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, env=env, text=True, **pipes) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert "broken" not in out and err == ""
    assert process.returncode == status
