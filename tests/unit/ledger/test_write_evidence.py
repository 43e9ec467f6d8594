"""write_evidence: what is written again after a fault is there once, and in the right file."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from coinsorter.errors import LedgerError, LedgerUnavailableError
from coinsorter.ledger.ledger import Ledger, close_coin, insert_coin, insert_incident
from coinsorter.ledger.queries import read_rows
from coinsorter.ledger.tables import THRESHOLD_COLUMNS
from coinsorter.ledger.verification import verify_ledger
from coinsorter.records import Thresholds
from coinsorter.simulator.simulated_disk import DiskFault, SimulatedDisk
from tests.unit.ledger.ledger_rows import RUN, event

NEW_THRESHOLDS = replace(event(2), thresholds=Thresholds(0.95, 3.0, 23.0, 0.25, 1.5, 0.5))
CHANGES = [
    [insert_coin(event(2))],
    [insert_coin(NEW_THRESHOLDS)],
    [insert_coin(event(2)), close_coin(2, "crown_2", None)],
    [close_coin(1, "crown_2", None)],
    [insert_incident("no frame", "camera", "look")],
]


@pytest.fixture
def disk():
    return SimulatedDisk()


@pytest.fixture
def ledger(disk, tmp_path):
    path = tmp_path / "var" / "ledger.db"
    with closing(Ledger(path, RUN, connect=disk.connect)) as ledger:
        ledger.record(event(1))
        yield ledger


def read_file(ledger: Ledger) -> tuple[list, int]:
    """Number, place and thresholds of each coin, and how many incidents there are."""
    with closing(sqlite3.connect(ledger.path)) as connection:
        (incidents,) = connection.execute("SELECT count(*) FROM incidents").fetchone()
    columns = ("coin", "landed", *THRESHOLD_COLUMNS)
    return [[row[name] for name in columns] for row in read_rows(ledger.path)], incidents


def is_written(write, changes: list) -> bool:
    """Whether it went well; closing a coin inserts nothing, and a full disk does not matter."""
    try:
        write(changes)
    except LedgerUnavailableError:
        return False
    return True


@pytest.mark.parametrize("fault", [f for f in DiskFault if f is not DiskFault.DAMAGED])
@pytest.mark.parametrize("changes", CHANGES)
def test_changes_that_failed_are_there_once_when_the_fault_has_passed(
    ledger, disk, fault, changes, tmp_path
):
    with closing(Ledger(tmp_path / "sound.db", RUN)) as sound:
        sound.record(event(1))
        sound.apply(changes)
    disk.fault = fault
    if not is_written(ledger.apply, changes):
        for tries_left in (2, 1, 0):
            disk.fault = fault if tries_left else None
            if is_written(ledger.reapply, changes):
                break
    assert read_file(ledger) == read_file(sound)
    assert verify_ledger(ledger.path).mistakes == []


def test_a_row_is_not_called_there_when_only_the_one_before_is(ledger, disk):
    ledger.apply([insert_coin(event(2))])
    disk.fault = DiskFault.LOCKED
    with pytest.raises(LedgerUnavailableError):
        ledger.apply([insert_coin(event(3))])
    disk.fault = None
    ledger.reapply([insert_coin(event(3))])
    assert [row["coin"] for row in read_rows(ledger.path)] == [1, 2, 3]


def test_a_folder_that_is_moved_away_and_back_loses_nothing(ledger):
    folder = ledger.path.parent
    away = folder.with_name("away")
    folder.rename(away)
    with pytest.raises(LedgerUnavailableError, match="moved, deleted or replaced"):
        ledger.apply(CHANGES[0])
    away.rename(folder)
    ledger.reapply(CHANGES[0])
    ledger.record(event(3))
    assert [row["coin"] for row in read_rows(ledger.path)] == [1, 2, 3]


@pytest.mark.parametrize("only_file", [True, False])
def test_a_deleted_ledger_is_written_again_with_all_that_it_held(ledger, only_file):
    if only_file:
        ledger.path.unlink()
    else:
        shutil.rmtree(ledger.path.parent)
    with pytest.raises(LedgerUnavailableError, match="moved, deleted or replaced"):
        ledger.apply(CHANGES[0])
    ledger.reapply(CHANGES[0])
    ledger.record(event(3))
    ledger.close()
    assert [row["coin"] for row in read_rows(ledger.path)] == [1, 2, 3]
    with closing(sqlite3.connect(ledger.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [path.name for path in ledger.path.parent.iterdir()] == ["ledger.db"]


def put_nothing(path):
    path.write_bytes(b"")


def put_other_ledger(path):
    Ledger(path, RUN).close()


def put_older_copy(path):
    shutil.copy(path.with_name("older.db"), path)


@pytest.mark.parametrize("put", [put_nothing, put_other_ledger, put_older_copy])
def test_another_file_in_its_place_needs_a_person_and_is_left_as_it_is(ledger, put):
    with closing(sqlite3.connect(ledger.path.with_name("older.db"))) as copy:
        ledger._connection.backup(copy)
    ledger.record(event(2))
    for path in ledger.path.parent.glob("ledger.db*"):
        path.unlink()
    put(ledger.path)
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerUnavailableError, match="moved, deleted or replaced"):
        ledger.apply([insert_coin(event(3))])
    with pytest.raises(LedgerError) as error:
        ledger.reapply([insert_coin(event(3))])
    assert type(error.value) is LedgerError
    ledger.close()
    assert ledger.path.read_bytes() == before
