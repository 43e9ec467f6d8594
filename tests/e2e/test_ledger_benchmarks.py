"""The ledger's benchmarks, in their quick form: little is written, nothing lost, memory is flat."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.ledger_kills import kill_writers
from benchmarks.ledger_size import fill_ledger, read
from benchmarks.ledger_wear import measure_wear
from coinsorter.ledger.queries import read_totals
from coinsorter.ledger.verification import verify_ledger

#: Kilobytes that may be written to the card for a coin.
MAX_KB = 6.0
#: Megabytes that ten times as many rows may add to a process's memory.
MAX_GROWTH_MB = 25.0


def is_counted(folder: Path) -> bool:
    """Whether what is written in a folder is counted: the kernel counts what goes to disks."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    kinds = {line.split()[1]: line.split()[2] for line in mounts}
    place = next(str(p) for p in [folder, *folder.parents] if str(p) in kinds)
    return kinds[place] in ("ext4", "xfs", "btrfs")


def test_at_most_6_kb_are_written_to_the_card_for_a_coin(tmp_path):
    if not is_counted(tmp_path):
        pytest.skip("the folder for temporary files is in memory: what is written is not counted")
    wear = measure_wear(tmp_path, 1000)
    assert wear.process / wear.coins / 1000 <= MAX_KB


def test_rows_survive_kill_9_at_random_instants_once_each(tmp_path):
    outcome = kill_writers(tmp_path, 60, random.Random(7))
    assert (outcome.lost, outcome.twice, outcome.mistakes) == (0, 0, [])
    assert outcome.acknowledged > 0


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    readings = {}
    for rows in (10_000, 100_000):
        fill_ledger(tmp_path / f"{rows}.db", rows)
        for command in ("totals", "export"):
            reading = read(tmp_path / f"{rows}.db", command)
            readings[rows, command] = reading.peak_mb
    for command in ("totals", "export"):
        assert readings[100_000, command] - readings[10_000, command] < MAX_GROWTH_MB


def test_the_ledger_that_is_filled_is_a_sound_one(tmp_path):
    fill_ledger(tmp_path / "ledger.db", 20_000)
    assert verify_ledger(tmp_path / "ledger.db").mistakes == []
    totals = read_totals(tmp_path / "ledger.db")
    assert (totals["seen"], totals["open"], sum(totals["rejected"].values())) == (20_000, 0, 2_000)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        (uncounted,) = connection.execute(
            "SELECT count(*) FROM coin_rows WHERE id > (SELECT max(last_id) FROM blocks)"
        ).fetchone()
    assert uncounted < 4096
