"""ownership: which files an output may take the place of."""

import sqlite3
import subprocess
import sys

import pytest

from coinsorter.errors import InputError
from coinsorter.files.ownership import (
    Claim,
    check_file,
    first_overlap,
    is_ledger,
    is_ledger_in_use,
    is_same_file,
    is_within,
    make_mark,
    overlaps,
    read_sample,
    recognize_any,
    recognize_mark,
    recognize_none,
    recognize_start,
)
from tests.conftest import CONFIG

OWN = Claim(recognize_start(b"ours"), "name another", force=False)
FORCED = Claim(recognize_start(b"ours"), "name another", force=True)
HOLD_OPEN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("SELECT count(*) FROM coins").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE coins (id)")
    connection.close()
    return path


def refusal(path, claim=OWN) -> str:
    with pytest.raises(InputError) as error:
        check_file(path, claim)
    return str(error.value)


def test_what_is_not_there_or_empty_or_our_own_may_be_written(tmp_path):
    assert check_file(tmp_path / "new", OWN) == tmp_path / "new"
    for name, content in {"empty": "", "own": "ours, an earlier one"}.items():
        (tmp_path / name).write_text(content)
        assert check_file(tmp_path / name, OWN) == tmp_path / name


def test_what_others_made_is_replaced_by_force_only(tmp_path):
    path = tmp_path / "text"
    path.write_text("a person's")
    assert refusal(path) == (
        f"{path}: is a file that this command did not make and is not replaced; "
        "name another, or add --force"
    )
    assert check_file(path, FORCED) == path


def test_a_command_without_force_does_not_advise_it(tmp_path):
    (tmp_path / "text").write_text("a person's")
    assert refusal(tmp_path / "text", Claim(remedy="name another")).endswith("name another")


def test_a_ledger_is_never_an_earlier_output(ledger):
    assert "is a ledger and is not replaced" in refusal(ledger, Claim(recognize_any))
    assert check_file(ledger, FORCED) == ledger and is_ledger(ledger)


def test_a_ledger_in_use_is_not_replaced_by_force_either(ledger):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_OPEN, str(ledger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        assert is_ledger_in_use(ledger)
        assert "is a ledger in use" in refusal(ledger, FORCED)
        process.stdin.close()
    assert not is_ledger_in_use(ledger)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_the_journal_of_a_ledger_is_never_written(ledger, suffix):
    path = ledger.with_name(ledger.name + suffix)
    assert "is the journal of a ledger" in refusal(path, FORCED)


def test_settings_are_not_replaced_by_force_either(tmp_path):
    (tmp_path / "machine.yaml").write_text(CONFIG.read_text())
    assert "is a settings file" in refusal(tmp_path / "machine.yaml", FORCED)


def test_what_a_command_reads_is_not_replaced_by_force_either(tmp_path):
    source = tmp_path / "source"
    source.write_text("ours")
    (tmp_path / "hard").hardlink_to(source)
    (tmp_path / "link").symlink_to("source")
    for name in ("source", "hard", "link"):
        assert "is read by this command" in refusal(tmp_path / name, FORCED.spare(source))


def test_what_lies_in_a_folder_that_a_command_reads_is_not_replaced(tmp_path):
    (tmp_path / "coins").mkdir()
    (tmp_path / "coins" / "one.png").write_text("ours")
    assert "is read" in refusal(tmp_path / "coins" / "one.png", FORCED.spare(tmp_path / "coins"))


def test_a_link_is_judged_by_what_it_leads_to(tmp_path):
    (tmp_path / "theirs").write_text("a person's")
    (tmp_path / "link").symlink_to("theirs")
    (tmp_path / "nowhere").symlink_to("new")
    assert "did not make" in refusal(tmp_path / "link")
    assert check_file(tmp_path / "nowhere", OWN) == tmp_path / "new"


def test_links_that_lead_to_each_other_are_named(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "a: cannot be written: Too many levels of symbolic links" in refusal(tmp_path / "a")


def test_a_folder_is_no_file(tmp_path):
    assert "cannot be written: it is a folder" in refusal(tmp_path, FORCED)


def test_a_file_that_was_changed_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("new")
    assert check_file(path, Claim(expected=b"new")) == path
    assert "changed by another program" in refusal(path, Claim(expected=b"old"))
    assert "changed by another program" in refusal(path, Claim(expected=b"newer"))


def test_a_mark_is_seen_at_either_end_of_a_file(tmp_path):
    path = tmp_path / "file"
    for content in (make_mark("x") + bytes(9000), bytes(9000) + make_mark("x")):
        path.write_bytes(content)
        assert recognize_mark("x")(read_sample(path))
    assert not recognize_mark("y")(read_sample(path)) and not recognize_none(content)


def test_files_are_compared_by_what_they_are(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    assert is_same_file(tmp_path / "folder" / ".." / "folder", tmp_path / "link")
    assert is_same_file(tmp_path / "no", tmp_path / "folder" / ".." / "no")
    assert not is_same_file(tmp_path / "no", tmp_path / "folder")
    assert is_within(tmp_path / "link" / "new" / "file", tmp_path / "folder")
    assert overlaps(tmp_path, tmp_path / "link") and not overlaps(
        tmp_path / "other", tmp_path / "folder"
    )
    assert first_overlap(tmp_path / "x", [None, tmp_path / "y", tmp_path]) == tmp_path
