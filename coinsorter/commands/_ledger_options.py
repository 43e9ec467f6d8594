"""Which ledger a command is about: `--ledger`, else the one of the settings."""

import argparse
from pathlib import Path

from coinsorter.commands._options import add_config_option


def add_ledger_options(action: argparse.ArgumentParser) -> None:
    """Adds `--ledger` and `--config`."""
    action.add_argument(
        "--ledger", type=Path, metavar="FILE", help="the ledger (default: the one in config.yaml)"
    )
    add_config_option(action)


def find_ledger(options: argparse.Namespace) -> Path:
    """The ledger's path. Raises ConfigError where it is in settings that have mistakes."""
    if options.ledger:
        return Path(options.ledger)
    from coinsorter.config.load import load_config  # a third of a second, without need above

    return Path(options.config.parent / load_config(options.config).ledger.path)
