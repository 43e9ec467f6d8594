"""coinsorter ledger verify, backup, restore, migrate, prune: what is printed, exit statuses."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.ledger.queries import read_totals
from tests.unit.ledger.ledger_files import OLD_FORMATS


@pytest.fixture
def path(simulated_run, tmp_path):
    return shutil.copy(simulated_run.ledger, tmp_path / "ledger.db")


def test_a_sound_ledger_is_status_0_and_says_what_it_holds(command, path):
    status, out, _ = command("ledger", "verify", "--ledger", path)
    assert (status, out.count("\n")) == (0, 1)
    assert f"{path}: sound, format 3, 10 rows; 10 coins seen" in out
    report = json.loads(command("ledger", "verify", "--ledger", path, "--json")[1])
    assert (report["rows"], report["mistakes"], report["totals"]["seen"]) == (10, [], 10)


def test_a_mistake_is_status_1_and_a_line(command, path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM coin_rows WHERE id = 4")
        connection.commit()
    status, out, _ = command("ledger", "verify", "--ledger", path)
    assert (status, out) == (1, f"{path}: row 4 is missing\n")
    status, out, _ = command("ledger", "verify", "--ledger", path, "--json")
    assert (status, json.loads(out)["mistakes"]) == (1, ["row 4 is missing"])


@pytest.mark.parametrize(("content", "expected"), [(None, 66), (b"no database" * 99, 74)])
def test_what_cannot_be_verified_is_status_66_or_74(command, tmp_path, content, expected):
    if content:
        (tmp_path / "file.db").write_bytes(content)
    status, out, err = command("ledger", "verify", "--ledger", tmp_path / "file.db")
    assert (status, out, err.count("\n")) == (expected, "", 1)


def test_a_copy_is_made_and_put_back(command, path, tmp_path):
    status, out, _ = command("ledger", "backup", tmp_path / "copy.db", "--ledger", path)
    assert status == 0 and "10 rows; 10 coins seen" in out
    Ledger(path, RunRecord("b", "h", "r")).close()
    status, out, _ = command("ledger", "restore", tmp_path / "copy.db", "--ledger", path)
    assert status == 0 and "the replaced ledger is " in out
    assert read_totals(path) == read_totals(tmp_path / "copy.db")


def test_a_copy_that_is_there_already_is_status_66(command, path, tmp_path):
    (tmp_path / "copy.db").touch()
    status, _, err = command("ledger", "backup", tmp_path / "copy.db", "--ledger", path)
    assert status == 66 and "is there already; name a new file" in err


def test_a_ledger_in_use_is_status_75(command, path, tmp_path):
    command("ledger", "backup", tmp_path / "copy.db", "--ledger", path)
    with closing(Ledger(path, RunRecord("b", "h", "r"))):
        for words in (["restore", tmp_path / "copy.db"], ["prune", "--keep-days", 1], ["migrate"]):
            status, _, err = command("ledger", *words, "--ledger", path)
            assert status == 75 and "the machine is sorting" in err


@pytest.mark.parametrize("old_format", OLD_FORMATS)
def test_an_old_ledger_is_migrated_by_hand(command, tmp_path, old_format):
    OLD_FORMATS[old_format](tmp_path / "ledger.db")
    out = command("ledger", "migrate", "--ledger", tmp_path / "ledger.db")[1]
    assert "the old ledger is " in out and f".v{old_format}-" in out
    out = command("ledger", "migrate", "--ledger", tmp_path / "ledger.db")[1]
    assert "is of today's format already" in out


def test_rows_that_leave_are_counted(command, path):
    out = command("ledger", "prune", "--keep-days", 1, "--ledger", path)[1]
    assert out == f"{path}: 0 rows have left, their counts stay\n"


def test_how_long_rows_stay_must_be_said(command, path):
    for words in ([], ["--keep-days", 0]):
        with pytest.raises(SystemExit) as error:
            command("ledger", "prune", "--ledger", path, *words)
        assert error.value.code == 2


@pytest.mark.parametrize("action", ["verify", "backup", "restore", "migrate", "prune"])
def test_help_says_what_an_action_does_beside_a_running_machine(command, action, capsys):
    with pytest.raises(SystemExit):
        command("ledger", action, "--help")
    assert "machine" in capsys.readouterr().out
