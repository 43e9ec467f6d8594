"""_ledger_options: a ledger is named, or the settings say where it is."""

import argparse
from pathlib import Path

import pytest

from coinsorter.commands._ledger_options import add_ledger_options, find_ledger
from coinsorter.errors import ConfigError
from tests.conftest import ROOT


def find(*words):
    parser = argparse.ArgumentParser()
    add_ledger_options(parser)
    return find_ledger(parser.parse_args(list(map(str, words))))


def test_a_ledger_that_is_named_needs_no_settings(tmp_path):
    assert find("--ledger", "my.db", "--config", tmp_path / "none.yaml") == Path("my.db")


def test_else_it_is_where_the_settings_say(tmp_path):
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    (tmp_path / "config.yaml").write_text(text.replace("var/ledger.db", "rows/here.db"))
    assert find("--config", tmp_path / "config.yaml") == tmp_path / "rows" / "here.db"


def test_settings_with_mistakes_name_no_ledger(tmp_path):
    (tmp_path / "config.yaml").write_text("bins: 3\n")
    with pytest.raises(ConfigError):
        find("--config", tmp_path / "config.yaml")
