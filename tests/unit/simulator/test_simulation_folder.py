"""simulation_folder: a simulated run's ledger takes the place of simulated runs' ledgers only."""

import sqlite3
from contextlib import closing

import pytest

from coinsorter.errors import InputError
from coinsorter.ledger.ledger import SIMULATED_NOTE, Ledger, RunRecord
from coinsorter.simulator.simulation_folder import check_ledger, is_simulated, make_claim


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "ledger.db"


def write_ledger(path, *notes):
    for note in notes:
        Ledger(path, RunRecord("bundle", "digest", "runtime", note)).close()


def refusal(path, machine_ledger) -> str:
    with pytest.raises(InputError) as error:
        check_ledger(path, machine_ledger)
    return str(error.value)


def test_a_simulated_runs_ledger_may_be_replaced(path, tmp_path):
    check_ledger(path, tmp_path / "real.db")
    write_ledger(path, f"{SIMULATED_NOTE}1", f"{SIMULATED_NOTE}2")
    assert is_simulated(path)
    check_ledger(path, tmp_path / "real.db")


@pytest.mark.parametrize("notes", [[""], ["batch 7"], [f"{SIMULATED_NOTE}1", "batch 8"]])
def test_a_ledger_that_a_real_run_wrote_to_stays(path, tmp_path, notes):
    write_ledger(path, *notes)
    assert "is no simulated run's ledger and is not replaced" in refusal(path, tmp_path / "real")
    (tmp_path / "link.db").symlink_to(path)
    assert "is no simulated run's ledger" in refusal(tmp_path / "link.db", tmp_path / "real")


def test_other_files_stay(path, tmp_path):
    path.parent.mkdir()
    path.write_text("a person's")
    assert "is no simulated run's ledger" in refusal(path, tmp_path / "real")
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (id)")
    assert "is no simulated run's ledger" in refusal(path, tmp_path / "real")
    path.unlink()
    path.symlink_to("nowhere")
    assert "leads nowhere" in refusal(path, tmp_path / "real")


def test_the_machines_own_ledger_stays_even_before_it_is_made(path):
    assert "is the machine's own ledger" in refusal(path, path.parent / ".." / "out" / path.name)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_journal_whose_ledger_is_gone_stays(path, tmp_path, suffix):
    path.parent.mkdir()
    path.with_name(path.name + suffix).write_bytes(b"coins")
    assert "journal of a ledger that is not there" in refusal(path, tmp_path / "real")


def test_a_sheet_takes_the_place_of_sheets_only(tmp_path):
    claim = make_claim(tmp_path / "config.yaml", False)
    assert not claim.is_own(b"\x89PNG holiday") and claim.inputs == (tmp_path / "config.yaml",)


def test_a_killed_runs_ledger_is_known_by_its_journal_which_is_not_touched(path, tmp_path):
    write_ledger(path, f"{SIMULATED_NOTE}1")
    killed = tmp_path / "killed" / "ledger.db"
    killed.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET note = 'batch 7'")
        connection.commit()
        for suffix in ("", "-wal"):
            copy = killed.with_name(killed.name + suffix)
            copy.write_bytes(path.with_name(path.name + suffix).read_bytes())
    before = {each.name: each.read_bytes() for each in killed.parent.iterdir()}
    assert not is_simulated(killed)
    assert {each.name: each.read_bytes() for each in killed.parent.iterdir()} == before
    assert set(before) == {"ledger.db", "ledger.db-wal"}
