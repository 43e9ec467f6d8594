"""What all commands have in common: their help, their usage, and how they end."""

import signal
import subprocess
import sys
import time

import pytest

from coinsorter import __version__, cli
from tests.conftest import ROOT

COMMANDS = [
    "",
    *cli.COMMANDS,
    "calibrate view",
    "calibrate belt",
    "calibrate flaps",
    "ledger totals",
    "ledger tail",
    "ledger export",
    "ledger verify",
    "ledger backup",
    "ledger restore",
    "ledger migrate",
    "ledger prune",
]


@pytest.mark.parametrize("command_words", COMMANDS)
def test_every_command_has_help(capsys, command_words):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command_words.split(), "--help"])
    assert stop.value.code == 0 and len(capsys.readouterr().out) > 200


def test_the_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    listed = {line.split()[0] for line in text.splitlines() if line.startswith("    ")}
    assert {words.split()[0] for words in COMMANDS if words} <= listed


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"coinsorter {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["melt"],
        ["run", "--simulate", "--coins", "-1"],
        ["run", "--simulate", "--coins", "many"],
        ["run", "--simulate", "--seed", "-1"],
        ["run", "--nonsense"],
    ],
)
def test_wrong_usage_is_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


def test_an_error_is_one_line_with_its_own_status(command, tmp_path):
    status, out, err = command("ledger", "totals", "--ledger", tmp_path / "none.db")
    assert (status, out) == (66, "")
    assert err.startswith("coinsorter: ") and err.count("\n") == 1


def test_mistakes_in_the_settings_are_a_line_each_and_status_78(command, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("belt: {speed_mm_s: -1}\nbins: []\n")
    status, out, err = command("park", "--config", path)
    assert status == 78 and out == "" and len(err.splitlines()) >= 2
    assert all(line.startswith(f"{path}:") for line in err.splitlines())


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_without_a_traceback(tmp_path, number, status):
    ledger = tmp_path / "ledger.db"
    options = ["--coins", "300", "--out", str(tmp_path), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "coinsorter", "run", "--simulate", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not ledger.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status and "Traceback" not in err
