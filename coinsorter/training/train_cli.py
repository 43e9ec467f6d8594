"""`coinsorter-train`: images of coins -> a model bundle, and how good it is.

Each command is a module of `training.commands`.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from coinsorter import __version__
from coinsorter.errors import CoinsorterError
from coinsorter.training.commands import (
    bundle_command,
    calibrate_bundle_command,
    evaluate_command,
    features_command,
    prepare_command,
)

DESCRIPTION = "Trains and evaluates model bundles for coinsorter, on a desktop."
#: The commands, in the order of `--help`.
COMMANDS = (
    bundle_command,
    calibrate_bundle_command,
    prepare_command,
    evaluate_command,
    features_command,
)
#: EX_UNAVAILABLE of sysexits.h.
MISSING_PACKAGE_STATUS = 69
#: What a shell reports of a program that Ctrl-C ends.
INTERRUPTED_STATUS = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status.

    arguments: the words after the program's name, those of the shell where None.
    """
    options = _make_parser().parse_args(arguments)
    options.words = sys.argv[1:] if arguments is None else arguments
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        options.command(options)
    except CoinsorterError as error:
        print(f"coinsorter-train: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        remedy = "run `pip install 'coinsorter[train]'`"
        print(f"coinsorter-train: {error.name} is not installed; {remedy}", file=sys.stderr)
        return MISSING_PACKAGE_STATUS
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("coinsorter-train", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"coinsorter-train {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    return parser
