"""Hostile sources end in one line; `python -m benchmarks.hostile_sources` tries them all."""

import pytest

from benchmarks.hostile_sources import SMALL, find_fault, try_source
from tests.conftest import needs_training

needs_training()

REFUSED = [
    "a label of terminal escapes",
    "CSV: one endless line",
    "CSV: none of a great many",
    "ZIP: leads out",
]
PREPARED = [
    "claims 32,000 x 32,000",
    "a link to /dev/zero",
    "CSV: /dev/zero",
    "a name of terminal escapes",
    "ZIP: zeros",
]


@pytest.mark.parametrize("name", [*REFUSED, *PREPARED])
def test_a_hostile_source_is_refused_in_one_line_or_prepared_without_what_is_hostile(name):
    outcome = try_source(name, SMALL[name])
    assert outcome.fault == ""
    assert outcome.status == (66 if name in REFUSED else 0)


@pytest.mark.parametrize(
    "status, out, err, fault",
    [
        (1, "", "Traceback (most recent call last):", "a traceback"),
        (-9, "", "", "exit status -9"),
        (66, "", "coinsorter-train: a\ncoinsorter-train: b\n", "2 complaints"),
        (0, "\x1b[2J", "", "control characters"),
        (0, "", "", ""),
    ],
)
def test_a_fault_is_told(status, out, err, fault):
    assert find_fault(status, out, err, resident_mb=299) == fault
    assert find_fault(0, "", "", resident_mb=301) == "301 MB"
