"""The benchmark of teaching, on a few crops: it says what it counted, and what it left out."""

import re
import shutil
from pathlib import Path

import pytest

from benchmarks import teaching
from tests.conftest import BRL, needs_training


def copy_some(source: Path, folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for path in sorted(source.iterdir())[:count]:
        shutil.copy(path, folder)


@pytest.mark.real
def test_a_folder_is_taught_and_one_of_too_few_crops_is_left_out(data, tmp_path, monkeypatch):
    needs_training()
    monkeypatch.setattr(teaching, "COUNTS", (5,))
    for name, count in (("10won", 20), ("50won", 9)):
        copy_some(data / "krw-crops" / "train" / name, tmp_path / "crops" / name, count)
    copy_some(data / "brl-frames" / "day1" / "100", tmp_path / "coins" / "100", 5)
    lines = teaching.study_teaching(BRL, tmp_path / "crops", tmp_path / "coins")
    taught, left_out = lines
    assert re.match(r"10won +by +5 crops: +\d+\.\d % named, 0\.0 % of 1 own coins lost", taught)
    assert left_out == "50won        left out: 9 crops are too few"
