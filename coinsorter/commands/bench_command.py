"""coinsorter bench: how fast this computer sorts."""

import argparse
import json
from typing import Any

from rich.console import Console

from coinsorter import config
from coinsorter.commands._options import add_bundle, add_command, add_config, add_json
from coinsorter.recognition import bundle, runtime


def add(commands: Any) -> None:
    details = (
        "Times every stage on one core with simulated pictures, one picture a coin, and compares the whole with the bare kernels: the "
        "same OpenCV calls and interpreter invocations in an empty loop. Nothing is sorted and no pin moves."
    )
    parser = add_command(commands, "bench", _bench, "measure how fast this computer sorts", details)
    add_bundle(parser, "the model bundle")
    add_config(parser)
    parser.add_argument(
        "--interpreter",
        choices=["auto", runtime.LITERT, runtime.TFLITE_RUNTIME],
        help="which runtime to use",
    )
    parser.add_argument(
        "--turns",
        type=int,
        choices=[1, 2, 4],
        help="quarter turns of each picture that are judged (default: config.yaml's)",
    )
    add_json(parser, "the figures")


def _bench(options: argparse.Namespace) -> int:
    from coinsorter.tools import benchmark

    settings = config.load(options.config).runtime if not options.bundle else config.Runtime()
    models = bundle.load(options.bundle or options.config.parent / settings.bundle)
    figures = benchmark.measure_performance(
        models,
        runtime.pick(options.interpreter or settings.interpreter),
        options.turns or settings.turns_per_crop,
    )
    if options.json:
        print(json.dumps(figures))
    else:
        benchmark.print_figures(figures, Console())
    return 0
