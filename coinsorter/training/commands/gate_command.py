"""coinsorter-train gate: a gate for a bundle that was trained without one."""

import argparse
from pathlib import Path

from coinsorter.commands._options import Subparsers, add_force_option
from coinsorter.commands.option_values import read_whole_number
from coinsorter.escape import print_clean
from coinsorter.training.commands._training_options import (
    add_command,
    add_foreign_option,
    check_apart,
    describe_proof,
)
from coinsorter.training.export.bundle_in_use import claim_bundle
from coinsorter.training.progress import show_progress

DESCRIPTION = """\
Trains a gate for a bundle: a network that says whether something is one of its
coins at all. It is shown the bundle's own coins, near-coins made of them,
simulated things, and photographs of foreign things. All other networks stay as
they are, and the thresholds are set again. Takes some minutes.
"""
EXAMPLES = """\
examples:
  coinsorter-train gate models/brl brl-frames/day1 --foreign foreign --out models/brl-gated
  coinsorter-train gate models/first coins --foreign screws --foreign other-currencies \\
      --out models/first-gated
"""


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter-train gate`."""
    summary = "add a gate to a bundle: is it one of its coins at all?"
    parser = add_command(commands, "gate", _run_gate, summary, DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "bundle", type=Path, metavar="BUNDLE", help="the model bundle's folder, such as models/brl"
    )
    parser.add_argument(
        "data",
        nargs="+",
        type=Path,
        metavar="DATA",
        help="the images that the bundle was trained on",
    )
    add_foreign_option(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the bundle with a gate"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="to start from: imagenet, a file, or none (default: the recipe's, or imagenet)",
    )
    _add_number(parser, "--epochs", 1, 1000, "epochs of the training", 24)
    part = "of the network's 13 blocks those that are used; fewer are faster"
    _add_number(parser, "--blocks", 1, 13, part, 11)
    things = "objects of each simulated kind that it is shown"
    _add_number(parser, "--simulated", 0, 100_000, things, 600)
    add_force_option(parser)


def _add_number(
    parser: argparse.ArgumentParser, option: str, low: int, high: int, what: str, usual: int
) -> None:
    """Adds a setting of the gate's; without it the recipe's holds, or the usual one."""
    parser.add_argument(
        option,
        type=read_whole_number(low, high),
        metavar="N",
        help=f"{what} (default: as its recipe has it, or {usual})",
    )


def _run_gate(options: argparse.Namespace) -> None:
    check_apart(options.out, options.bundle, *options.data, *options.foreign)
    claim = claim_bundle(options.out, options.force)
    from coinsorter.training.add_gate import add_gate  # TensorFlow: seconds, and 600 MB

    names = ("weights", "epochs", "blocks", "simulated")
    settings = {name: getattr(options, name) for name in names}
    changes = {name: value for name, value in settings.items() if value is not None}
    manifest = add_gate(
        options.bundle, options.data, options.foreign, options.out, show_progress, claim, changes
    )
    print_clean(f"{options.out}: a gate, and thresholds set on {manifest.budget['held_out']} coins")
    print(describe_proof(manifest))
