"""background_ledger: what fails in its thread is told, and leaves no half row."""

import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from coinsorter.errors import LedgerError
from coinsorter.sorting.background_ledger import BackgroundLedger
from coinsorter.sorting.ledger import Ledger
from coinsorter.sorting.ledger_queries import read_totals
from tests.unit.sorting.ledger_rows import RUN

# A process that may write no file beyond 200 kB finds its disk as good as full.
FILLING = """
    import resource, signal, sys
    from pathlib import Path
    from coinsorter.errors import LedgerError
    from coinsorter.sorting.background_ledger import BackgroundLedger
    from coinsorter.sorting.ledger import Ledger, RunRecord
    from coinsorter.records import Decision, Event
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = Path(sys.argv[1])
    open_ledger = lambda: Ledger(path, RunRecord("b", "h", "r"))
    ledger = open_ledger() if sys.argv[2] == "direct" else BackgroundLedger(open_ledger)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    decision = Decision("crown_2", "sorted")
    durable = 0
    try:
        for coin in range(100_000):
            receipt = ledger.record(Event(coin, 0.0, 23.0, 250.0, None, None, decision))
            durable += receipt.wait(5)
    except LedgerError as error:
        print(durable, error)
        sys.exit(74)
"""


@pytest.mark.parametrize("kind", ["direct", "background"])
def test_a_full_disk_stops_it_with_a_reason_and_leaves_no_half_row(tmp_path, kind):
    path = tmp_path / "ledger.db"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FILLING), str(path), kind],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 74, done.stderr
    durable, line = done.stdout.strip().split(" ", 1)
    assert line.startswith(f"ledger {path}: ") and "\n" not in line
    assert read_totals(path)["seen"] == int(durable) > 0
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_fault_of_the_last_change_is_raised_by_close_and_only_once(tmp_path):
    ledger = BackgroundLedger(lambda: Ledger(tmp_path / "ledger.db", RUN))
    ledger.report_incident("said \udcff", "here", "nothing")  # text that SQLite cannot take
    with pytest.raises(LedgerError, match="surrogates not allowed"):
        ledger.close()
    ledger.close()


def test_a_note_that_cannot_be_written_is_refused_at_once(tmp_path):
    run = replace(RUN, note="note \udcff")
    with pytest.raises(LedgerError, match="surrogates not allowed"):
        BackgroundLedger(lambda: Ledger(tmp_path / "ledger.db", run))
