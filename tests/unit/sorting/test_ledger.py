"""ledger: rows durable before anything moves, whole or not there, and nothing lost when the process dies."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from coinsorter.errors import InputError, LedgerError
from coinsorter.records import Decision, Event, Thresholds, Verdict
from coinsorter.sorting.ledger import BackgroundLedger, Ledger, RunRecord
from coinsorter.sorting.ledger_queries import export_rows, read_rows, read_totals

FACTS = RunRecord("models/crowns", "abc", "litert")
VERDICT = Verdict("crown_2", 0.999, 0.99, "crown_5", 1.2, 23.01)
LIMITS = Thresholds(0.9, 4.0, 23.0, 0.5)


def event(
    coin: int, bin: str = "crown_2", reason: str = "sorted", verdict: Verdict | None = VERDICT
) -> Event:
    return Event(
        coin,
        1.5 * coin,
        23.01,
        250.0,
        verdict,
        LIMITS if verdict else None,
        Decision(bin, reason),
        2.0,
        "CRN",
    )


@pytest.fixture(params=["direct", "background"])
def book(request, tmp_path):
    path = tmp_path / "ledger.db"
    made = (
        Ledger(path, FACTS)
        if request.param == "direct"
        else BackgroundLedger(lambda: Ledger(path, FACTS))
    )
    yield made
    made.close()


def test_a_row_is_durable_when_its_receipt_says_so(book):
    receipt = book.record(event(1))
    assert receipt.wait(5)
    (row,) = read_rows(book.path)
    assert (
        row["coin"],
        row["label"],
        row["confidence"],
        row["bin"],
        row["reason"],
        row["landed"],
    ) == (1, "crown_2", 0.999, "crown_2", "sorted", None)
    assert (row["min_confidence"], row["max_anomaly"], row["nominal_mm"], row["tolerance_mm"]) == (
        0.9,
        4.0,
        23.0,
        0.5,
    )
    assert (row["value"], row["currency"]) == (2.0, "CRN")


def test_totals_account_for_every_coin(book):
    for coin, (bin_, reason, landed, late) in enumerate(
        [
            ("crown_2", "sorted", "crown_2", False),
            ("reject", "anomaly", "reject", False),
            ("crown_2", "sorted", "reject", True),
            ("crown_2", "sorted", "crown_2", False),
        ]
    ):
        book.record(event(coin, bin_, reason))
        book.complete(coin, landed, landed if late else None)
    book.record(event(9)).wait(5)
    found = read_totals(book.path)
    assert found["seen"] == 5 and found["open"] == 1 and found["uncertain"] == 0
    assert found["bins"] == {"crown_2": 2, "reject": 2}
    assert found["rejected"] == {"anomaly": 1, "late": 1}
    assert found["value"] == {"CRN": {"crown_2": 4.0}}


def test_a_coin_without_a_verdict_has_a_row_too(book):
    book.record(event(1, "reject", "fault", verdict=None)).wait(5)
    assert read_rows(book.path)[0]["label"] is None


def test_what_a_crash_left_open_is_called_uncertain_at_the_next_start(tmp_path):
    path = tmp_path / "ledger.db"
    first = Ledger(path, FACTS)
    first.record(event(1))
    first.record(event(2))
    first.complete(2, "crown_2")
    second = Ledger(path, FACTS)  # the first never said good-bye
    assert second.recovered == 1
    found = read_totals(path)
    assert (found["seen"], found["bins"], found["uncertain"], found["open"]) == (
        2,
        {"crown_2": 1},
        1,
        0,
    )


SORTING = """
    import sys
    from pathlib import Path
    from coinsorter.sorting.ledger import Ledger, RunRecord
    from coinsorter.records import Decision, Event
    book = Ledger(Path(sys.argv[1]), RunRecord("b", "h", "r"))
    for coin in range(10**9):
        book.record(Event(coin, 0.0, 23.0, 250.0, None, None, Decision("crown_2", "sorted")))
        print(coin, flush=True)  # the flap moves now
        if coin % 3:
            book.complete(coin, "crown_2")
"""


@pytest.mark.parametrize("rounds", [20])
def test_no_coin_whose_flap_moved_is_missing_after_the_process_is_killed(tmp_path, rounds):
    path, moved, recovered = tmp_path / "ledger.db", 0, 0
    for number in range(rounds):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SORTING), str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(5 + 7 * number % 40):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        moved += 5 + 7 * number % 40 + rest.count("\n")
        book = Ledger(path, FACTS)
        recovered += book.recovered
        book.close()
        found = read_totals(path)
        # the killed process may have written one more row than it told of
        assert moved <= found["seen"] <= moved + number + 1
        assert (
            found["seen"] == sum(found["bins"].values()) + found["uncertain"] and found["open"] == 0
        )
    assert found["uncertain"] == recovered > 0


def test_a_folder_that_cannot_be_written_is_one_line_that_says_what_to_do():
    with pytest.raises(
        LedgerError, match="ledger /proc/nowhere/ledger.db: .*set ledger.path"
    ) as error:
        Ledger(Path("/proc/nowhere/ledger.db"), FACTS)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_ledger_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger(path, FACTS)
    assert path.read_bytes() == b"this is no database" * 100


def test_a_ledger_of_a_newer_coinsorter_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    Ledger(path, FACTS).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="newer coinsorter"):
        Ledger(path, FACTS)


FULL = """
    import resource, signal, sys
    from pathlib import Path
    from coinsorter.errors import LedgerError
    from coinsorter.sorting.ledger import BackgroundLedger, Ledger, RunRecord
    from coinsorter.records import Decision, Event
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = Path(sys.argv[1])
    open_ledger = lambda: Ledger(path, RunRecord("b", "h", "r"))
    book = open_ledger() if sys.argv[2] == "direct" else BackgroundLedger(open_ledger)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # as good as a full disk: no file may grow beyond this
    durable = 0
    try:
        for coin in range(100_000):
            receipt = book.record(Event(coin, 0.0, 23.0, 250.0, None, None, Decision("crown_2", "sorted")))
            durable += receipt.wait(5)
    except LedgerError as error:
        print(durable, error)
        sys.exit(74)
"""


@pytest.mark.parametrize("kind", ["direct", "background"])
def test_a_full_disk_stops_it_with_a_reason_and_leaves_no_half_row(tmp_path, kind):
    path = tmp_path / "ledger.db"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(path), kind],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 74, done.stderr
    durable, line = done.stdout.strip().split(" ", 1)
    assert line.startswith(f"ledger {path}: ") and "\n" not in line
    found = read_totals(path)
    assert int(durable) > 0 and found["seen"] == int(durable)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_fault_that_nobody_was_told_of_comes_out_of_close(tmp_path):
    book = BackgroundLedger(lambda: Ledger(tmp_path / "ledger.db", FACTS))
    book.report_incident("said \udcff", "here", "nothing")  # text that SQLite cannot take
    with pytest.raises(LedgerError, match="surrogates not allowed"):
        book.close()
    book.close()


def test_a_note_that_cannot_be_written_is_refused_at_once(tmp_path):
    facts = RunRecord(FACTS.bundle, FACTS.bundle_hash, FACTS.runtime, "note \udcff")
    with pytest.raises(LedgerError, match="surrogates not allowed"):
        BackgroundLedger(lambda: Ledger(tmp_path / "ledger.db", facts))


def test_export_writes_every_row(book):
    for coin in range(3):
        book.record(event(coin)).wait(5)
    table, lines = io.StringIO(), io.StringIO()
    assert export_rows(book.path, table, "csv") == export_rows(book.path, lines, "jsonl") == 3
    assert [row["coin"] for row in csv.DictReader(io.StringIO(table.getvalue()))] == ["0", "1", "2"]
    assert [json.loads(line)["coin"] for line in lines.getvalue().splitlines()] == [0, 1, 2]


def test_reading_a_ledger_that_is_not_there_says_what_writes_it(tmp_path):
    with pytest.raises(InputError, match="coinsorter run"):
        read_totals(tmp_path / "none.db")


def test_only_the_last_rows_are_listed_the_oldest_first(book):
    for coin in range(5):
        book.record(event(coin)).wait(5)
    assert [row["coin"] for row in read_rows(book.path, last=2)] == [3, 4]
