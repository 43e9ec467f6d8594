"""resume_log: a run that was killed continues where it was."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coinsorter.errors import InputError
from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.dataset.resume_log import ResumeLog
from tests.conftest import ROOT
from tests.unit.training.dataset.helpers import (
    files,
    listed,
    prepare,
    refused,
)


def killed_at(table: Path, pipe: Path) -> None:
    """Runs the command in a process of its own, and kills it while it reads `pipe`.

    It never sees the end of the pipe.
    """
    words = ["prepare", str(table), "--out", "set", "--json", "--group-by", "none"]
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        f"from coinsorter.training.train_cli import main; sys.exit(main({words!r}))"
    )
    with (
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process,
        contextlib.ExitStack() as held,
    ):
        held.callback(process.wait)
        held.callback(process.kill)
        for _ in range(6000):
            with contextlib.suppress(OSError):
                writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                break
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        os.close(writer)


def test_a_killed_run_goes_on_where_it_was_and_ends_as_if_it_had_not_been(photographs):
    """A pipe among the images holds the process up in the middle, where it is killed."""
    paths = sorted(photographs.rglob("*.png"))
    table = listed(["path,label", *(f"{path},{path.parent.name}" for path in paths)])
    content = paths[7].read_bytes()
    paths[7].unlink()
    os.mkfifo(paths[7])
    killed_at(table, paths[7])
    paths[7].unlink()
    paths[7].write_bytes(content)
    assert (
        not Path("set/dataset.yaml").exists()
        and len(Path("set/journal.jsonl").read_text().splitlines()) == 1 + 7
    )
    with pytest.raises(InputError, match="holds no finished data set"):
        Dataset.load(Path("set"))

    made = prepare(table, "--group-by", "none")
    assert made["looked_at"] == 12 - 7
    interrupted = files("set")
    shutil.rmtree("set")
    assert prepare(table, "--group-by", "none")["looked_at"] == 12
    assert files("set") == interrupted


def test_a_torn_last_line_costs_one_image(stopped, photographs):
    content = stopped.read_bytes()
    stopped.write_bytes(content[:-30])
    assert prepare(photographs)["looked_at"] == 1


def test_after_a_torn_line_the_journal_is_whole_again(stopped, photographs, capsys):
    content = stopped.read_bytes()
    stopped.write_bytes(content[:-30])
    refused(capsys, photographs, "--burst-gap-s", 1000)
    assert stopped.read_bytes() == content


def test_a_run_begun_with_other_eyes_is_not_continued(stopped, photographs, capsys):
    assert "was begun with other settings" in refused(capsys, photographs, "--crops")
    assert prepare(photographs, "--crops", "--force", "--group-by", "none")["looked_at"] == 12


def test_two_runs_at_once_keep_out_of_each_others_way(photographs, capsys):
    Path("set").mkdir()
    with ResumeLog(Path("set/journal.jsonl"), {}):
        assert "another run is at work there" in refused(capsys, photographs, "--force")
