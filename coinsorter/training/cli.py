"""`coinsorter-train`: pictures of coins -> a model bundle, and how good it is."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from coinsorter import __version__
from coinsorter.errors import CoinsorterError, InputError

DESCRIPTION = "Trains and judges model bundles for coinsorter, on a desktop."


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
    _add_evaluate(commands)
    return parser


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="how good a bundle is, on pictures whose truth is known",
        description="Judges pictures that lie in folders named as the bundle's labels; folders with other names hold foreign things, which must be "
        "rejected. Writes report.html (one file, opens offline), its pictures as PNGs, and metrics.json. Give it pictures that the bundle was not "
        "trained on. The figures come in two views: every coin called its likeliest label, and what the machine's own limits accept and reject.",
        epilog="examples:  coinsorter-train evaluate models/brl brl-frames/day2 --rotations 24 --damage\n"
        "           coinsorter-train evaluate models/brl euro-crops/test --crops --json | jq .machine.foreign_accepted",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the model bundle's folder, such as models/crowns")
    parser.add_argument("data", type=Path, metavar="DATA", help="frames with one coin each, in folders named as their labels, in the order of the last number in their names")
    parser.add_argument("--crops", action="store_true", help="each picture is one ready crop that its coin fills; judged by its looks alone, without a diameter")
    parser.add_argument("--rotations", type=_steps, default=0, metavar="N", help="ask again about each coin turned N times by 360/N degrees (default: 0, do not)")
    parser.add_argument("--damage", action="store_true", help="ask again about each coin with damage drawn onto it: scratches, a hole, a clipped edge, paint, tarnish")
    _add_out(parser, "evaluation")
    parser.set_defaults(command=_evaluate)


def _add_out(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--out", type=Path, default=Path(name), metavar="DIR", help=f"folder of the report; an earlier report there is replaced when all is done (default: {name})")
    parser.add_argument("--json", action="store_true", help="print what metrics.json says instead of a summary, for programs")


def _steps(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 360:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 360")
    return int(text)


def _evaluate(options: argparse.Namespace) -> None:
    from coinsorter.training.evaluate import Asked, evaluate

    asked = Asked(options.bundle, options.data, options.crops, options.rotations, options.damage)
    result = evaluate(asked, options.out, _bar)
    if options.json:
        print(json.dumps(result))
        return
    every, machine = result["all_answered"], result["machine"]
    low, high = (100 * every["right"][name] for name in ("low_95", "high_95"))
    print(f"{options.out / 'report.html'}: {result['genuine']} genuine coins, {result['foreign']} foreign things, {len(result['data']['unreadable'])} unreadable")
    print(
        f"every coin answered: {100 * every['right']['share']:.2f} % right ({low:.2f} to {high:.2f} % at 95 %), balanced {100 * every['balanced_accuracy']:.2f} %, "
        f"macro F1 {100 * every['macro_f1']:.2f} %"
    )
    print(f"the machine: {100 * machine['genuine_accepted']['share']:.2f} % of genuine coins accepted, {_false_accepts(machine)}")
    if result["anomaly"]["auroc"] is not None:
        print(f"anomaly score: AUROC {result['anomaly']['auroc']:.3f}, TPR {result['anomaly']['tpr']['share']:.3f}, TNR {result['anomaly']['tnr']['share']:.3f} at the limits")
    if result["rotations"]:
        print(f"turned: {100 * result['rotations']['lowest']:.2f} to {100 * result['rotations']['highest']:.2f} % right")
    if result["damage"]:
        print("damaged (synthetic), AUROC: " + ", ".join(f"{kind} {own['auroc']:.3f}" for kind, own in result["damage"]["kinds"].items()))


def _false_accepts(machine: dict[str, Any]) -> str:
    wrong = machine["false_accepts"]
    bound = "" if wrong["share"] is None else f": at most {100 * wrong['at_most_95']:.3g} % at 95 %"
    return f"{wrong['count']} false accepts among {wrong['of']}{bound} ({machine['wrong_labels']['count']} wrong labels, {machine['foreign_accepted']['count']} foreign)"


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
    print(f"held-out coins, pictures alone: {100 * accuracy['float']:.2f} % right as floats, {100 * accuracy['int8']:.2f} % as int8")
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
