"""resume_log: a run that was killed continues where it was."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coinsorter.errors import InputError
from coinsorter.training.dataset import dataset
from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.dataset.resume_log import ResumeLog
from tests.conftest import ROOT
from tests.unit.training.dataset.helpers import (
    files,
    fill_the_disk,
    listed,
    prepare,
    refused,
)


def killed_at(table: Path, stop: Path) -> None:
    """Runs the command in a process of its own, and kills it while it reads the image `stop`."""
    words = ["prepare", str(table), "--out", "set", "--json", "--group-by", "none"]
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from coinsorter.training.dataset.sources import SourceImage\n"
        "from coinsorter.training.train_cli import main\n"
        "read = SourceImage.read_content\n"
        "def read_or_hang(image, *size):\n"
        f"    if str(image.path) == {str(stop)!r}:\n"
        "        print('there', flush=True)\n"
        "        time.sleep(600)\n"
        "    return read(image, *size)\n"
        "SourceImage.read_content = read_or_hang\n"
        f"sys.exit(main({words!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"there\n"
        finally:
            process.kill()
        assert process.wait() == -signal.SIGKILL


def test_a_killed_run_goes_on_where_it_was_and_ends_as_if_it_had_not_been(photographs):
    paths = sorted(photographs.rglob("*.png"))
    table = listed(["path,label", *(f"{path},{path.parent.name}" for path in paths)])
    killed_at(table, paths[7])
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


def test_after_a_torn_line_the_journal_is_whole_again(stopped, photographs, capsys, monkeypatch):
    content = stopped.read_bytes()
    stopped.write_bytes(content[:-30])
    monkeypatch.setattr(dataset, "write_table", fill_the_disk)
    refused(capsys, photographs)
    assert stopped.read_bytes() == content


def test_a_run_begun_with_other_eyes_is_not_continued(stopped, photographs, capsys):
    assert "was begun with other settings" in refused(capsys, photographs, "--crops")
    assert prepare(photographs, "--crops", "--force", "--group-by", "none")["looked_at"] == 12


def test_two_runs_at_once_keep_out_of_each_others_way(photographs, capsys):
    Path("set").mkdir()
    with ResumeLog(Path("set/journal.jsonl"), {}):
        assert "another run is at work there" in refused(capsys, photographs, "--force")
