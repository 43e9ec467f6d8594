"""systemd/: units without mistakes, a tight sandbox, restarts only where they help."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from coinsorter import errors
from tests.conftest import ROOT

UNITS = ROOT / "systemd"
SERVICE = UNITS / "coinsorter.service"
# A device may be back, a disk may have room again, another process may have ended, and the cause
# of 1 is not known.
MENDED_BY_A_RESTART = {1, 69, 74, 75}
# 71: processes of a training; the service never ends with it.
OF_TRAINING = {71}


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed; it comes with systemd")
    return path


def settings(name: str, text: str | None = None) -> list[str]:
    """What a unit sets an option to, every time that it does."""
    return re.findall(
        rf"^{name}=(.*)$", SERVICE.read_text() if text is None else text, re.MULTILINE
    )


def setting(name: str) -> str:
    (value,) = settings(name)
    return value


def verified(tmp_path, text: str) -> str:
    """What systemd has to say about the service, on a machine that has its program."""
    shutil.copytree(UNITS, tmp_path / "units", dirs_exist_ok=True)
    unit = tmp_path / "units" / SERVICE.name
    unit.write_text(text.replace("/opt/coinsorter/current/venv/bin/coinsorter", sys.executable))
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", unit, tmp_path / "units" / "coinsorter-reboot.service"],
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_systemd_finds_no_mistake_in_the_units(tmp_path):
    assert verified(tmp_path, SERVICE.read_text()) == ""
    assert "'WatchDogSec'" in verified(
        tmp_path, SERVICE.read_text().replace("WatchdogSec", "WatchDogSec")
    )


def test_the_service_is_exposed_by_2_0_at_most():
    analyze = [
        tool("systemd-analyze"),
        "security",
        "--offline=true",
        "--threshold=20",
        str(SERVICE),
    ]
    done = subprocess.run(analyze, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_service_runs_a_command_that_there_is(tmp_path, command):
    program, *arguments = shlex.split(setting("ExecStart"))
    assert program.endswith("/bin/coinsorter")
    nowhere = tmp_path / "config.yaml"
    arguments = [
        str(nowhere) if argument.endswith("config.yaml") else argument for argument in arguments
    ]
    status, _, err = command(*arguments)
    assert status == 78 and str(nowhere) in err


def test_restarts_are_left_out_exactly_where_they_mend_nothing():
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.CoinsorterError)
    }
    assert {
        int(code) for code in setting("RestartPreventExitStatus").split()
    } == codes - MENDED_BY_A_RESTART - OF_TRAINING


def test_nothing_waits_for_the_network():
    text = "".join(path.read_text() for path in UNITS.glob("*.service"))
    assert not [
        value
        for name in ("After", "Wants", "Requires", "BindsTo")
        for value in settings(name, text)
        if "network" in value
    ]


def test_the_program_is_given_up_before_the_hardware_watchdog_gives_up_linux():
    (hardware_s,) = settings("RuntimeWatchdogSec", (UNITS / "coinsorter-watchdog.conf").read_text())
    assert int(setting("WatchdogSec")) < int(hardware_s) <= 15  # the Pi's counts to 15.99 s


def test_the_user_of_the_service_is_added_to_the_groups_that_it_needs(tmp_path):
    for name in ("passwd", "group"):
        (tmp_path / "etc").mkdir(exist_ok=True)
        (tmp_path / "etc" / name).write_text("")
    done = subprocess.run(
        [tool("systemd-sysusers"), f"--root={tmp_path}", UNITS / "coinsorter-sysusers.conf"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    members = {
        line.split(":")[0]: line.split(":")[3]
        for line in (tmp_path / "etc" / "group").read_text().splitlines()
    }
    groups = setting("SupplementaryGroups").split()
    assert {name for name, who in members.items() if who == setting("User")} == set(groups)
