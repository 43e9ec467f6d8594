"""migrations: an old ledger becomes one of today's, whole or not at all; it is kept."""

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
from coinsorter.ledger import migrations
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.migrations import migrate_ledger
from coinsorter.ledger.queries import open_read_only, read_rows, read_totals
from coinsorter.ledger.tables import PAGE_SIZE, SCHEMA_VERSION, read_format
from coinsorter.ledger.verification import verify_ledger
from tests.unit.ledger.ledger_files import FOREIGN, OLD_FORMATS, write_format_1, write_format_2
from tests.unit.ledger.ledger_rows import RUN, event

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)
#: The thresholds that every format has.
FOUR = ("min_confidence", "max_anomaly", "nominal_mm", "tolerance_mm")


def version(path):
    with open_read_only(path) as connection:
        return read_format(connection).version


#: What rows of older formats did not say.
NEW_COLUMNS = {"margin": None, "membership": None, "min_margin": None, "min_membership": None}


def add_new_columns(rows):
    """Rows of an older format, as they are shown after it was brought to today's."""
    return [row | NEW_COLUMNS for row in rows]


@pytest.fixture(params=OLD_FORMATS, ids=lambda number: f"format {number}")
def old_format(request):
    return request.param


@pytest.fixture
def write_old(old_format):
    return OLD_FORMATS[old_format]


@pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback journal"])
@pytest.mark.parametrize("coins", [0, 1, 6, 9000])
def test_every_old_row_is_the_same_afterwards(tmp_path, write_old, coins, wal):
    path = tmp_path / "ledger.db"
    write_old(path, coins, wal)
    rows, totals = read_rows(path), read_totals(path)
    migrate_ledger(path, NOW)
    assert version(path) == SCHEMA_VERSION
    assert read_rows(path) == add_new_columns(rows)
    assert len(rows) == coins
    assert read_totals(path) == totals
    assert [read_totals(path, run)["seen"] for run in (1, 2)] == [coins // 2, coins - coins // 2]
    assert verify_ledger(path).mistakes == []


def test_what_a_ledger_of_format_2_has_counted_comes_along(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_2(path, coins=95, block_rows=10, pruned=4)
    totals, rows = read_totals(path), read_rows(path)
    assert (verify_ledger(path).mistakes, totals["seen"], len(rows)) == ([], 95, 55)
    migrate_ledger(path, NOW)
    assert (read_totals(path), read_rows(path)) == (totals, add_new_columns(rows))
    assert verify_ledger(path).mistakes == []


def test_thresholds_of_old_rows_stand_once_each(tmp_path, write_old):
    path = tmp_path / "ledger.db"
    write_old(path, coins=40)
    before = [[row[name] for name in FOUR] for row in read_rows(path)]
    migrate_ledger(path, NOW)
    with closing(sqlite3.connect(path)) as connection:
        thresholds = connection.execute("SELECT * FROM thresholds ORDER BY id").fetchall()
    assert thresholds == [
        (1, 0.9, 4.0, 23.0, 0.5, None, None),
        (2, 0.95, 3.5, 25.25, 0.5, None, None),
        (3, 0.9, 4.0, 23.0, 0.25, None, None),
    ]
    assert [[row[name] for name in FOUR] for row in read_rows(path)] == before


def test_a_row_whose_thresholds_are_changed_on_the_way_is_noticed(
    tmp_path, monkeypatch, write_old, old_format
):
    path = tmp_path / "ledger.db"
    write_old(path, coins=40)
    swapped = "(SELECT 3 - known.id FROM new.thresholds AS known WHERE known.id < 3 LIMIT 1)"
    for name in ("_COPY_COINS_1", "_COPY_COINS_2"):
        copy = getattr(migrations, name).replace(migrations._THRESHOLDS_ID, swapped)
        monkeypatch.setattr(migrations, name, copy)
    with pytest.raises(LedgerError, match=f"rows of format {old_format} cannot be copied"):
        migrate_ledger(path, NOW)
    assert version(path) == old_format
    assert list(tmp_path.iterdir()) == [path]


def test_runs_and_incidents_come_along(tmp_path, write_old):
    path = tmp_path / "ledger.db"
    write_old(path)
    migrate_ledger(path, NOW)
    with closing(sqlite3.connect(path)) as connection:
        runs = connection.execute("SELECT id, bundle, note FROM runs").fetchall()
        incidents = connection.execute("SELECT run, what, remedy FROM incidents").fetchall()
    assert runs == [(1, "models/crowns", "a note"), (2, "models/crowns", "a note")]
    assert incidents == [(1, "no frame", "check the cable")]


def test_the_old_file_is_kept_beside_the_new_one(tmp_path, write_old, old_format):
    path = tmp_path / "ledger.db"
    write_old(path)
    totals = read_totals(path)
    kept = migrate_ledger(path, NOW)
    assert kept == tmp_path / f"ledger.db.v{old_format}-20261127T083000Z"
    assert (version(kept), read_totals(kept)) == (old_format, totals)
    assert sorted(tmp_path.iterdir()) == [path, kept]
    assert path.read_bytes()[16:18] == PAGE_SIZE.to_bytes(2, "big")


def test_an_older_copy_is_not_replaced(tmp_path):
    path = tmp_path / "ledger.db"
    (tmp_path / "ledger.db.v1-20261127T083000Z").write_text("kept before")
    write_format_1(path)
    assert migrate_ledger(path, NOW) == tmp_path / "ledger.db.v1-20261127T083000Z-2"
    assert (tmp_path / "ledger.db.v1-20261127T083000Z").read_text() == "kept before"


def test_a_start_migrates_and_calls_open_rows_uncertain(tmp_path, write_old):
    path = tmp_path / "ledger.db"
    write_old(path)
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


def test_a_ledger_in_use_is_not_migrated(tmp_path, monkeypatch, write_old, old_format):
    monkeypatch.setattr("coinsorter.ledger.database_file.BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "ledger.db"
    write_old(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM coins").fetchone()
        with pytest.raises(LedgerError, match="uses it"):
            migrate_ledger(path, NOW)
    assert version(path) == old_format


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
        is_step = code.co_filename.endswith("migrations.py")
        if not is_step and code.co_name not in ("keep_copy", "write_database", "flush_file"):
            return None
        steps += happening == "line"
        if steps == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def test_killed_at_any_step_the_old_or_the_new_ledger_is_there(tmp_path, write_old, old_format):
    old = tmp_path / "old.db"
    write_old(old)
    rows = read_rows(old)
    seen, step, was_killed = set(), 0, True
    while was_killed:
        step += 2  # every other line
        path = tmp_path / f"{step}" / "ledger.db"
        path.parent.mkdir()
        shutil.copy(old, path)
        was_killed = migrate_until(path, step)
        is_new = version(path) == SCHEMA_VERSION
        assert read_rows(path) == (add_new_columns(rows) if is_new else rows)
        seen.add(version(path))
        Ledger(path, RUN).close()  # the next start goes on from there
        assert read_totals(path)["seen"] == len(rows)
        if was_killed:
            seen.add("killed")
    assert seen == {old_format, SCHEMA_VERSION, "killed"} and step > 30


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


@pytest.mark.parametrize("share", [0.05, 0.4, 0.95])
def test_a_disk_that_is_full_leaves_the_old_ledger(tmp_path, share, write_old, old_format):
    path = tmp_path / "ledger.db"
    write_old(path, coins=3000)
    max_bytes = int(share * path.stat().st_size)
    rows = read_rows(path)

    def migrate_on_a_full_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
        Ledger(path, RUN)

    assert os.waitstatus_to_exitcode(in_a_process(migrate_on_a_full_disk)) == 74
    assert version(path) == old_format
    assert read_rows(path) == rows
    assert [p for p in tmp_path.iterdir() if p.name.startswith("part-")] == []


def test_what_a_killed_migration_has_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path)
    (tmp_path / "part-ledger.db").write_text("half a ledger")
    (tmp_path / "part-ledger.db-journal").write_text("its journal")
    kept = migrate_ledger(path, NOW)
    assert sorted(tmp_path.iterdir()) == [path, kept]
