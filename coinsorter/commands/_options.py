"""The options that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

#: What `add_subparsers` returns: where a command adds its own parser.
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
#: Carries a command out; returns its exit status, None for 0.
Run: TypeAlias = Callable[[argparse.Namespace], int | None]


def add_command(
    commands: Subparsers, name: str, run: Run, summary: str, details: str
) -> argparse.ArgumentParser:
    """The parser of a new command.

    summary: the line beside its name, in small letters and without a full stop. details: what
    `--help` says besides.
    """
    first_sentence = f"{summary[0].upper()}{summary[1:]}."
    parser = commands.add_parser(name, help=summary, description=f"{first_sentence} {details}")
    parser.set_defaults(command=run)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="log a line for every coin, to standard error"
    )
    return parser


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--config`, the machine's settings."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config.yaml"),
        metavar="FILE",
        help="the machine's settings (default: config.yaml)",
    )


def add_bundle_option(parser: argparse.ArgumentParser, description: str) -> None:
    """Adds `--bundle`, a model bundle's folder."""
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help=f"{description} (default: the one in config.yaml)",
    )


def add_interpreter_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--interpreter`, the runtime of the networks."""
    from coinsorter.recognition.runtime import LITERT, TFLITE_RUNTIME  # imports NumPy

    parser.add_argument(
        "--interpreter", choices=["auto", LITERT, TFLITE_RUNTIME], help="which runtime to use"
    )


def add_force_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--force`, which replaces files that the command did not make."""
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace also what this command did not make; never a ledger or settings in use",
    )


def add_json_option(parser: argparse.ArgumentParser, result: str) -> None:
    """Adds `--json`, which prints the result for programs."""
    parser.add_argument("--json", action="store_true", help=f"print {result} as JSON, for programs")
