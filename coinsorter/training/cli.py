"""`coinsorter-train`: pictures of coins -> a model bundle."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from coinsorter import __version__
from coinsorter.errors import CoinsorterError, InputError

DESCRIPTION = "Trains model bundles for coinsorter, on a desktop."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return int(options.command(options) or 0)
    except CoinsorterError as error:
        print(f"coinsorter-train: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        print(f"coinsorter-train: {error.name} is not installed; run `pip install 'coinsorter[train]'`", file=sys.stderr)
        return 69
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("coinsorter-train", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"coinsorter-train {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    make = commands.add_parser(
        "bundle",
        help="train a bundle from a recipe",
        description="Trains a bundle: finds and crops the coins, fits classifier and autoencoder, quantises both to int8, sets the limits "
        "on coins that neither saw, and writes it all to a folder. The same recipe and pictures make the same bundle on one machine.",
    )
    make.add_argument("recipe", type=Path, metavar="RECIPE", help="such as models/crowns.yaml; every knob is in it")
    make.add_argument("--frames", type=Path, metavar="DIR", help="pictures with one coin each, in folders named as the recipe's labels")
    make.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the bundle; what is there is replaced when all is done")
    make.set_defaults(command=_bundle)
    return parser


def _bundle(options: argparse.Namespace) -> None:
    from coinsorter.training import recipe
    from coinsorter.training.make import make

    recipe_ = recipe.load(options.recipe)
    try:
        facts = make(recipe_, options.frames, options.out, _bar)
    except OSError as error:
        raise InputError(f"{options.out}: cannot be written: {error.strerror}; nothing was changed there") from error
    proof, accuracy = facts.budget, facts.training["held_out_accuracy"]
    print(f"{options.out}: {len(facts.labels)} labels, {sum(facts.training['bytes'].values()) / 1e6:.2f} MB of networks")
    print("held-out coins named rightly, from pictures alone: " + ", ".join(f"{100 * share:.2f} % ({name})" for name, share in accuracy.items()))
    print(
        f"limits: {proof['held_out_accepted']} of {proof['held_out']} held-out coins accepted, {proof['held_out_wrong']} wrongly: at most "
        f"{100 * proof['wrong_at_most_95']:.3g} % at 95 %, budget {100 * proof['wrong']:g} %: {'proven' if proof['proven'] else 'the sample is too small to prove it'}"
    )


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error; where that is no terminal, a line when the work is done."""
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[word]}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total, word="")

        def tell(done: int, figures: dict[str, float] | None = None) -> None:
            word = " ".join(f"{name} {value:.4f}" for name, value in (figures or {}).items())
            progress.update(task, completed=done, word=word)
            if not console.is_terminal and (figures or done == total):
                print(f"{what} {done}/{total} {word}".rstrip(), file=sys.stderr, flush=True)

        yield tell
