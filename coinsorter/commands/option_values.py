"""Readers of option values for argparse: each returns the value, or says what is wrong with it."""

import argparse
from collections.abc import Callable
from math import inf, nan

#: More coins than this are no run that someone wants to wait for; a typing mistake.
MAX_COUNT = 100_000
#: SQLite's and NumPy's largest signed integer, one below.
MAX_SEED = 2**63 - 1


def read_count(text: str) -> int:
    """A number of things, from 0 to `MAX_COUNT`."""
    return read_whole_number(0, MAX_COUNT)(text)


def read_seed(text: str) -> int:
    """A seed of random numbers, from 0 to `MAX_SEED`."""
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def read_whole_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers within these bounds, which are allowed themselves."""

    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return read


def read_number(low: float, high: float = inf) -> Callable[[str], float]:
    """A reader of numbers within these bounds, which are allowed themselves; infinity is not."""

    def read(text: str) -> float:
        number = _parse(text)
        if not low <= number <= high or number == inf:
            bounds = f"from {low:g} up" if high == inf else f"from {low:g} to {high:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {bounds}")
        return number

    return read


def read_share(text: str) -> float:
    """A share of a whole: above 0 and below 1."""
    share = _parse(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share


def read_positive_number(text: str) -> float:
    """A finite number above 0."""
    number = _parse(text)
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _parse(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan  # which lies in no bounds
