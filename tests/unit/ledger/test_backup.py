"""backup: copies that are whole or not there, and put back; old rows that leave."""

import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from coinsorter.errors import InputError, LedgerError, LedgerInUseError
from coinsorter.ledger.background_ledger import BackgroundLedger
from coinsorter.ledger.backup import back_up, migrate, prune, restore
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_rows, read_totals
from coinsorter.ledger.tables import SCHEMA_VERSION
from coinsorter.ledger.verification import verify_ledger
from tests.unit.ledger.ledger_files import FOREIGN, OLD_FORMATS
from tests.unit.ledger.ledger_rows import RUN, event

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


def write_ledger(path, coins=5, clock=lambda: NOW):
    with closing(Ledger(path, RUN, clock)) as ledger:
        for coin in range(coins):
            ledger.record(event(coin))
            ledger.complete(coin, "crown_2")
    return path


@pytest.fixture
def path(tmp_path):
    (tmp_path / "var").mkdir()
    return write_ledger(tmp_path / "var" / "ledger.db")


def test_a_copy_holds_what_the_ledger_holds_and_is_one_file(path, tmp_path):
    to = tmp_path / "copies" / "copy.db"
    to.parent.mkdir()
    report = back_up(path, to)
    assert (report.rows, report.mistakes) == (5, [])
    assert read_rows(to) == read_rows(path)
    assert list(to.parent.iterdir()) == [to]


def test_a_copy_is_made_while_the_machine_writes(tmp_path):
    ledger = BackgroundLedger(lambda: Ledger(tmp_path / "ledger.db", RUN))
    stop = threading.Event()

    def sort():
        coin = 0
        while not stop.is_set():
            ledger.record(event(coin)).wait(5)
            ledger.complete(coin, "crown_2")
            coin += 1

    writer = threading.Thread(target=sort)
    writer.start()
    seen = [back_up(tmp_path / "ledger.db", tmp_path / f"{n}.db").totals["seen"] for n in range(5)]
    stop.set()
    writer.join()
    ledger.close()
    assert seen == sorted(seen)
    assert verify_ledger(tmp_path / "4.db").mistakes == []
    assert read_totals(tmp_path / "ledger.db")["seen"] >= seen[-1]


def test_a_file_that_is_there_is_not_replaced_by_a_copy(path, tmp_path):
    to = tmp_path / "copy.db"
    to.write_text("precious")
    with pytest.raises(InputError, match="is there already; name a new file"):
        back_up(path, to)
    assert to.read_text() == "precious"


@pytest.mark.parametrize("link", [True, False], ids=["link to it", "itself"])
def test_a_ledger_is_no_copy_of_itself(path, tmp_path, link):
    to = tmp_path / "link.db" if link else path
    if link:
        to.symlink_to(path)
    with pytest.raises(InputError, match="is there already"):
        back_up(path, to)
    assert read_totals(path)["seen"] == 5


def test_a_folder_that_is_not_there_is_one_line(path, tmp_path):
    with pytest.raises(InputError, match="cannot be written: .*; name another file"):
        back_up(path, tmp_path / "no" / "copy.db")


def test_a_ledger_with_mistakes_is_not_copied(path, tmp_path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM coin_rows WHERE id = 2")
        connection.commit()
    with pytest.raises(LedgerError, match="row 2 is missing"):
        back_up(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_copy_put_back_is_the_ledger_again_and_the_replaced_one_is_kept(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    write_ledger(path, coins=3)
    report, old = restore(path, tmp_path / "copy.db", NOW)
    assert (report.rows, read_totals(path)["seen"]) == (5, 5)
    assert old == path.with_name("ledger.db.replaced-20261127T083000Z")
    assert read_totals(old)["seen"] == 8
    assert sorted(path.parent.iterdir()) == [path, old]
    write_ledger(path, coins=1)
    assert read_totals(path)["seen"] == 6


def test_a_copy_can_be_put_where_no_ledger_is(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    path.unlink()
    assert restore(path, tmp_path / "copy.db", NOW)[1] is None
    assert read_totals(path)["seen"] == 5


@pytest.mark.parametrize("old_format", OLD_FORMATS)
def test_a_copy_of_an_older_format_can_be_put_back(path, tmp_path, old_format):
    OLD_FORMATS[old_format](tmp_path / "old.db")
    restore(path, tmp_path / "old.db", NOW)
    assert read_rows(path) == read_rows(tmp_path / "old.db")
    write_ledger(path, coins=1)
    assert read_totals(path)["seen"] == 7


def test_a_ledger_that_is_no_database_any_more_is_replaced_and_kept(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    path.write_bytes(b"\0" * 5000)
    old = restore(path, tmp_path / "copy.db", NOW)[1]
    assert (old.read_bytes(), read_totals(path)["seen"]) == (b"\0" * 5000, 5)


def test_nothing_is_put_back_while_a_machine_uses_the_ledger(path, tmp_path):
    back_up(path, tmp_path / "copy.db")
    with (
        closing(Ledger(path, RUN)),
        pytest.raises(LedgerInUseError, match=f"sorting .process {os.getpid()}"),
    ):
        restore(path, tmp_path / "copy.db", NOW)
    assert [p.name for p in path.parent.iterdir()] == ["ledger.db"]


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_ledger_is_not_put_in_its_place(path, tmp_path, kind):
    write, words = FOREIGN[kind]
    write(tmp_path / "file.db")
    with pytest.raises((LedgerError, InputError), match=words):
        restore(path, tmp_path / "file.db", NOW)
    assert read_totals(path)["seen"] == 5


def test_a_failed_restore_where_no_ledger_was_leaves_none(tmp_path):
    with pytest.raises(InputError, match="there is none"):
        restore(tmp_path / "ledger.db", tmp_path / "no-copy.db", NOW)
    assert list(tmp_path.iterdir()) == []


def test_another_programs_database_is_not_replaced(tmp_path, path):
    FOREIGN["another program's"][0](tmp_path / "layers.gpkg")
    content = (tmp_path / "layers.gpkg").read_bytes()
    with pytest.raises(LedgerError, match="another program's database"):
        restore(tmp_path / "layers.gpkg", path, NOW)
    assert (tmp_path / "layers.gpkg").read_bytes() == content


def test_killed_while_a_copy_is_put_back_one_whole_ledger_is_there(path, tmp_path):
    back_up(write_ledger(tmp_path / "other.db", coins=9), tmp_path / "copy.db")
    seen, step, was_killed = set(), 0, True
    while was_killed:
        step += 1
        process = os.fork()
        if process == 0:
            sys.setprofile(kill_at(step))
            restore(path, tmp_path / "copy.db", NOW)
            os._exit(0)
        status = os.waitpid(process, 0)[1]
        was_killed = status == signal.SIGKILL
        assert was_killed or status == 0
        seen.add(read_totals(path)["seen"])
        assert verify_ledger(path).mistakes == []
        back_up(path, tmp_path / f"{step}.db")
    assert seen == {5, 9} and step > 10


def kill_at(step):
    steps = 0

    def profile(frame, happening, _):
        nonlocal steps
        is_ours = frame.f_code.co_filename.endswith(("database_file.py", "backup.py"))
        steps += is_ours and happening in ("call", "c_call")
        if steps == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return profile


@pytest.mark.parametrize("old_format", OLD_FORMATS)
def test_a_ledger_of_an_older_format_is_brought_to_todays_by_hand(tmp_path, old_format):
    path = tmp_path / "ledger.db"
    OLD_FORMATS[old_format](path)
    old = migrate(path, NOW)
    formats = [verify_ledger(file).format for file in (path, old)]
    assert formats == [SCHEMA_VERSION, old_format]
    assert migrate(tmp_path / "ledger.db", NOW) is None
    with pytest.raises(InputError, match="there is none"):
        migrate(tmp_path / "none.db", NOW)


def test_old_rows_leave_by_hand_and_totals_stay(tmp_path, monkeypatch):
    for module in ("coinsorter.ledger.blocks", "coinsorter.ledger.ledger"):
        monkeypatch.setattr(f"{module}.BLOCK_ROWS", 10)
    path = tmp_path / "ledger.db"
    for days in range(100, 0, -10):
        write_ledger(path, 10, lambda days=days: NOW - timedelta(days=days))
    totals = read_totals(path)
    assert prune(path, NOW - timedelta(days=55)) == 40  # the block after must be old too
    assert read_totals(path) == totals
    assert [row["id"] for row in read_rows(path)] == list(range(41, 101))
    assert verify_ledger(path).mistakes == []
    assert prune(path, NOW - timedelta(days=55)) == 0


@pytest.mark.parametrize("old_format", OLD_FORMATS)
def test_rows_do_not_leave_a_ledger_of_an_older_format(tmp_path, old_format):
    path = tmp_path / "ledger.db"
    OLD_FORMATS[old_format](path)
    with pytest.raises(InputError, match=f"older format {old_format}; .* ledger migrate"):
        prune(path, NOW)
    assert (verify_ledger(path).format, len(read_rows(path))) == (old_format, 6)


def test_rows_do_not_leave_by_hand_while_a_machine_writes(path):
    with closing(Ledger(path, RUN)), pytest.raises(LedgerInUseError):
        prune(path, NOW)
    assert len(read_rows(path)) == 5
