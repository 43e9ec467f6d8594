"""Labels, bins and notes that others wrote are shown by every command, and obeyed by none."""

import csv
import json

import pytest

from coinsorter.records import Decision, Event, Verdict
from coinsorter.sorting.ledger import Ledger, RunRecord

LABELS = ["[/b]", "\x1b[2Jgone", "two\nlines", "\u202egpj", "=1+1", "@SUM(A1)"]


@pytest.fixture(params=LABELS)
def label(request):
    return request.param


@pytest.fixture
def settings(tmp_path, without_hardware, label):
    """The settings of a machine whose ledger has a row in which everything is hostile."""
    path = tmp_path / "var" / "ledger.db"
    ledger = Ledger(path, RunRecord("bundle", "digest", "runtime", label))
    verdict = Verdict(label, 1.0, 1.0, label, 0.0, 20.0)
    decision = Decision(label, "sorted")
    ledger.record(Event(1, 0.5, 20.0, 250.0, verdict, None, decision, 1.0, label))
    ledger.complete(1, label)
    ledger.close()
    (tmp_path / "config.yaml").write_text(without_hardware)
    return tmp_path / "config.yaml"


@pytest.mark.parametrize(
    "words",
    [
        ["ledger", "totals"],
        ["ledger", "totals", "--by-day"],
        ["ledger", "tail"],
        ["watch", "--once"],
    ],
)
def test_tables_show_text_as_it_is(command, settings, words, label, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, err = command(*words, "--config", settings)
    assert status == 0 and "Traceback" not in err
    assert all(character.isprintable() or character == "\n" for character in out)
    shown = label.encode("unicode_escape").decode() if not label.isprintable() else label
    assert shown in out


def test_no_cell_of_an_export_is_a_formula(command, settings, label):
    status, out, _ = command("ledger", "export", "--config", settings)
    (row,) = csv.DictReader(out.splitlines(keepends=True))
    assert status == 0 and row["label"].removeprefix("'") == label
    assert not row["label"].startswith(("=", "@")) and float(row["diameter_mm"]) == 20.0


def test_json_is_as_it_was_written(command, settings, label):
    _, out, _ = command("ledger", "export", "--format", "jsonl", "--config", settings)
    assert json.loads(out)["label"] == label
