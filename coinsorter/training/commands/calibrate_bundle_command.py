"""coinsorter-train calibrate: the thresholds of a trained bundle, set again on other coins."""

import argparse
from dataclasses import replace
from pathlib import Path

from coinsorter.commands._options import Subparsers, add_force_option
from coinsorter.commands.option_values import read_share
from coinsorter.escape import print_clean
from coinsorter.training.commands._training_options import add_command, check_apart, describe_proof
from coinsorter.training.export.bundle_in_use import claim_bundle
from coinsorter.training.progress import show_progress

DESCRIPTION = """\
Sets the thresholds of a trained bundle again, within an error budget, on
photographs of genuine coins that its networks never saw: of another day, or of
the machine that it shall run on. The networks stay as they are. Prints what the
sample proves: to prove a budget of 0.5 % takes some 600 coins without a mistake.
Without photographs, the budget is kept on the coins that the thresholds were set
on before: the bundle keeps what its networks predicted for them.
"""
EXAMPLES = """\
examples:
  coinsorter-train calibrate models/brl today --out models/brl-today
  coinsorter-train calibrate models/brl today --wrong 0.001 --anomalies odd-ones
  coinsorter-train calibrate models/brl --wrong 0.001 --out models/brl-strict
"""


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter-train calibrate`."""
    summary = "set a bundle's thresholds again, on photographs that its networks never saw"
    parser = add_command(commands, "calibrate", _run_calibrate, summary, DESCRIPTION, EXAMPLES)
    _add_folder_options(parser)
    _add_budget_options(parser)
    parser.add_argument(
        "--anomalies",
        type=Path,
        metavar="DIR",
        help="images of what must be rejected, taken like those of the coins",
    )


def _add_folder_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle", type=Path, metavar="BUNDLE", help="the model bundle's folder, such as models/brl"
    )
    parser.add_argument(
        "data",
        nargs="*",
        type=Path,
        metavar="DATA",
        help="as for `bundle`: images of genuine coins whose labels are known; "
        "none: the coins that the thresholds were set on before",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the calibrated bundle (default: the bundle itself)",
    )
    add_force_option(parser)


def _add_budget_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wrong",
        type=read_share,
        metavar="SHARE",
        help="of accepted coins that may be of another label, such as 0.005 "
        "(default: as its recipe has it)",
    )
    parser.add_argument(
        "--genuine-rejected",
        type=read_share,
        metavar="SHARE",
        help="of genuine coins that the thresholds may reject (default: as its recipe has it)",
    )


def _run_calibrate(options: argparse.Namespace) -> None:
    from coinsorter.training.recalibrate import recalibrate_bundle

    out = options.out or options.bundle
    inputs = [*options.data, options.anomalies]
    if options.out is not None:
        inputs.append(options.bundle)
    check_apart(out, *inputs)
    claim = claim_bundle(out, options.force)
    if options.out is None:  # the bundle itself is named, and changed
        claim = replace(claim, force=True)
    budget = _read_budget(options)
    manifest = recalibrate_bundle(
        options.bundle, options.data, out, show_progress, options.anomalies, budget, claim
    )
    print_clean(f"{out}: thresholds set on {manifest.budget['held_out']} coins")
    print(describe_proof(manifest))


def _read_budget(options: argparse.Namespace) -> dict[str, float]:
    """The shares that differ from the recipe's."""
    shares = {"wrong": options.wrong, "genuine_rejected": options.genuine_rejected}
    return {name: share for name, share in shares.items() if share is not None}
