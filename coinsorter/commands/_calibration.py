"""What every calibration ends with: its numbers are printed, or written into config.yaml."""

import argparse
import json
from typing import Any

from coinsorter.commands._options import add_config_option, add_json_option
from coinsorter.config.edit import replace_numbers
from coinsorter.config.yaml_lines import format_option
from coinsorter.escape import print_clean
from coinsorter.files.atomic import write_file
from coinsorter.files.ownership import Claim

#: Numbers by the place of their option in config.yaml, such as `("belt", "px_per_mm")`.
Numbers = dict[tuple[str | int, ...], float]


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--write`, `--config` and `--json`."""
    parser.add_argument("--write", action="store_true", help="put the numbers into config.yaml")
    add_config_option(parser)
    add_json_option(parser, "the result")


def name_belt_numbers(numbers: dict[str, float]) -> Numbers:
    """The same numbers, as those of section `belt`."""
    return {("belt", name): number for name, number in numbers.items()}


def report_numbers(
    options: argparse.Namespace, numbers: Numbers, result: dict[str, Any], lines: list[str]
) -> None:
    """Writes the numbers into config.yaml where `--write` says so, and prints them.

    result: what `--json` prints. lines: what a person reads before the numbers. Raises ConfigError
    where config.yaml would hold a mistake then, and InputError where it cannot be written.
    """
    if options.write and numbers:
        _write_numbers(options, numbers)
    if options.json:
        print(json.dumps({**result, "written": options.write}))
        return
    for line in lines:
        print_clean(line)
    for place, number in numbers.items():
        print_clean(f"{format_option(place)}: {number:g}")
    print_clean(f"{options.config}: {_next_step(options, numbers)}")


def _write_numbers(options: argparse.Namespace, numbers: Numbers) -> None:
    before = options.config.read_bytes()
    text = replace_numbers(options.config, numbers)
    claim = Claim(remedy="name another file with --config", expected=before)
    with write_file(options.config, claim) as file:
        file.write(text)


def _next_step(options: argparse.Namespace, numbers: Numbers) -> str:
    if not numbers:
        return "nothing to change"
    if options.write:
        return "written"
    return "put these numbers into it, or run this again with --write"
