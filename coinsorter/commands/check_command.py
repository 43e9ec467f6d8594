"""coinsorter check: every mistake in config.yaml."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from coinsorter.commands._options import Subparsers, add_command, add_json_option
from coinsorter.config.load import format_mistakes, locate_mistake, read_config
from coinsorter.config.yaml_lines import Mistake
from coinsorter.errors import BundleError, ConfigError
from coinsorter.escape import print_clean
from coinsorter.recognition.bundle import Bundle, load_bundle

DETAILS = (
    "Prints each as `config.yaml:14: bins[2].flap.open_deg: 220 is above 180` and exits with 78 "
    "if there is any."
)


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter check`."""
    parser = add_command(
        commands, "check", _run_check, "find every mistake in config.yaml", DETAILS
    )
    parser.add_argument(
        "config",
        type=Path,
        nargs="?",
        default=Path("config.yaml"),
        metavar="CONFIG",
        help="default: config.yaml",
    )
    add_json_option(parser, "the mistakes")


def _run_check(options: argparse.Namespace) -> int:
    bundle, mistakes = _find_mistakes(options.config)
    if options.json:
        print(json.dumps([asdict(mistake) for mistake in mistakes]))
    elif mistakes:
        for line in format_mistakes(options.config, mistakes):
            print_clean(line)
    elif bundle:
        print_clean(f"{options.config}: no mistakes")
        print_clean(f"{bundle.path}: sha256 {bundle.digest}")
    return ConfigError.exit_code if mistakes else 0


def _find_mistakes(path: Path) -> tuple[Bundle | None, list[Mistake]]:
    """The bundle, and the mistakes in the file and those that only the bundle's labels show."""
    settings, mistakes = read_config(path)
    if settings is None:
        return None, mistakes
    try:
        bundle = load_bundle(path.parent / settings.runtime.bundle)
    except BundleError as error:
        return None, [*mistakes, locate_mistake(path, ("runtime", "bundle"), str(error))]
    return bundle, read_config(path, bundle.labels, bundle.crop)[1]
