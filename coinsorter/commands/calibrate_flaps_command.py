"""coinsorter calibrate flaps: where each flap rests and opens, by hand."""

import argparse
from collections.abc import Callable
from contextlib import closing

from coinsorter.commands._calibration import add_result_options, report_numbers
from coinsorter.commands._inputs import select_bins
from coinsorter.commands._options import Subparsers, add_command
from coinsorter.config.load import load_config
from coinsorter.config.yaml_lines import format_option
from coinsorter.files.locks import CALIBRATING
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.machine_lock import lock_machine
from coinsorter.hardware.servos.open_servos import open_servos
from coinsorter.tools.calibrate_flaps import HELP, try_flaps

DETAILS = (
    "One flap after the other: type +20 or -20 to turn it by microseconds, `rest` or `open` to "
    "take its present position for that, `next` for the next flap. With --write config.yaml gets "
    "the angles. Stop the service first: a pin serves one program."
)


def add_parser(actions: Subparsers) -> None:
    """Adds `coinsorter calibrate flaps`."""
    summary = "where each flap rests and opens, by hand"
    parser = add_command(actions, "flaps", _run_calibrate_flaps, summary, DETAILS)
    parser.add_argument("bins", nargs="*", metavar="BIN", help="which flaps (default: all)")
    add_result_options(parser)


def _run_calibrate_flaps(options: argparse.Namespace) -> None:
    settings = load_config(options.config)
    bins = select_bins(settings, options.bins)
    show: Callable[[str], None] = _show_nothing if options.json else print
    with (
        lock_machine(settings, options.config.parent, CALIBRATING),
        closing(Flaps(settings, open_servos(settings))) as flaps,
    ):
        flaps.park()
        show(HELP)
        numbers = try_flaps(settings, flaps, bins, _read_line, show)
    result = {format_option(place): number for place, number in numbers.items()}
    report_numbers(options, numbers, result, [])


def _show_nothing(text: str) -> None:
    """Prints nothing: JSON is all that `--json` prints."""


def _read_line(prompt: str) -> str:
    """A line that is typed; "end" at the end of all typing."""
    try:
        return input(prompt)
    except EOFError:
        return "end"
