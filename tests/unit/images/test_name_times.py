"""name_times: when an image was taken, by its file's name."""

from pathlib import Path

import pytest

from coinsorter.images.name_times import (
    CaptureName,
    find_counted,
    format_capture_name,
    last_number,
    order_taken,
    read_capture_name,
    read_taken_s,
)

#: 26 November 2026, 10:15:00.
MORNING_S = 1_795_688_100


@pytest.mark.parametrize(
    "name, number", [("day1_1712_003", 3), ("coin7", 7), ("coin", -1), ("12_b", 12)]
)
def test_the_last_number_of_a_name_says_when(name, number):
    assert last_number(name) == read_taken_s(name) == number


@pytest.mark.parametrize(
    "name, taken_s",
    [
        ("IMG_20261126_101500123", MORNING_S + 0.123),
        ("PXL_20261126_101500123.MP", MORNING_S + 0.123),
        ("2026-11-26 10.15.00", MORNING_S),
        ("20261126101500", MORNING_S),
        ("26.11.2026 10-15-00", MORNING_S),
        ("2026-11-26T10:15:00.123Z", MORNING_S + 0.123),
        ("20261126_101500(2)", MORNING_S),
        ("WhatsApp Image 2026-11-26 at 10.15.00 (7)", MORNING_S),
        ("WhatsApp Bild 2026-11-26 um 10.15.00", MORNING_S),
        ("WhatsApp Image 2026-11-26 at 9.15.00 PM", MORNING_S + 11 * 3600),
        ("WhatsApp Image 2026-11-26 at 12.15.00 AM", MORNING_S - 10 * 3600),
        ("Screenshot_20261126-101500_3", MORNING_S),
        ("00007IMG_00007_BURST20261126101500123_COVER", MORNING_S + 0.123),
        ("IMG_20261126_101500_BURST004", MORNING_S),
        ("5_1477145436", 1477145436),
        ("1477145436_3", 1477145436),
        ("belt_1477145436250_3", 1477145436.25),
        ("1477145436250500", 1477145436.2505),
    ],
)
def test_dates_and_seconds_since_1970_are_times_wherever_they_stand(name, taken_s):
    assert read_taken_s(name) == pytest.approx(taken_s, abs=1e-4)


@pytest.mark.parametrize("name", ["x_20261326_101500", "5511999999999", "20261126"])
def test_what_only_resembles_a_time_is_a_number(name):
    assert read_taken_s(name) == last_number(name)


@pytest.mark.parametrize(
    "name, before",
    [
        ("DSC0001", "DSC"),
        ("DSCN0012", "DSCN"),
        ("_MG_4711", "_MG"),
        ("img_0001", "img"),
        ("P1010012", "P101"),
        ("IMG-20261126-WA0003", "IMG-20261126-WA"),
        ("DSC0001 (2)", "DSC"),
        ("IMG_20261126_101500", None),
        ("coin_12", None),
        ("5_1477145436", None),
        ("coin", None),
    ],
)
def test_cameras_counts_are_no_times(name, before):
    assert find_counted(name) == before


def test_what_capture_writes_is_read_again():
    name = format_capture_name("1_real", 1795718216.257, 12)
    assert name == "1_real_1795718216257_12"
    assert read_capture_name(name) == CaptureName(1795718216.257)
    in_group = format_capture_name("1_real", 1795718216.257, 12, "roll-3")
    assert read_capture_name(in_group) == CaptureName(1795718216.257, "roll-3")
    assert read_taken_s(in_group) == 1795718216.257


@pytest.mark.parametrize("name", ["10c_12", "10c_1795718216257", "10c_9995718216257_1"])
def test_other_names_are_not_captures(name):
    assert read_capture_name(name) is None


def test_two_sittings_are_in_the_order_taken():
    names = ["10c_1795718216257_1", "10c_1795718217257_2", "10c_1795728216257_1"]
    paths = [Path("10c", name + ".png") for name in names]
    assert sorted([paths[2], paths[0], paths[1]], key=order_taken) == paths
