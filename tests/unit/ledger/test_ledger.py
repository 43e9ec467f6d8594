"""ledger: rows durable before a flap moves, whole or not there, and none lost in a crash."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from coinsorter.errors import LedgerError
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_rows, read_totals
from coinsorter.ledger.verification import verify_ledger
from tests.unit.ledger.ledger_rows import RUN, THRESHOLDS, VERDICT, event


def test_a_row_is_durable_when_its_receipt_says_so(ledger):
    receipt = ledger.record(event(1))
    assert receipt.wait(5)
    (row,) = read_rows(ledger.path)
    assert (row["coin"], row["bin"], row["reason"]) == (1, "crown_2", "sorted")
    assert (row["value"], row["currency"], row["landed"]) == (2.0, "CRN", None)


def test_a_row_holds_the_verdict_and_the_thresholds(ledger):
    ledger.record(event(1)).wait(5)
    (row,) = read_rows(ledger.path)
    assert row["label"] == VERDICT.label
    assert row["confidence"] == VERDICT.confidence
    assert row["by_picture"] == VERDICT.image_confidence
    assert row["runner_up"] == VERDICT.runner_up
    assert row["anomaly"] == VERDICT.anomaly
    assert row["min_confidence"] == THRESHOLDS.min_confidence
    assert row["max_anomaly"] == THRESHOLDS.max_anomaly
    assert row["nominal_mm"] == THRESHOLDS.nominal_mm
    assert row["tolerance_mm"] == THRESHOLDS.tolerance_mm
    assert (row["margin"], row["min_margin"]) == (VERDICT.margin, THRESHOLDS.min_margin)
    assert row["membership"] == VERDICT.membership
    assert row["min_membership"] == THRESHOLDS.min_membership


def test_a_bundle_without_a_gate_has_no_membership_and_no_bound_for_it(ledger):
    coin = event(1, verdict=replace(VERDICT, margin=inf, membership=inf))
    thresholds = replace(THRESHOLDS, min_membership=-inf)
    ledger.record(replace(coin, thresholds=thresholds)).wait(5)
    (row,) = read_rows(ledger.path)
    assert (row["margin"], row["membership"], row["min_membership"]) == (None, None, None)
    assert row["min_margin"] == THRESHOLDS.min_margin


def test_thresholds_that_settings_change_meanwhile_are_those_of_the_rows_after(ledger):
    strict = replace(THRESHOLDS, min_confidence=0.99, min_membership=1.5)
    for coin, thresholds in enumerate([THRESHOLDS, THRESHOLDS, strict, THRESHOLDS, strict]):
        ledger.record(replace(event(coin), thresholds=thresholds)).wait(5)
    bounds = [(row["min_confidence"], row["min_membership"]) for row in read_rows(ledger.path)]
    assert bounds == [(0.9, -1.5), (0.9, -1.5), (0.99, 1.5), (0.9, -1.5), (0.99, 1.5)]
    with closing(sqlite3.connect(ledger.path)) as connection:
        assert connection.execute("SELECT count(*) FROM thresholds").fetchone() == (2,)


def test_a_coin_without_a_verdict_has_a_row_too(ledger):
    ledger.record(event(1, "reject", "fault", verdict=None)).wait(5)
    (row,) = read_rows(ledger.path)
    assert row["label"] is None and row["min_confidence"] is None


def test_an_incident_is_written_with_its_remedy(ledger):
    ledger.report_incident("no frame", "camera", "check the cable")
    ledger.close()
    with sqlite3.connect(ledger.path) as connection:
        rows = connection.execute("SELECT run, what, place, remedy FROM incidents").fetchall()
    connection.close()
    assert rows == [(1, "no frame", "camera", "check the cable")]


def test_rows_that_a_crash_left_open_are_uncertain_after_the_next_start(tmp_path):
    path = tmp_path / "ledger.db"
    crashed = Ledger(path, RUN)  # never closed
    crashed.record(event(1))
    crashed.record(event(2))
    crashed.complete(2, "crown_2")
    del crashed  # and with it the lock that a crash would have let go of
    assert Ledger(path, RUN).recovered == 1
    totals = read_totals(path)
    assert (totals["seen"], totals["bins"]) == (2, {"crown_2": 1})
    assert (totals["uncertain"], totals["open"]) == (1, 0)


SORTING = """
    import sys
    from pathlib import Path
    from coinsorter.ledger.ledger import Ledger, RunRecord
    from coinsorter.records import Decision, Event, Thresholds
    ledger = Ledger(Path(sys.argv[1]), RunRecord("b", "h", "r"))
    for coin in range(10**9):
        thresholds = Thresholds(coin / 10**6, 4.0, 23.0, 0.5)  # never the same
        decision = Decision("crown_2", "sorted")
        ledger.record(Event(coin, 0.0, 23.0, 250.0, None, thresholds, decision))
        print(coin, flush=True)  # the flap moves now
        if coin % 3:
            ledger.complete(coin, "crown_2")
"""


def sort_until_killed(path: Path, coins: int) -> int:
    """Starts a process that sorts, kills it after some coins; returns how many flaps moved."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SORTING), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(coins):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    return coins + rest.count("\n")


@pytest.mark.parametrize("rounds", [12])
def test_no_coin_whose_flap_moved_is_missing_after_the_process_is_killed(tmp_path, rounds):
    path, moved, recovered = tmp_path / "ledger.db", 0, 0
    for number in range(rounds):
        moved += sort_until_killed(path, coins=5 + 7 * number % 40)
        ledger = Ledger(path, RUN)
        recovered += ledger.recovered
        ledger.close()
        totals = read_totals(path)
        # a killed process may have written one row more than it printed
        assert moved <= totals["seen"] <= moved + number + 1
        assert totals["seen"] == sum(totals["bins"].values()) + totals["uncertain"]
        assert totals["open"] == 0
    assert totals["uncertain"] == recovered > 0
    assert verify_ledger(path).mistakes == []
    assert all(row["min_confidence"] == row["coin"] / 10**6 for row in read_rows(path))


def test_a_folder_that_cannot_be_written_is_one_line_that_says_what_to_do():
    path = Path("/proc/nowhere/ledger.db")
    with pytest.raises(LedgerError, match=f"ledger {path}: .*set ledger.path") as error:
        Ledger(path, RUN)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_ledger_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger(path, RUN)
    assert path.read_bytes() == b"this is no database" * 100


def test_a_ledger_of_a_newer_coinsorter_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    Ledger(path, RUN).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="newer coinsorter"):
        Ledger(path, RUN)


# A process that may write no file beyond 200 kB finds its disk as good as full.
FILLING = """
    import resource, signal, sys
    from pathlib import Path
    from coinsorter.errors import LedgerError
    from coinsorter.ledger.ledger import Ledger, RunRecord
    from coinsorter.records import Decision, Event
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = Path(sys.argv[1])
    ledger = Ledger(path, RunRecord("b", "h", "r"))
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


def test_a_full_disk_stops_it_with_a_reason_and_leaves_no_half_row(tmp_path):
    path = tmp_path / "ledger.db"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FILLING), str(path)],
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
