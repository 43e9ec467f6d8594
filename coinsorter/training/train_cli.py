"""`coinsorter-train`: images of coins -> a model bundle, and how good it is.

Each command is a module of `training.commands`.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from coinsorter import __version__
from coinsorter.command_line import end_command
from coinsorter.escape import CleanFormatter
from coinsorter.training.commands import (
    bundle_command,
    calibrate_bundle_command,
    evaluate_command,
    features_command,
    gate_command,
    prepare_command,
    teach_command,
)

DESCRIPTION = "Trains and evaluates model bundles for coinsorter, on a desktop."
#: The commands, in the order of `--help`.
COMMANDS = (
    bundle_command,
    gate_command,
    calibrate_bundle_command,
    teach_command,
    prepare_command,
    evaluate_command,
    features_command,
)
REMEDY = "run `pip install 'coinsorter[train]'`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status.

    arguments: the words after the program's name, those of the shell where None.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    return end_command("coinsorter-train", lambda: _run(words), REMEDY)


def _run(words: list[str]) -> int | None:
    options = _make_parser().parse_args(words)
    options.words = words
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(CleanFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    status: int | None = options.command(options)
    return status


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("coinsorter-train", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"coinsorter-train {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    return parser
