"""coinsorter ledger: a run's ledger as totals, as its last rows, and as a file."""

import csv
import io
import json
import os
import subprocess
import sys

from tests.conftest import ROOT


def test_totals_are_a_table_or_json(command, simulated_run):
    status, out, _ = command("ledger", "totals", "--ledger", simulated_run.ledger)
    assert status == 0 and "reject" in out and "seen" in out and "value, CRN" in out
    totals = command("ledger", "totals", "--ledger", simulated_run.ledger, "--json")[1]
    assert json.loads(totals)["seen"] == 10


def test_totals_can_be_of_one_run(command, simulated_run):
    of_run = ["ledger", "totals", "--ledger", simulated_run.ledger, "--json", "--run"]
    assert json.loads(command(*of_run, 1)[1])["seen"] == 10
    assert json.loads(command(*of_run, 2)[1])["seen"] == 0


def test_totals_can_be_of_each_day(command, simulated_run):
    by_day = ["ledger", "totals", "--ledger", simulated_run.ledger, "--by-day"]
    days = json.loads(command(*by_day, "--json")[1])
    assert sum(day["seen"] for day in days) == 10
    assert days[0]["day"] in command(*by_day)[1]


def test_the_tail_is_the_last_rows(command, simulated_run):
    out = command("ledger", "tail", "-n", 3, "--ledger", simulated_run.ledger, "--json")[1]
    assert [json.loads(line)["id"] for line in out.splitlines()] == [8, 9, 10]
    status, table, _ = command("ledger", "tail", "-n", 3, "--ledger", simulated_run.ledger)
    assert status == 0 and " 10 " in table and " 7 " not in table


def test_an_export_is_csv_to_standard_output(command, simulated_run):
    out = command("ledger", "export", "--ledger", simulated_run.ledger)[1]
    assert len(list(csv.DictReader(io.StringIO(out)))) == 10


def test_an_export_can_be_json_lines_to_a_file(command, simulated_run, tmp_path):
    path = tmp_path / "rows.jsonl"
    options = ["--format", "jsonl", "--to", path]
    out = command("ledger", "export", "--ledger", simulated_run.ledger, *options)[1]
    assert out == f"10 rows in {path}\n"
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [*range(1, 11)]


def test_a_ledger_that_is_not_there_is_status_66(command, tmp_path):
    status, _, err = command("ledger", "totals", "--ledger", tmp_path / "none.db")
    assert status == 66 and "there is none yet" in err


def test_a_file_that_cannot_be_written_is_status_66(command, simulated_run, tmp_path):
    to = tmp_path / "no" / "rows.csv"
    status, _, err = command("ledger", "export", "--ledger", simulated_run.ledger, "--to", to)
    assert status == 66 and "cannot be written" in err


def test_a_reader_that_stops_reading_is_no_error(simulated_run):
    """As in `coinsorter ledger export | head`."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    words = ["ledger", "export", "--ledger", str(simulated_run.ledger)]
    finished = subprocess.run(
        [sys.executable, "-u", "-m", "coinsorter", *words],
        cwd=ROOT,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert (finished.returncode, finished.stderr) == (0, "")
