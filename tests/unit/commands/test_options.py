"""The options that several commands share."""

import argparse
from pathlib import Path

import pytest

from coinsorter.commands._options import (
    add_bundle_option,
    add_command,
    add_config_option,
    add_interpreter_option,
    add_json_option,
)


def run(options: argparse.Namespace) -> None:
    """What the command does."""


@pytest.fixture
def parser():
    """A program with one command, which has every shared option."""
    program = argparse.ArgumentParser("program")
    command = add_command(program.add_subparsers(), "melt", run, "melt coins", "Nothing is left.")
    add_config_option(command)
    add_bundle_option(command, "the model bundle")
    add_interpreter_option(command)
    add_json_option(command, "the result")
    return program


def test_a_command_is_known_by_its_name_and_has_defaults(parser):
    options = parser.parse_args(["melt"])
    assert options.command is run and options.verbose is options.json is False
    assert options.config == Path("config.yaml")
    assert options.bundle is options.interpreter is None


def test_every_option_is_read(parser):
    words = "melt -v --config a.yaml --bundle b --interpreter auto --json"
    options = parser.parse_args(words.split())
    assert (options.config, options.bundle) == (Path("a.yaml"), Path("b"))
    assert options.interpreter == "auto" and options.verbose and options.json


def test_the_help_begins_with_the_summary_as_a_sentence(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["melt", "--help"])
    assert "Melt coins. Nothing is left." in capsys.readouterr().out


def test_an_unknown_interpreter_is_wrong_usage(parser):
    with pytest.raises(SystemExit):
        parser.parse_args(["melt", "--interpreter", "none"])
