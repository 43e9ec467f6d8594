"""Labels, bins and notes that others wrote are shown by every command, and obeyed by none."""

import csv
import json
import shutil

import pytest

from coinsorter.escape import clean
from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.records import Decision, Event, Verdict
from tests.conftest import CROWNS, needs_training, runner_of

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


#: Names of folders, and so labels: the last is no UTF-8.
NAMES = ["[b]x", "\x1b[2Jgone", "two\nlines", "\u202egpj", "=1+1", "-5", "<b>x", "$x{$", "no\udcff"]


@pytest.fixture
def hostile_folder(tmp_path, photographs):
    """An image in a folder of each hostile name, in a file of that name, and some of a coin."""
    images = sorted((photographs / "bit_10").iterdir()) + sorted((photographs / "token").iterdir())
    folder = tmp_path / "[red]images\x1b[31m"
    shutil.copytree(photographs / "crown_2", folder / "crown_2")
    for number, name in enumerate(NAMES):
        (folder / name).mkdir()
        shutil.copy(images[number % len(images)], folder / name / f"{name} {number}000.png")
    return folder


def is_harmless(text: str) -> bool:
    """Whether a terminal shows every character of a text as it is."""
    return all(character.isprintable() or character == "\n" for character in text)


def test_replay_shows_names_as_they_are(command, hostile_folder, tmp_path):
    words = ["replay", hostile_folder, "--bundle", CROWNS]
    status, out, err = command(*words, "--events", tmp_path / "events.jsonl")
    assert status == 0 and is_harmless(out) and "Traceback" not in err
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert {event["label"] for event in events} >= {name for name in NAMES if name.isprintable()}
    status, out, _ = command(*words, "--json")
    assert status == 0 and json.loads(out)["pictures"] == 4 + len(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if "\udcff" not in name])
def test_check_doctor_and_wiring_show_paths_as_they_are(command, settings, tmp_path, name):
    place = tmp_path / name
    place.mkdir()
    path = settings.rename(place / "config.yaml")
    shown = clean(name)
    status, out, err = command("check", path)
    assert status == 0 and is_harmless(out + err) and shown in out
    status, out, err = command("doctor", "--self-test", "--config", path)
    assert is_harmless(out + err) and "Traceback" not in err
    status, out, err = command("wiring", "--config", path, "--out", place / "firmware")
    assert status == 0 and is_harmless(out + err) and shown in out
    path.write_text(path.read_text().replace("bins:", 'odd: "\\e[2J"\nbins:', 1))
    status, out, err = command("check", path)
    assert status == 78 and is_harmless(out + err) and shown in out


def test_ledger_verify_shows_bins_as_they_are(command, settings, label):
    _, out, err = command("ledger", "verify", "--config", settings)
    assert is_harmless(out + err) and "Traceback" not in err


@pytest.fixture
def train(capsys):
    """Runs `coinsorter-train`; see `command`."""
    needs_training()
    from coinsorter.training import train_cli

    return runner_of(train_cli.main, capsys)


def test_labels_of_a_data_set_are_shown_and_read_back_as_they_are(
    train, hostile_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        if not name.isprintable() or "<" in name:
            shutil.rmtree(hostile_folder / name)
    image = next((hostile_folder / "crown_2").iterdir())
    for number, name in enumerate(NAMES):
        shutil.copy(image, image.with_name(f"{name} {number + 100}000.png"))
    words = ["prepare", hostile_folder, "--out", "set", "--group-by", "none", "--validation", 0]
    status, out, err = train(*words)
    assert status == 0 and is_harmless(out + err)
    assert "[b]x" in out and "=1+1" in out
    with (tmp_path / "set" / "table.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)
    status, out, _ = train(*words)
    assert status == 0 and "nothing has changed" in out


@pytest.mark.parametrize("name", ["\x1b[2Jgone", "two\nlines", "\u202egpj", "<b>x"])
def test_a_label_that_names_no_folder_everywhere_is_shown_and_refused(
    train, hostile_folder, tmp_path, name
):
    for other in NAMES:
        if other != name:
            shutil.rmtree(hostile_folder / other)
    status, out, err = train("prepare", hostile_folder, "--out", tmp_path / "set")
    assert status == 66 and is_harmless(out + err) and "cannot name a folder" in err


def test_reports_show_labels_as_they_are(train, hostile_folder, tmp_path):
    out = tmp_path / "evaluation"
    status, printed, err = train("evaluate", CROWNS, hostile_folder, "--out", out)
    assert status == 0, err
    assert is_harmless(printed + err)
    page = (out / "report.html").read_text()
    assert "<b>x" not in page and is_harmless(page)
    metrics = (out / "metrics.json").read_text()
    assert is_harmless(metrics)


def test_features_show_labels_as_they_are(train, hostile_folder, tmp_path):
    out = tmp_path / "features"
    status, printed, err = train("features", hostile_folder, "--out", out)
    assert status == 0, err
    assert is_harmless(printed + err) and "<b>x" not in (out / "report.html").read_text()
    with (out / "features.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
