"""What is printed and drawn of a simulated run."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from coinsorter.files.ownership import Claim
from coinsorter.records import SORTED, Coin, Decision, Verdict
from coinsorter.simulator.simulation_report import ContactSheet, print_result
from coinsorter.simulator.simulation_result import SimulationResult
from coinsorter.sorting.machine import SortedCoin

RESULT = SimulationResult(
    seed=4,
    objects=10,
    genuine_alone=8,
    correct=6,
    wrong=1,
    foreign=2,
    foreign_accepted=0,
    bins={"bit_10": (5, 1), "reject": (5, 1)},
    rejected={"unsure": 5},
    foreign_kinds={"washer": 2},
    ledger_matches=True,
    fault=None,
    belt_s=4.0,
    belt_coins_per_s=2.5,
    cpu_ms_per_coin=20.0,
)


def print_text(result: SimulationResult = RESULT, sheet: Path | None = None) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_result(result, "reject", console, sheet, Path("ledger.db"), "litert")
    return console.file.getvalue()


def make_coin(reason: str = SORTED, crops: int = 1) -> SortedCoin:
    crop = np.full((96, 96, 3), 120, np.uint8)
    coin = Coin(
        number=1,
        crops=(crop,) * crops,
        circles=(),
        diameter_mm=18.1,
        x_mm=0.0,
        y_mm=0.0,
        seen_s=1.0,
        speed_mm_s=250.0,
        speed_sem_mm_s=1.0,
        sightings=9,
        alone=True,
    )
    verdict = Verdict("bit_10", 0.99, 0.98, "bit_20", 1.2, 18.1)
    return SortedCoin(coin, verdict, Decision("bit_10", reason))


def test_every_count_is_printed():
    text = print_text()
    for words in (
        "10 simulated items",
        "lying alone: 8, in their own bin 6 (75.0 %), in a wrong bin 1",
        "foreign, damaged or touching: 2 (washer 2), in a coin's bin 0",
        "rejected, by reason: unsure 5",
        "the same in every bin (ledger.db)",
        "2.50 a second of belt time (4 s); 50 a second of processor time (litert)",
    ):
        assert words in text
    assert "fault" not in text and "contact sheet" not in text


def test_good_coins_among_the_rejects_are_called_so():
    assert "1 good" in print_text()


def test_a_fault_and_a_ledger_that_does_not_match_are_printed():
    text = print_text(replace(RESULT, fault="no camera", ledger_matches=False))
    assert "fault: no camera" in text and "not the same" in text


def test_a_run_without_coins_has_no_shares():
    empty = replace(RESULT, objects=0, genuine_alone=0, correct=0, rejected={}, foreign_kinds={})
    text = print_text(empty)
    assert "lying alone: 0, in their own bin 0," in text and "by reason: none" in text


def test_the_contact_sheet_is_named_where_there_is_one():
    assert "last coins: sheet.png" in print_text(sheet=Path("sheet.png"))


def test_a_sheet_without_coins_is_not_written(tmp_path):
    assert not ContactSheet("empty").write(tmp_path / "sheet.png", Claim())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("coins, rows", [(1, 1), (8, 1), (9, 2)])
def test_a_sheet_has_eight_tiles_in_a_row(tmp_path, coins, rows):
    sheet = ContactSheet("some")
    for _ in range(coins):
        sheet(make_coin())
    assert sheet.write(tmp_path / "sheet.png", Claim())
    image = cv2.imread(str(tmp_path / "sheet.png"))
    assert image.shape == (40 + rows * 196, 8 * 150, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_a_sheet_shows_the_last_coins_only(tmp_path):
    sheet = ContactSheet("some", coins=2)
    for _ in range(20):
        sheet(make_coin())
    sheet.write(tmp_path / "sheet.png", Claim())
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[0] == 40 + 196


@pytest.mark.parametrize("reason, channel", [(SORTED, 1), ("unsure", 2)])
def test_a_tile_is_framed_green_or_red(tmp_path, reason, channel):
    sheet = ContactSheet("some")
    sheet(make_coin(reason))
    sheet.write(tmp_path / "sheet.png", Claim())
    frame_bgr = cv2.imread(str(tmp_path / "sheet.png"))[40 + 7, 75]
    assert frame_bgr.argmax() == channel


def test_a_coin_without_crops_has_a_tile_too(tmp_path):
    sheet = ContactSheet("some")
    sheet(make_coin("no-crop", crops=0))
    assert sheet.write(tmp_path / "sheet.png", Claim())
