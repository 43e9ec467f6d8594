"""coinsorter bench: how fast this computer sorts."""

import argparse
import json

from rich.console import Console

from coinsorter.commands._options import (
    Subparsers,
    add_bundle_option,
    add_command,
    add_config_option,
    add_interpreter_option,
    add_json_option,
)
from coinsorter.config.load import load_config
from coinsorter.config.schema import RuntimeSettings
from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.runtime import pick_runtime

DETAILS = (
    "Times every stage on one core with simulated frames, one frame a coin. Compares the sum with "
    "the kernels alone: the same OpenCV calls and interpreter invocations in an empty loop. "
    "Nothing is sorted and no pin moves."
)


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter bench`."""
    parser = add_command(
        commands, "bench", _run_bench, "measure how fast this computer sorts", DETAILS
    )
    add_bundle_option(parser, "the model bundle")
    add_config_option(parser)
    add_interpreter_option(parser)
    parser.add_argument(
        "--turns",
        type=int,
        choices=[1, 2, 4],
        help="quarter turns of each crop that are classified (default: config.yaml's)",
    )
    add_json_option(parser, "the figures")


def _run_bench(options: argparse.Namespace) -> None:
    from coinsorter.tools import benchmark

    settings = RuntimeSettings() if options.bundle else load_config(options.config).runtime
    bundle = load_bundle(options.bundle or options.config.parent / settings.bundle)
    interpreter = pick_runtime(options.interpreter or settings.interpreter)
    turns = options.turns or settings.turns_per_crop
    figures = benchmark.measure_performance(bundle, interpreter, turns)
    if options.json:
        print(json.dumps(figures))
    else:
        benchmark.print_figures(figures, Console())
