"""coinsorter-train bundle: a model bundle from images of coins."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from coinsorter.commands._options import Subparsers, add_force_option
from coinsorter.commands.option_values import read_positive_number
from coinsorter.errors import InputError
from coinsorter.escape import print_clean
from coinsorter.recognition.bundle import Manifest
from coinsorter.training.commands._training_options import (
    add_command,
    add_foreign_option,
    add_worker_options,
    check_apart,
    describe_proof,
)
from coinsorter.training.export.bundle_in_use import claim_bundle
from coinsorter.training.parallel import open_workers
from coinsorter.training.progress import show_progress

if TYPE_CHECKING:
    from coinsorter.training.recipe import Recipe

DESCRIPTION = """\
Trains a bundle: finds and cuts out the coins, fits classifier and autoencoder,
quantises both to int8, sets the thresholds on held-out coins, and writes it all
to a folder. The same recipe and images make the same bundle on one machine.
Stopped or killed, the same command goes on after the last complete epoch.
"""
EXAMPLES = """\
examples:
  a data set of your own, with settings that suit some hundred photographs:
    coinsorter-train bundle coins --diameters 010=20,025=25 --out models/mine
  with a recipe, but faster:
    coinsorter-train bundle brl-frames/day1 --recipe models/brl.yaml \\
        --set classifier.epochs=10 --out quick
  with photographs of foreign things for the gate:
    coinsorter-train bundle brl-frames/day1 --recipe models/brl.yaml \\
        --foreign foreign --out models/brl
  simulated coins:
    coinsorter-train bundle --recipe models/crowns.yaml --out models/crowns
"""


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter-train bundle`."""
    summary = "train a bundle from images of coins"
    parser = add_command(commands, "bundle", _run_bundle, summary, DESCRIPTION, EXAMPLES)
    _add_folder_options(parser)
    _add_recipe_options(parser)
    parser.add_argument(
        "--anomalies",
        type=Path,
        metavar="DIR",
        help="images of what must be rejected, taken like those of the coins: the anomaly "
        "thresholds are set to separate them best; no network is trained on them",
    )
    add_foreign_option(parser)
    add_worker_options(parser, "folds")


def _add_folder_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        nargs="*",
        type=Path,
        metavar="DATA",
        help="a data set that `prepare` made, or a folder with folders named as the recipe's "
        "labels; several of ready crops; none for simulated coins",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the bundle; an earlier one there is replaced when all is done",
    )
    add_force_option(parser)


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="such as models/brl.yaml; every setting is in it",
    )
    parser.add_argument(
        "--diameters",
        type=_read_diameters,
        default={},
        metavar="LABEL=MM,...",
        help="without a recipe: how large each label's coins are",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for one of the recipe's settings, such as classifier.epochs=40",
    )


def _read_diameters(text: str) -> dict[str, float]:
    diameters = {}
    try:
        for word in text.split(","):
            name, size = word.split("=")
            diameters[name] = read_positive_number(size)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 010=20.0,025=25.0") from error
    return diameters


def _run_bundle(options: argparse.Namespace) -> None:
    check_apart(options.out, *options.data, options.anomalies, *options.foreign)
    claim = claim_bundle(options.out, options.force, options.recipe)
    recipe = _load_recipe(options)
    from coinsorter.training.train import train_bundle  # TensorFlow: seconds, and 600 MB

    try:
        with open_workers(options.jobs, options.cluster, [options.out.parent]) as workers:
            manifest = train_bundle(
                recipe,
                options.data,
                options.out,
                show_progress,
                options.anomalies,
                claim,
                options.foreign,
                workers,
            )
    except OSError as error:
        raise InputError(
            f"{options.out}: cannot be written: {error.strerror}; nothing was changed there"
        ) from error
    _print_result(options.out, manifest)


def _load_recipe(options: argparse.Namespace) -> "Recipe":
    from coinsorter.training import recipe
    from coinsorter.training.dataset.dataset import Dataset

    if options.recipe and options.diameters:
        raise InputError("--diameters are the recipe's to say; name one of them")
    if options.recipe:
        return recipe.load_recipe(options.recipe, options.set)
    if len(options.data) != 1:
        raise InputError("name a --recipe, or one data set that `coinsorter-train prepare` made")
    dataset = Dataset.load(options.data[0], check=False)
    name = _name_bundle(options.out)
    return recipe.make_default_recipe(dataset, options.diameters, name, options.set)


def _name_bundle(out: Path) -> str:
    """The folder's name as a bundle may be called: in small letters, without odd characters."""
    return re.sub("[^a-z0-9_-]", "-", out.resolve().name.lower()).strip("-_") or "coins"


def _print_result(out: Path, manifest: Manifest) -> None:
    megabytes = sum(manifest.training["bytes"].values()) / 1e6
    print_clean(f"{out}: {len(manifest.labels)} labels, {megabytes:.2f} MB of networks")
    accuracies = [
        f"{100 * share:.2f} % ({name})"
        for name, share in manifest.training["held_out_accuracy"].items()
    ]
    print_clean(f"held-out coins classified correctly, by image alone: {', '.join(accuracies)}")
    print(describe_proof(manifest))
