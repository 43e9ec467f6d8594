"""Settings that are mutated in every way: refused by name, or a machine that can sort."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks import mutations


def test_no_mutation_of_the_settings_makes_a_traceback_or_an_impossible_machine(capsys):
    status = mutations.main(["--count", "1500", "--seed", "11", "--command-every", "750"])
    printed = capsys.readouterr().out
    assert status == 0, printed
    figures = dict(line.split(": ") for line in printed.splitlines()[1:])
    assert figures["count"] == "1500"
    assert int(figures["accepted"]) > 150 and int(figures["refused"]) > 500
    assert (figures["commands"], figures["failures"]) == ("2", "0")


def test_a_mutation_is_always_the_same(capfdbinary):
    assert mutations.mutate(11, 7) == mutations.mutate(11, 7) != mutations.mutate(11, 8)
    assert mutations.main(["--seed", "11", "--only", "7"]) == 0
    assert capfdbinary.readouterr().out == mutations.mutate(11, 7)


@pytest.mark.parametrize("content", ["camera: " + "[" * 90_000, "a: [" + "1," * 40_000 + "]"])
def test_the_command_refuses_endless_settings_in_one_line(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "coinsorter", "check", path, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78 and done.stderr == ""
    (mistake,) = json.loads(done.stdout)
    assert mistake["line"] == 1


def test_the_command_does_not_wait_for_a_pipe(tmp_path):
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    done = subprocess.run(
        [sys.executable, "-m", "coinsorter", "check", pipe],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    assert "cannot be read: it is a pipe, not a plain file" in done.stderr
    assert len(done.stderr.splitlines()) == 1
