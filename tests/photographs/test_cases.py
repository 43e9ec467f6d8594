"""Folders, CSVs and images as people really had them: each is read rightly, or refused by name.

The situations are beside the project, a folder each; where one is missing its test is skipped.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from coinsorter.errors import InputError
from tests.conftest import needs_training, runner_of

needs_training()
from coinsorter.training import train_cli
from coinsorter.training.dataset.dataset import Dataset

pytestmark = pytest.mark.real
ALONE = ("--group-by", "none")


@pytest.fixture
def case(cases, tmp_path, monkeypatch):
    """Goes to a situation's folder; the path there of what is handed in."""

    def enter(name: str, source: str = "photographs") -> Path:
        if not (cases / name / source).exists():
            pytest.skip(f"no situation {name} in {cases}")
        monkeypatch.chdir(cases / name)
        return Path(source)

    return enter


@pytest.fixture
def prepare(capsys, tmp_path):
    """Prepares a source; what the command says to programs, and the data set's rows."""
    run = runner_of(train_cli.main, capsys)

    def prepare_source(source: Path, *words: str):
        status, out, err = run("prepare", source, "--out", tmp_path / "set", "--json", *words)
        assert status == 0, err
        assert "Corrupt" not in err
        return json.loads(out), Dataset.load(tmp_path / "set").rows

    return prepare_source


def test_images_of_a_ten_bit_camera_are_kept(case, prepare):
    made, _ = prepare(case("mono-10-bit"), *ALONE)
    assert made["counts"]["kept"] == 8 and made["labels"] == ["10c", "1real"]


def test_what_capture_wrote_is_taken_and_split(case, prepare):
    made, _ = prepare(case("capture-names", "captured"))
    counts = made["counts"]
    assert (counts["kept"], counts["groups"]) == (20, 20)
    assert all(own["splits"]["validation"] for own in counts["labels"].values())


def test_faces_in_folders_of_their_own_are_sides(case, prepare):
    made, rows = prepare(case("side-folders"), *ALONE)
    assert made["labels"] == ["10c", "1real", "25c"] and made["counts"]["kept"] == 24
    assert Counter(row.side for row in rows) == {"obverse": 12, "reverse": 12}


def test_a_jpeg_damaged_in_its_middle_is_left_out(case, prepare):
    made, rows = prepare(case("damaged-jpeg"), *ALONE)
    assert made["counts"]["kept"] == 8
    (left_out,) = [row for row in rows if row.reason]
    assert left_out.reason == "unreadable" and "damaged JPEG" in left_out.detail


def test_a_table_made_on_windows_is_read(case, prepare):
    made, _ = prepare(case("windows-csv", "coins") / "coins.csv", *ALONE)
    assert made["counts"]["kept"] == 8 == made["counts"]["pictures"]


def test_both_pages_of_a_scan_are_images(case, prepare):
    made, rows = prepare(case("two-page-tiff"), *ALONE)
    assert made["counts"]["kept"] == 12 == len(rows)


def test_images_that_a_browser_saved_are_images(case, prepare):
    made, _ = prepare(case("browser-extensions"), *ALONE)
    assert made["counts"]["kept"] == 12 == made["counts"]["pictures"]


def test_a_label_of_one_burst_is_called_by_its_name(case, prepare, capsys, tmp_path):
    prepare(case("one-burst-message"))
    status, _, err = runner_of(train_cli.main, capsys)(
        "bundle",
        tmp_path / "set",
        "--diameters",
        "10c=20,25c=25,1real=27",
        "--out",
        tmp_path / "bundle",
    )
    assert status == InputError.exit_code and "label 25c: all its images are one burst" in err
    assert "reading coins" not in err and not (tmp_path / "bundle").exists()
