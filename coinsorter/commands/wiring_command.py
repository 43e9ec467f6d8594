"""coinsorter wiring: how everything is connected."""

import argparse
from pathlib import Path

from coinsorter.commands._options import (
    Subparsers,
    add_command,
    add_config_option,
    add_force_option,
)
from coinsorter.config.load import load_config
from coinsorter.escape import print_clean
from coinsorter.files.ownership import Claim
from coinsorter.tools import wiring

DETAILS = (
    "Writes a fragment of config.txt, a device-tree overlay, a table of pins, a drawing and a list "
    "of parts that fit config.yaml."
)


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter wiring`."""
    parser = add_command(commands, "wiring", _run_wiring, "how everything is connected", DETAILS)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("firmware"),
        metavar="DIR",
        help="where they go (default: firmware)",
    )
    add_force_option(parser)
    add_config_option(parser)


def _run_wiring(options: argparse.Namespace) -> None:
    settings = load_config(options.config)
    claim = Claim(wiring.is_wiring, wiring.REMEDY, (options.config,), options.force)
    for path in wiring.write_wiring(settings, options.out, claim):
        print_clean(path)
