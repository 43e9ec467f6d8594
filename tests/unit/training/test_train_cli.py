"""What all commands of coinsorter-train have in common: help, usage, and how they end."""

import pytest

from coinsorter import __version__
from coinsorter.errors import InputError
from coinsorter.training import train_cli
from coinsorter.training.commands import evaluate_command

COMMANDS = ["bundle", "gate", "calibrate", "teach", "prepare", "evaluate", "features"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(capsys, name):
    with pytest.raises(SystemExit) as stop:
        train_cli.main([name, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and f"  coinsorter-train {name} " in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as stop:
        train_cli.main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"coinsorter-train {__version__}\n"


@pytest.mark.parametrize("words", [[], ["melt"], ["bundle"], ["prepare", "x", "--nonsense"]])
def test_wrong_usage_is_status_2(capsys, words):
    with pytest.raises(SystemExit) as stop:
        train_cli.main(words)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, status, words",
    [
        (InputError("x: no such folder; name another"), 66, "x: no such folder; name another"),
        (ModuleNotFoundError(name="keras"), 69, "keras is not installed; run `pip install"),
    ],
)
def test_an_error_is_one_line_with_its_status(monkeypatch, capsys, error, status, words):
    def fail(options):
        raise error

    monkeypatch.setattr(evaluate_command, "_run_evaluate", fail)
    assert train_cli.main(["evaluate", "models/brl", "data"]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"coinsorter-train: {words}")


def test_ctrl_c_is_status_130(monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_command, "_run_evaluate", interrupt)
    assert train_cli.main(["evaluate", "models/brl", "data"]) == 130
