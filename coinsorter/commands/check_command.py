"""coinsorter check: every mistake in config.yaml."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coinsorter import config
from coinsorter.commands._options import add_command, add_json
from coinsorter.errors import BundleError, ConfigError
from coinsorter.recognition import bundle


def add(commands: Any) -> None:
    details = "Prints each as `config.yaml:14: bins[2].flap.open_deg: 220 is above 180` and exits with 78 if there is any."
    parser = add_command(commands, "check", _check, "find every mistake in config.yaml", details)
    parser.add_argument(
        "config",
        type=Path,
        nargs="?",
        default=Path("config.yaml"),
        metavar="CONFIG",
        help="default: config.yaml",
    )
    add_json(parser, "the mistakes")


def _check(options: argparse.Namespace) -> int:
    settings, mistakes = config.read(options.config)
    if settings:
        try:
            models = bundle.load(options.config.parent / settings.runtime.bundle)
            mistakes = config.read(options.config, models.labels)[1]
        except BundleError as error:
            mistakes = [
                *mistakes,
                config.mistake_in(options.config, ("runtime", "bundle"), str(error)),
            ]
    if options.json:
        print(json.dumps([asdict(mistake) for mistake in mistakes]))
    elif mistakes:
        print("\n".join(config.render(options.config, mistakes)))
    else:
        print(f"{options.config}: no mistakes")
    return ConfigError.exit_code if mistakes else 0
