"""What doctor says of ledger, disk, watchdog, clock, temperature, supply and memory."""

import os
import sqlite3

import pytest

from coinsorter.tools import doctor_system_checks
from coinsorter.tools.doctor_probe import FAULT, OK, WARNING
from coinsorter.tools.doctor_system_checks import (
    check_clock,
    check_ledger,
    check_memory,
    check_supply,
    check_temperature,
    check_watchdog,
)

TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
MEMORY = "proc/meminfo"


@pytest.mark.parametrize(
    "check, files, answers, state, words",
    [
        (check_temperature, {}, {}, OK, "48 degrees"),
        (check_temperature, {TEMPERATURE: "74999"}, {}, OK, "75 degrees"),
        (check_temperature, {TEMPERATURE: "75000"}, {}, WARNING, "75 degrees"),
        (check_temperature, {TEMPERATURE: "80000"}, {}, FAULT, "80 degrees"),
        (check_supply, {}, {}, OK, "no under-voltage"),
        (check_supply, {THROTTLED: "50005"}, {}, FAULT, "under-voltage now"),
        (check_supply, {THROTTLED: "50000"}, {}, WARNING, "since it was switched on"),
        (
            check_supply,
            {THROTTLED: None},
            {"get_throttled": "throttled=0x50000"},
            WARNING,
            "since it was switched on",
        ),
        (check_memory, {}, {}, OK, "3027 MB free"),
        (check_memory, {MEMORY: "MemAvailable: 100000 kB\n"}, {}, FAULT, "98 MB free"),
        (
            check_memory,
            {MEMORY: "MemAvailable: 900000 kB\nCmaTotal: 65536 kB\nCmaFree: 10000 kB\n"},
            {},
            FAULT,
            "10 MB of contiguous memory",
        ),
        (
            check_memory,
            {MEMORY: "MemAvailable: 900000 kB\nCmaTotal: 65536 kB\nCmaFree: 10000 kB\n"},
            {"is-active": "active"},
            OK,
            "879 MB free",
        ),
        (
            check_memory,
            {MEMORY: "MemAvailable: 900000 kB\nCmaTotal: 0 kB\nCmaFree: 0 kB\n"},
            {},
            OK,
            "879 MB free",
        ),
        (check_watchdog, {}, {}, OK, "15s"),
        (check_watchdog, {}, {"RuntimeWatchdogUSec": "0"}, WARNING, "not in use"),
        (check_watchdog, {"dev/watchdog0": None}, {}, WARNING, "no hardware watchdog"),
        (check_clock, {}, {}, OK, "synchronised"),
        (check_clock, {}, {"NTPSynchronized": "no"}, WARNING, "not synchronised"),
    ],
)
def test_each_fault_is_named_with_its_remedy(make_probe, check, files, answers, state, words):
    observation = check(make_probe(files=files, answers=answers))
    assert observation.state == state and words in observation.what
    assert bool(observation.remedy) == (state != OK)


@pytest.mark.parametrize(
    "check, file",
    [(check_temperature, TEMPERATURE), (check_supply, THROTTLED), (check_memory, MEMORY)],
)
def test_a_computer_that_does_not_report_is_a_warning(make_probe, check, file):
    observation = check(make_probe(files={file: None}))
    assert observation.state == WARNING and "does not report" in observation.what


@pytest.fixture
def ledger_path(tmp_path):
    """Where the settings put the ledger, whose folder is there."""
    (tmp_path / "var").mkdir()
    return tmp_path / "var" / "ledger.db"


def test_a_ledger_that_is_no_database_is_a_fault(make_probe, ledger_path):
    ledger_path.write_bytes(b"no database at all" * 100)
    observation = check_ledger(make_probe())
    assert observation.state == FAULT and "not a database" in observation.what


def test_a_sound_ledger_is_fine(make_probe, ledger_path):
    with sqlite3.connect(ledger_path) as connection:
        connection.execute("CREATE TABLE coins (id INTEGER)")
    assert check_ledger(make_probe()).state == OK


def test_a_ledger_that_is_yet_to_be_made_is_fine(make_probe):
    assert check_ledger(make_probe()).state == OK


def test_a_full_disk_is_a_fault(make_probe, monkeypatch):
    monkeypatch.setattr(doctor_system_checks, "MIN_DISK_MB", 1e12)
    observation = check_ledger(make_probe())
    assert observation.state == FAULT and "MB free where" in observation.what


def test_a_folder_that_cannot_be_written_is_a_fault(make_probe, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    observation = check_ledger(make_probe())
    assert observation.state == FAULT and "cannot be written by this user" in observation.what
