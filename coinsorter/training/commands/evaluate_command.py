"""coinsorter-train evaluate: how good a bundle is, on images whose labels are known."""

import argparse
from pathlib import Path

from coinsorter.commands._options import Subparsers
from coinsorter.commands.option_values import read_whole_number
from coinsorter.images.image_io import list_images
from coinsorter.training.commands._training_options import (
    add_command,
    add_report_options,
    add_worker_options,
    print_report,
)
from coinsorter.training.progress import show_progress

DESCRIPTION = """\
Classifies images that lie in folders named as the bundle's labels; folders with
other names hold foreign objects, which must be rejected. Writes report.html (one
file, opens offline), its figures as PNGs, and metrics.json.

Use images that the bundle was not trained on. There are two views: every coin
with its likeliest label, and what the machine's own thresholds accept and
reject. Frames are taken in the order of the last number in their names, and the
view's scale is followed as on the machine; ready crops and the studies are shared
among processes.
"""
EXAMPLES = """\
examples:
  coinsorter-train evaluate models/brl brl-frames/day2 --rotations 24 --damage
  coinsorter-train evaluate models/brl crops --crops --json | jq .machine.false_accepts
"""


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter-train evaluate`."""
    summary = "how good a bundle is, on images whose labels are known"
    parser = add_command(commands, "evaluate", _run_evaluate, summary, DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "bundle",
        type=Path,
        metavar="BUNDLE",
        help="the model bundle's folder, such as models/crowns",
    )
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="frames with one coin each, in folders named as their labels",
    )
    _add_crop_options(parser)
    _add_study_options(parser)
    add_worker_options(parser, "ready crops and studies")
    add_report_options(parser, "evaluation")


def _add_crop_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--crops",
        action="store_true",
        help="each image is one ready crop that its coin fills; classified by the image alone",
    )
    parser.add_argument(
        "--scale-from",
        type=Path,
        metavar="DIR",
        help="ready crops of known coins, cut at the same scale, which give DATA's diameters too",
    )


def _add_study_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rotations",
        type=read_whole_number(0, 360),
        default=0,
        metavar="N",
        help="classify each coin again, turned N times by 360/N degrees (default: 0)",
    )
    parser.add_argument(
        "--damage",
        action="store_true",
        help="classify each coin again with damage drawn onto it (synthetic)",
    )


def _run_evaluate(options: argparse.Namespace) -> None:
    list_images(options.data)  # data without an image end here: the imports below take seconds
    from coinsorter.training.evaluation.evaluate import EvaluationSettings
    from coinsorter.training.evaluation.evaluation_report import (
        summarize_evaluation,
        write_evaluation_report,
    )
    from coinsorter.training.parallel import open_workers

    settings = EvaluationSettings(
        bundle=options.bundle,
        data=options.data,
        crops=options.crops,
        rotation_steps=options.rotations,
        damage=options.damage,
        scale_from=options.scale_from,
    )
    inputs = (options.bundle, options.data)
    with open_workers(options.jobs, options.cluster, inputs) as workers:
        result = write_evaluation_report(
            settings, options.out, show_progress, options.force, workers
        )
    print_report(options, result, summarize_evaluation(result))
