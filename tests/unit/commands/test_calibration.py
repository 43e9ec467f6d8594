"""The end of every calibration: numbers are printed, and written only if that is asked for."""

import argparse
import json

import pytest

from coinsorter.commands._calibration import (
    add_result_options,
    name_belt_numbers,
    report_numbers,
)
from coinsorter.config.load import load_config
from coinsorter.errors import ConfigError

NUMBERS = name_belt_numbers({"px_per_mm": 3.5})


@pytest.fixture
def parse(shipped_settings):
    """Reads options as a calibration's command does."""
    parser = argparse.ArgumentParser()
    add_result_options(parser)
    return lambda *words: parser.parse_args(["--config", str(shipped_settings), *words])


def test_numbers_are_printed_with_what_to_do_next(parse, shipped_settings, capsys):
    before = shipped_settings.read_text()
    report_numbers(parse(), NUMBERS, {}, ["a line before"])
    assert capsys.readouterr().out.splitlines() == [
        "a line before",
        "belt.px_per_mm: 3.5",
        f"{shipped_settings}: put these numbers into it, or run this again with --write",
    ]
    assert shipped_settings.read_text() == before


def test_numbers_are_written_on_request(parse, shipped_settings, capsys):
    report_numbers(parse("--write"), NUMBERS, {}, [])
    assert capsys.readouterr().out.splitlines()[-1] == f"{shipped_settings}: written"
    assert load_config(shipped_settings).belt.px_per_mm == 3.5


def test_json_is_the_result_and_whether_it_was_written(parse, capsys):
    report_numbers(parse("--json"), NUMBERS, {"coins": 12}, ["a line before"])
    assert json.loads(capsys.readouterr().out) == {"coins": 12, "written": False}


def test_without_numbers_there_is_nothing_to_change(parse, shipped_settings, capsys):
    before = shipped_settings.read_text()
    report_numbers(parse("--write"), {}, {}, [])
    assert capsys.readouterr().out == f"{shipped_settings}: nothing to change\n"
    assert shipped_settings.read_text() == before


def test_a_number_that_would_be_a_mistake_is_not_written(parse, shipped_settings):
    before = shipped_settings.read_text()
    with pytest.raises(ConfigError, match="70 is above 50"):
        report_numbers(parse("--write"), name_belt_numbers({"px_per_mm": 70}), {}, [])
    assert shipped_settings.read_text() == before
