"""Values of options: which are read, and which are refused, at the bound and just past it."""

import argparse

import pytest

from coinsorter.commands.option_values import (
    read_count,
    read_number,
    read_positive_number,
    read_seed,
    read_share,
    read_whole_number,
)


@pytest.mark.parametrize(
    "read, text, value",
    [
        (read_count, "0", 0),
        (read_count, "100000", 100_000),
        (read_seed, "0", 0),
        (read_seed, str(2**63 - 1), 2**63 - 1),
        (read_whole_number(1, 4), "1", 1),
        (read_whole_number(1, 4), "4", 4),
        (read_number(0.5, 50), "0.5", 0.5),
        (read_number(0.5, 50), "50", 50.0),
        (read_number(0), "1e9", 1e9),
        (read_share, "0.005", 0.005),
        (read_positive_number, "1e-9", 1e-9),
    ],
)
def test_values_within_the_bounds_are_read(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    "read, text, complaint",
    [
        (read_count, "100001", "not a number from 0 to 100000"),
        (read_count, "-1", "not a number from 0 to 100000"),
        (read_count, "many", "not a number from 0 to 100000"),
        (read_count, "1.5", "not a number from 0 to 100000"),
        (read_seed, str(2**63), "not a whole number from 0 up"),
        (read_seed, "-1", "not a whole number from 0 up"),
        (read_whole_number(1, 4), "0", "not a number from 1 to 4"),
        (read_whole_number(1, 4), "5", "not a number from 1 to 4"),
        (read_number(0.5, 50), "0.49", "not a number from 0.5 to 50"),
        (read_number(0.5, 50), "50.1", "not a number from 0.5 to 50"),
        (read_number(0.5, 50), "nan", "not a number from 0.5 to 50"),
        (read_number(0), "inf", "not a number from 0 up"),
        (read_number(0), "-1", "not a number from 0 up"),
        (read_number(0), "soon", "not a number from 0 up"),
        (read_share, "0", "not between 0 and 1"),
        (read_share, "1", "not between 0 and 1"),
        (read_share, "nan", "not between 0 and 1"),
        (read_share, "half", "not between 0 and 1"),
        (read_positive_number, "0", "not above 0"),
        (read_positive_number, "inf", "not above 0"),
        (read_positive_number, "wide", "not above 0"),
    ],
)
def test_other_values_are_refused(read, text, complaint):
    with pytest.raises(argparse.ArgumentTypeError, match=complaint):
        read(text)
