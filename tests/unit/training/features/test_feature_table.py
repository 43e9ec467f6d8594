"""feature_table: a row for each coin of a folder, and why other images have none."""

import csv
import io
import shutil

import cv2
import numpy as np
import pytest

from coinsorter.errors import InputError
from tests.conftest import draw_disc, needs_training

needs_training()

from coinsorter.training.features.feature_table import (
    find_outline,
    format_csv,
    measure_folder,
)
from tests.unit.training.features.conftest import LABELS, build_table, ignore_progress


@pytest.fixture(scope="module")
def table(photographs, crowns):
    return measure_folder(photographs, crowns, False, 40.0, ignore_progress)


def write_rgb(path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1])


def test_each_image_is_a_row_and_bursts_are_groups(table, photographs):
    assert len(table.coins) == 32
    assert {coin.label for coin in table.coins} == {*LABELS, "token"}
    assert all((photographs / coin.path).is_file() for coin in table.coins)
    groups = {coin.group for coin in table.coins}
    assert len(groups) == len({(coin.group, coin.label) for coin in table.coins}) == 8


def test_sizes_are_in_mm_by_the_bundles_view(table):
    column = table.names.index("size_outline_diameter_mm")
    coins = [coin for coin in table.coins if coin.label == "crown_20"]
    assert np.median(table.to_array(coins)[:, column]) == pytest.approx(27.5, rel=0.02)


def test_there_is_an_example_of_each_label(table):
    assert set(table.examples) == {*LABELS, "token"}
    assert all(crop.shape == (96, 96, 3) for crop in table.examples.values())


def test_without_a_gap_each_image_is_a_burst_of_its_own(tmp_path):
    for number in (1, 2):
        write_rgb(tmp_path / "steel" / f"{number}.png", draw_disc(160, 120, 40))
    write_rgb(tmp_path / "3.png", draw_disc(160, 120, 40))
    table = measure_folder(tmp_path, None, False, 0, ignore_progress)
    assert [coin.group for coin in table.coins] == [1, 2, 3]
    assert sorted(str(coin.label) for coin in table.coins) == ["None", "steel", "steel"]


def test_images_that_cannot_be_measured_are_left_out_and_named(photographs, crowns, tmp_path):
    shutil.copytree(photographs / "bit_10", tmp_path / "bit_10")
    (tmp_path / "bit_10" / "bad_1.png").write_bytes(b"no image")
    write_rgb(tmp_path / "bit_10" / "empty_2.png", np.full((480, 640, 3), 90, np.uint8))
    write_rgb(tmp_path / "bit_10" / "other_3.png", draw_disc(160, 120, 40))
    steps: list[int] = []
    table = measure_folder(tmp_path, crowns, False, 40.0, steps.append)
    assert steps == list(range(1, 12))
    assert len(table.coins) == 8
    assert table.left_out == {
        "bit_10/bad_1.png": "unreadable",
        "bit_10/empty_2.png": "0 coins",
        "bit_10/other_3.png": "not the bundle's view",
    }


def test_a_folder_without_a_coin_is_refused(tmp_path):
    write_rgb(tmp_path / "a.png", np.full((480, 640, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"none of its 1 .* can be measured \(0 coins\)"):
        measure_folder(tmp_path, None, False, 40.0, ignore_progress)


def test_a_tiny_image_and_one_with_two_coins_say_so():
    assert find_outline(np.full((8, 8, 3), 90, np.uint8), None, crops=False) == "too small"
    two = np.hstack([draw_disc(160, 120, 40)] * 2)
    assert find_outline(two, None, crops=False) == "2 coins"


def test_the_csv_has_a_row_per_coin_six_digits_and_nothing_for_nan():
    table = build_table([1, 2], ["a", "z"])
    table.coins[1].measures["edge_noise"] = float("nan")
    rows = list(csv.DictReader(io.StringIO(format_csv(table, [0.5, -1234567.0]))))
    columns = ["path", "label", "group", "size_outline_mm", "edge_noise", "one_class_score"]
    assert list(rows[0]) == columns
    assert [row["path"] for row in rows] == ["a/0.png", "z/1.png"]
    assert rows[1]["edge_noise"] == ""
    assert rows[1]["one_class_score"] == "-1.23457e+06"
    assert "one_class_score" not in format_csv(table)
