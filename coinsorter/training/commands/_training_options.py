"""What the commands of `coinsorter-train` share: a parser's layout, options, checks of paths."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from coinsorter.commands._options import Subparsers, add_force_option
from coinsorter.commands.option_values import read_whole_number
from coinsorter.errors import InputError
from coinsorter.escape import print_clean
from coinsorter.files.ownership import first_overlap
from coinsorter.recognition.bundle import Manifest

#: Processes, at most: more than any computer has cores for.
MAX_PROCESSES = 512
#: Folders within folders, at most.
MAX_LEVEL = 20

#: Carries a command out; success is that it returns.
Run: TypeAlias = Callable[[argparse.Namespace], None]


def add_command(
    commands: Subparsers, name: str, run: Run, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """The parser of a new command, whose help is laid out as its texts are."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=run)
    return parser


def add_label_level_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--label-level`, for folders within folders."""
    parser.add_argument(
        "--label-level",
        type=read_whole_number(1, MAX_LEVEL),
        metavar="N",
        help="which folders are named as labels, 1: the outermost (default: those whose names are "
        "no faces, splits or days)",
    )


def add_worker_options(parser: argparse.ArgumentParser, jobs: str) -> None:
    """Adds `--jobs` and `--cluster`. jobs: what the processes share, such as "images"."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--jobs",
        type=read_whole_number(1, MAX_PROCESSES),
        metavar="N",
        help=f"processes that share the {jobs} (default: as many as there are cores); the result "
        "is the same",
    )
    group.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help=f"a Dask scheduler whose workers share the {jobs}, such as tcp://10.0.0.1:8786",
    )


def add_report_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds `--out` and `--json` of a command that writes a report.

    name: the report's folder where `--out` is not given.
    """
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(name),
        metavar="DIR",
        help="folder of the report; an earlier report there is replaced when all is done "
        f"(default: {name})",
    )
    add_force_option(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="print what metrics.json says instead of a summary, for programs",
    )


def print_report(options: argparse.Namespace, result: dict[str, Any], summary: str) -> None:
    """Prints a report's summary and where it is; with `--json` its figures."""
    if options.json:
        print(json.dumps(result))
    else:
        first, *others = summary.split("\n")
        print_clean(f"{options.out / 'report.html'}: {first}")
        for line in others:
            print_clean(line)


def check_apart(out: Path, *inputs: Path | None) -> None:
    """Raises InputError where `out` would replace an input, or lie in it."""
    path = first_overlap(out, inputs)
    if path is not None:
        raise InputError(
            f"--out {out}: would replace or lie in {path}, which is only to be read; "
            "name another folder"
        )


def describe_proof(manifest: Manifest) -> str:
    """The share of wrong coins that a bundle's thresholds promise, and what its sample proves."""
    budget = manifest.budget
    accepted = f"{budget['held_out_accepted']} of {budget['held_out']} held-out coins accepted"
    bound = f"at most {100 * budget['wrong_at_most_95']:.3g} % at 95 %"
    verdict = "proven" if budget["proven"] else "the sample is too small to prove it"
    return (
        f"thresholds: {accepted}, {budget['held_out_wrong']} wrongly: {bound}, "
        f"budget {100 * budget['wrong']:g} %: {verdict}"
    )


def add_foreign_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--foreign`, photographs for a gate; it may be given several times."""
    parser.add_argument(
        "--foreign",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="photographs of things that are no coins of yours (screws, washers, pills, other "
        "currencies), in folders by kind, one kind as often as another: the gate is trained to "
        "reject them; may be given several times",
    )
