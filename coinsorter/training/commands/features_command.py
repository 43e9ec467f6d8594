"""coinsorter-train features: measures of coins that a person can read, and a plain classifier."""

import argparse
from pathlib import Path

from coinsorter.commands._options import Subparsers
from coinsorter.commands.option_values import read_number
from coinsorter.training.commands._training_options import (
    add_command,
    add_label_level_option,
    add_report_options,
    add_worker_options,
    print_report,
)
from coinsorter.training.progress import show_progress

DESCRIPTION = """\
Measures every coin: its size three ways, shape, colours of core and ring, texture
and edges. Writes features.csv (a row per coin; the measures' names end with their
units), plots of the most informative ones, and how well plain extra-trees from
scikit-learn classify the coins by them: the baseline that a network has to beat.
Images of one burst are never in both parts of a split.
"""
EXAMPLES = """\
examples:
  coinsorter-train features brl-frames/day1 --bundle models/brl --test brl-frames/day2
  coinsorter-train features crops --crops --burst-s 0 --svm genuine.joblib

Open a saved SVM, like any joblib file, only if you trust where it comes from.
"""


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter-train features`."""
    summary = "measures of coins that a person can read, and a plain classifier on them"
    parser = add_command(commands, "features", _run_features, summary, DESCRIPTION, EXAMPLES)
    _add_data_options(parser)
    _add_classifier_options(parser)
    add_worker_options(parser, "images and folds")
    add_report_options(parser, "features")


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="frames with one coin each, in folders named as their labels",
    )
    add_label_level_option(parser)
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="a bundle whose view gives sizes in mm; folders that it has no label for are foreign",
    )
    parser.add_argument(
        "--crops",
        action="store_true",
        help="each image is one ready crop that its coin fills; then there are no sizes",
    )


def _add_classifier_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--test",
        type=Path,
        metavar="DATA2",
        help="train on DATA and test on DATA2, instead of burst by burst within DATA",
    )
    parser.add_argument(
        "--svm",
        type=Path,
        metavar="FILE",
        help="train a one-class SVM on the coins, save it with joblib, and list its score",
    )
    parser.add_argument(
        "--burst-s",
        type=read_number(0),
        default=40.0,
        metavar="S",
        help="images of one folder no further apart, by the last number in their names, show one "
        "coin (default: 40); 0: each shows another",
    )


def _run_features(options: argparse.Namespace) -> None:
    from coinsorter.training.features.feature_report import (
        FeatureSettings,
        summarize_features,
        write_feature_report,
    )
    from coinsorter.training.parallel import open_workers

    settings = FeatureSettings(
        data=options.data,
        bundle=options.bundle,
        crops=options.crops,
        test=options.test,
        svm=options.svm,
        burst_s=options.burst_s,
        label_level=options.label_level,
    )
    inputs = (options.data, options.test)
    with open_workers(options.jobs, options.cluster, inputs) as workers:
        result = write_feature_report(settings, options.out, show_progress, options.force, workers)
    print_report(options, result, summarize_features(result))
