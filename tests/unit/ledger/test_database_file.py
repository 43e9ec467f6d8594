"""database_file: opened beside others or alone; replaced as a whole, with its owner's rights."""

import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import UTC, datetime

import pytest

from coinsorter.errors import LedgerError
from coinsorter.ledger.database_file import (
    connect_ledger,
    keep_copy,
    prepare_ledger,
    use_alone,
    write_database,
)
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_totals
from coinsorter.ledger.tables import PAGE_SIZE
from tests.unit.ledger.ledger_files import write_format_1
from tests.unit.ledger.ledger_rows import RUN

NOW = datetime(2026, 11, 27, tzinfo=UTC)

STARTING = """
    import sys
    from pathlib import Path
    from coinsorter.records import Decision, Event
    from coinsorter.ledger.ledger import Ledger, RunRecord
    sys.stdin.readline()
    ledger = Ledger(Path(sys.argv[1]), RunRecord("b", "h", "r"))
    ledger.record(Event(1, 0.0, 23.0, 250.0, None, None, Decision("reject", "fault")))
    ledger.complete(1, "reject")
    ledger.close()
"""


def test_a_commit_is_durable_and_its_pages_are_small(tmp_path):
    path = tmp_path / "ledger.db"
    with closing(connect_ledger(path)) as connection:
        prepare_ledger(path, connection)
        pragmas = ("journal_mode", "synchronous", "page_size")
        values = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert values == ["wal", 2, PAGE_SIZE]  # 2 is FULL


def test_whoever_uses_a_ledger_alone_has_no_other_beside(tmp_path, monkeypatch):
    monkeypatch.setattr("coinsorter.ledger.database_file.BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "ledger.db"
    ledger = Ledger(path, RUN)
    with pytest.raises(LedgerError, match="stop it"), use_alone(path):
        pass
    ledger.close()
    with (
        use_alone(path),
        closing(sqlite3.connect(path, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("SELECT count(*) FROM runs")
    assert read_totals(path)["seen"] == 0


def test_a_crashed_ledgers_log_is_in_the_file_when_it_is_used_alone(tmp_path):
    script = textwrap.dedent(STARTING).replace("ledger.close()", "import os; os._exit(9)")
    path = tmp_path / "ledger.db"
    words = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(words, input="go\n", text=True, check=False).returncode == 9
    assert (tmp_path / "ledger.db-wal").exists()
    with use_alone(path) as connection:
        assert connection.execute("SELECT count(*) FROM coins").fetchone()[0] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_kept_copy_has_the_word_and_the_time_in_its_name(tmp_path):
    path = tmp_path / "ledger.db"
    write_format_1(path)
    with use_alone(path) as connection:
        kept = keep_copy(connection, path, "replaced", NOW)
    assert kept.name == "ledger.db.replaced-20261127T000000Z"
    assert read_totals(kept) == read_totals(path)
    assert sorted(tmp_path.iterdir()) == [path, kept]


def test_a_copy_that_fails_is_not_there(tmp_path):
    path = tmp_path / "copy.db"
    with pytest.raises(OSError, match="full"), write_database(path) as part:
        part.write_text("half")
        raise OSError(28, "disk full")
    assert list(tmp_path.iterdir()) == []
