"""ledger_migrations: an old ledger becomes one of today's, whole or not at all; it is kept."""

import os
import resource
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest

from coinsorter.errors import LedgerError
from coinsorter.sorting.ledger import Ledger
from coinsorter.sorting.ledger_migrations import migrate_ledger
from coinsorter.sorting.ledger_queries import open_read_only, read_rows, read_totals
from coinsorter.sorting.ledger_schema import PAGE_SIZE, read_format
from tests.unit.sorting.ledger_files import FOREIGN, write_format_1
from tests.unit.sorting.ledger_rows import RUN, event

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


def version(path):
    with open_read_only(path) as connection:
        return read_format(connection).version


@pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback journal"])
@pytest.mark.parametrize("coins", [0, 1, 6, 9000])
def test_every_row_of_format_1_is_the_same_afterwards(tmp_path, coins, wal):
    path = tmp_path / "ledger.db"
    write_format_1(path, coins, wal)
    rows, totals = read_rows(path), read_totals(path)
    migrate_ledger(path, NOW)
    assert version(path) == 2
    assert read_rows(path) == rows
    assert len(rows) == coins
    assert read_totals(path) == totals
    assert [read_totals(path, run)["seen"] for run in (1, 2)] == [coins // 2, coins - coins // 2]


def test_runs_and_incidents_come_along(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path)
    migrate_ledger(path, NOW)
    with closing(sqlite3.connect(path)) as connection:
        runs = connection.execute("SELECT id, bundle, note FROM runs").fetchall()
        incidents = connection.execute("SELECT run, what, remedy FROM incidents").fetchall()
    assert runs == [(1, "models/crowns", "a note"), (2, "models/crowns", "a note")]
    assert incidents == [(1, "no frame", "check the cable")]


def test_the_old_file_is_kept_beside_the_new_one(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path)
    totals = read_totals(path)
    kept = migrate_ledger(path, NOW)
    assert kept == tmp_path / "ledger.db.v1-20261127T083000Z"
    assert (version(kept), read_totals(kept)) == (1, totals)
    assert sorted(tmp_path.iterdir()) == [path, kept]
    assert path.read_bytes()[16:18] == PAGE_SIZE.to_bytes(2, "big")


def test_an_older_copy_is_not_replaced(tmp_path):
    path = tmp_path / "ledger.db"
    (tmp_path / "ledger.db.v1-20261127T083000Z").write_text("kept before")
    write_format_1(path)
    assert migrate_ledger(path, NOW) == tmp_path / "ledger.db.v1-20261127T083000Z-2"
    assert (tmp_path / "ledger.db.v1-20261127T083000Z").read_text() == "kept before"


def test_a_start_migrates_and_calls_open_rows_uncertain(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path)
    ledger = Ledger(path, RUN)
    ledger.record(event(1))
    ledger.complete(1, "crown_2")
    ledger.close()
    totals = read_totals(path)
    assert (ledger.recovered, totals["seen"], totals["uncertain"]) == (1, 7, 2)
    assert read_rows(path, last=1)[0]["run"] == 3


def test_a_ledger_of_today_is_left_alone(tmp_path):
    path = tmp_path / "ledger.db"
    Ledger(path, RUN).close()
    before = path.stat().st_ino
    assert migrate_ledger(path, NOW) is None
    assert path.stat().st_ino == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_ledger_in_use_is_not_migrated(tmp_path, monkeypatch):
    monkeypatch.setattr("coinsorter.sorting.ledger_file.BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "ledger.db"
    write_format_1(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM coins").fetchone()
        with pytest.raises(LedgerError, match="uses it"):
            migrate_ledger(path, NOW)
    assert version(path) == 1


def test_a_row_that_cannot_be_copied_leaves_the_old_ledger(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE coins SET at = 'yesterday' WHERE id = 4")
        connection.commit()
    with pytest.raises(LedgerError, match="NOT NULL"):
        Ledger(path, RUN)
    assert version(path) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path, kind):
    path = tmp_path / "ledger.db"
    write, words = FOREIGN[kind]
    write(path)
    content = path.read_bytes()
    with pytest.raises(LedgerError, match=words):
        Ledger(path, RUN)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def migrate_until(path, step):
    """Migrates in a process that kills itself at a step, a line of the migration's modules.

    Returns whether it was killed.
    """
    process = os.fork()
    if process == 0:
        sys.settrace(kill_at(step))
        migrate_ledger(path, NOW)
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    return status != 0


def kill_at(step):
    steps = 0

    def trace(frame, happening, _):
        nonlocal steps
        code = frame.f_code
        is_step = code.co_filename.endswith("ledger_migrations.py")
        if not is_step and code.co_name not in ("keep_copy", "write_database", "flush_file"):
            return None
        steps += happening == "line"
        if steps == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def test_killed_at_any_step_the_old_or_the_new_ledger_is_there(tmp_path):
    old = tmp_path / "old.db"
    write_format_1(old)
    rows = read_rows(old)
    seen, step, was_killed = set(), 0, True
    while was_killed:
        step += 2  # every other line
        path = tmp_path / f"{step}" / "ledger.db"
        path.parent.mkdir()
        shutil.copy(old, path)
        was_killed = migrate_until(path, step)
        seen.add(version(path))
        assert read_rows(path) == rows
        Ledger(path, RUN).close()  # the next start goes on from there
        assert read_totals(path)["seen"] == len(rows)
        if was_killed:
            seen.add("killed")
    assert seen == {1, 2, "killed"} and step > 30


def in_a_process(work) -> int:
    """Runs work in a process of its own; the wait status of its end."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except LedgerError:
            os._exit(74)
        os._exit(0)
    return os.waitpid(process, 0)[1]


def test_rows_that_a_crash_left_in_the_old_log_come_along(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path, coins=3)

    def add_rows_and_crash():
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(
            "INSERT INTO coins (run, coin, at, seen_s, bin, reason) "
            "VALUES (2, 99, '2026-11-20T09:00:00.000+00:00', 1.5, 'reject', 'unsure')"
        )
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_process(add_rows_and_crash) == signal.SIGKILL
    assert (tmp_path / "ledger.db-wal").stat().st_size > 0
    Ledger(path, RUN).close()
    assert [row["coin"] for row in read_rows(path)] == [1, 2, 3, 99]
    assert read_rows(path)[-1]["landed"] == "uncertain"


@pytest.mark.parametrize("max_bytes", [20_000, 200_000, 400_000])
def test_a_disk_that_is_full_leaves_the_old_ledger(tmp_path, max_bytes):
    path = tmp_path / "ledger.db"
    write_format_1(path, coins=3000)
    rows = read_rows(path)

    def migrate_on_a_full_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
        Ledger(path, RUN)

    assert os.waitstatus_to_exitcode(in_a_process(migrate_on_a_full_disk)) == 74
    assert version(path) == 1
    assert read_rows(path) == rows
    assert [p for p in tmp_path.iterdir() if p.name.startswith("part-")] == []


def test_what_a_killed_migration_has_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path)
    (tmp_path / "part-ledger.db").write_text("half a ledger")
    (tmp_path / "part-ledger.db-journal").write_text("its journal")
    kept = migrate_ledger(path, NOW)
    assert sorted(tmp_path.iterdir()) == [path, kept]
