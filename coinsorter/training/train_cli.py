"""`coinsorter-train`: pictures of coins -> a model bundle, and how good it is."""

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from coinsorter import __version__
from coinsorter.errors import CoinsorterError, InputError

DESCRIPTION = "Trains and judges model bundles for coinsorter, on a desktop."
PREPARE = """\
Finds the coin in each picture as the machine does, cuts it out, leaves out what
is no good (with a reason each), and splits the rest so that no photograph,
burst or coin is on two sides. What it is given is only read. Stopped, the same
command goes on where it was."""
PREPARE_EXAMPLE = """\
examples:
  photographs/10c/*.jpg, photographs/20c/*.jpg ...:
    coinsorter-train prepare photographs --out coins
  ready crops of both faces of each coin, listed in a CSV in the ZIP with the
  columns path,label,side,coin_id:
    coinsorter-train prepare collection.zip --crops --join-sides --test 0.1 --out coins
then open coins/report.html"""
BUNDLE = """\
Trains a bundle: finds and cuts out the coins, fits classifier and autoencoder,
quantises both to int8, sets the limits on coins that neither saw, and writes it
all to a folder. The same recipe and pictures make the same bundle on one
machine. Stopped or killed, the same command goes on after the last whole epoch.
"""
BUNDLE_EXAMPLES = """\
examples:
  a data set of your own, with the knobs that suit some hundred photographs:
    coinsorter-train bundle coins --diameters 010=20,025=25 --out models/mine
  with a recipe, but faster:
    coinsorter-train bundle brl-frames/day1 --recipe models/brl.yaml \\
        --set classifier.epochs=10 --out quick
  simulated coins:
    coinsorter-train bundle --recipe models/crowns.yaml --out models/crowns
"""
CALIBRATE = """\
Sets the limits of a trained bundle anew, within an error budget, on photographs
of genuine coins that its networks never saw: of another day, or of the machine
that it shall run on. The networks stay as they are. It says what the sample
proves: to prove a budget of 0.5 % takes some 600 coins without a mistake. Without
photographs, the budget is kept on the coins that the limits were set on before:
the bundle keeps what its networks said of them.
"""
CALIBRATE_EXAMPLES = """\
examples:
  coinsorter-train calibrate models/brl today --out models/brl-today
  coinsorter-train calibrate models/brl today --wrong 0.001 --anomalies odd-ones
  coinsorter-train calibrate models/brl --wrong 0.001 --out models/brl-strict
"""
EVALUATE = """\
Judges pictures that lie in folders named as the bundle's labels; folders with
other names hold foreign things, which must be rejected. Writes report.html (one
file, opens offline), its pictures as PNGs, and metrics.json.

Give it pictures that the bundle was not trained on. There are two views: every
coin called its likeliest label, and what the machine's own limits accept and
reject. Frames are taken in the order of the last number in their names, and the
view's scale is followed as on the machine.
"""
EVALUATE_EXAMPLES = """\
examples:
  coinsorter-train evaluate models/brl brl-frames/day2 --rotations 24 --damage
  coinsorter-train evaluate models/brl crops --crops --json | jq .machine.false_accepts
"""
FEATURES = """\
Measures every coin: its size three ways, shape, colours of core and ring, texture
and edges. Writes features.csv (a row per coin; the measures' names end with their
units), plots of the most telling ones, and how well plain extra-trees from
scikit-learn tell the labels apart by them: the yardstick that a network has to
beat. Pictures of one burst are never on both sides of a split.
"""
FEATURES_EXAMPLES = """\
examples:
  coinsorter-train features brl-frames/day1 --bundle models/brl --test brl-frames/day2
  coinsorter-train features crops --crops --burst-s 0 --svm genuine.joblib

Open a saved machine, like any joblib file, only if you trust where it comes from.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    options.words = sys.argv[1:] if arguments is None else arguments
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return int(options.command(options) or 0)
    except CoinsorterError as error:
        print(f"coinsorter-train: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        print(
            f"coinsorter-train: {error.name} is not installed; run `pip install 'coinsorter[train]'`",
            file=sys.stderr,
        )
        return 69
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("coinsorter-train", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"coinsorter-train {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_bundle(commands)
    _add_calibrate(commands)
    _add_prepare(commands)
    _add_evaluate(commands)
    _add_features(commands)
    return parser


def _add(
    commands: Any, name: str, what: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """A command whose help is laid out as it is written here."""
    return commands.add_parser(
        name,
        help=what,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_bundle(commands: Any) -> None:
    make = _add(
        commands, "bundle", "train a bundle from pictures of coins", BUNDLE, BUNDLE_EXAMPLES
    )
    what = "a data set that `prepare` made, or a folder with folders named as the recipe's labels; several of ready crops; none for simulated coins"
    make.add_argument("data", nargs="*", type=Path, metavar="DATA", help=what)
    make.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the bundle; what is there is replaced when all is done",
    )
    make.add_argument(
        "--recipe", type=Path, metavar="FILE", help="such as models/brl.yaml; every knob is in it"
    )
    make.add_argument(
        "--diameters",
        type=_diameters,
        default={},
        metavar="LABEL=MM,...",
        help="without a recipe: how large each label's coins are",
    )
    strange = "pictures of what must be rejected, like the coins' own: the anomaly limits are set to tell them best; no network is trained on them"
    make.add_argument("--anomalies", type=Path, metavar="DIR", help=strange)
    make.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for one of the recipe's knobs, such as classifier.epochs=40",
    )
    make.set_defaults(command=_bundle)


def _add_calibrate(commands: Any) -> None:
    parser = _add(
        commands,
        "calibrate",
        "set a bundle's limits anew, on photographs that its networks never saw",
        CALIBRATE,
        CALIBRATE_EXAMPLES,
    )
    parser.add_argument(
        "bundle", type=Path, metavar="BUNDLE", help="the model bundle's folder, such as models/brl"
    )
    what = "as for `bundle`: pictures of genuine coins whose labels are known; none: the coins that the limits were set on before"
    parser.add_argument("data", nargs="*", type=Path, metavar="DATA", help=what)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the calibrated bundle (default: the bundle itself)",
    )
    parser.add_argument(
        "--wrong",
        type=_share,
        metavar="SHARE",
        help="of accepted coins that may be of another label, such as 0.005 (default: as its recipe has it)",
    )
    parser.add_argument(
        "--genuine-rejected",
        type=_share,
        metavar="SHARE",
        help="of genuine coins that the limits may reject (default: as its recipe has it)",
    )
    parser.add_argument(
        "--anomalies",
        type=Path,
        metavar="DIR",
        help="pictures of what must be rejected, like the coins' own",
    )
    parser.set_defaults(command=_calibrate)


def _share(words: str) -> float:
    share = float(words)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{words} is not between 0 and 1")
    return share


def _calibrate(options: argparse.Namespace) -> None:
    from coinsorter.training.thresholds.recalibrate import calibrate

    _check_apart(
        options.out or options.bundle,
        *options.data,
        options.anomalies,
        *([options.bundle] if options.out not in (None, options.bundle) else []),
    )
    budget = {
        name: value
        for name in ("wrong", "genuine_rejected")
        if (value := getattr(options, name)) is not None
    }
    out = options.out or options.bundle
    facts = calibrate(options.bundle, options.data, out, _bar, options.anomalies, budget)
    print(f"{out}: limits set on {facts.budget['held_out']} coins")
    print(_promise(facts))


def _diameters(words: str) -> dict[str, float]:
    try:
        return {
            name: _above_zero(size) for name, size in (word.split("=") for word in words.split(","))
        }
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{words!r} is not like 010=20.0,025=25.0") from error


def _add_prepare(commands: Any) -> None:
    ready = _add(
        commands, "prepare", "make a data set from pictures of coins", PREPARE, PREPARE_EXAMPLE
    )
    what = "a folder with folders named as labels; a CSV with path,label[,side,coin_id,group]; a ZIP of either"
    ready.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help=what)
    ready.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DATASET",
        help="folder of the data set; its report.html shows what became of it all",
    )
    ready.add_argument(
        "--crops", action="store_true", help="the pictures are ready crops, each filled by one coin"
    )
    ready.add_argument(
        "--join-sides",
        action="store_true",
        help="make one picture of a coin's obverse and reverse (CSV columns side and coin_id)",
    )
    size = ready.add_argument_group(
        "how large coins are in the pictures (by default 4 to 48 % of the shorter edge in radius)"
    )
    size.add_argument("--px-per-mm", type=_above_zero, metavar="N", help="pixels per millimetre")
    size.add_argument(
        "--diameters",
        type=_range,
        metavar="MM-MM",
        help="smallest and largest diameter, such as 20-27",
    )
    parts = ready.add_argument_group("what is kept together, and how it is split")
    parts.add_argument(
        "--validation",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share to judge on while training (default 0.2)",
    )
    parts.add_argument(
        "--test",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share to judge on at the end (default 0)",
    )
    parts.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="another seed makes another split (default 1)",
    )
    parts.add_argument(
        "--group-by",
        choices=("burst", "name", "none"),
        default="burst",
        help="pictures of which the CSV says neither coin_id nor group: kept together if taken in one go (default), if alike in name, or not at all",
    )
    parts.add_argument(
        "--burst-gap-s",
        type=_above_zero,
        default=40.0,
        metavar="S",
        help="one go: last numbers in names, in seconds, so near (default 40)",
    )
    parts.add_argument(
        "--group-pattern",
        default="",
        metavar="REGEX",
        help="alike in name: what is in its brackets, such as '(photo_[0-9]+)'",
    )
    parts.add_argument(
        "--near-bits",
        type=int,
        metavar="N",
        help="near duplicates differ in so many of 256 bits (default 20; -1: there are none)",
    )
    ready.add_argument("--force", action="store_true", help="make a data set that is there anew")
    ready.add_argument("--json", action="store_true", help="print the result for a program")
    ready.set_defaults(command=_prepare)


def _above_zero(words: str) -> float:
    number = float(words)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{words} is not above 0")
    return number


def _range(words: str) -> tuple[float, float]:
    try:
        low, high = map(_above_zero, words.split("-"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{words!r} is not two numbers such as 20-27") from error
    if low > high:
        raise argparse.ArgumentTypeError(f"{words!r}: the smaller one goes first")
    return low, high


def _prepare(options: argparse.Namespace) -> None:
    from coinsorter.training.dataset.prepare import PrepareSettings, prepare_dataset

    near_bits = {} if options.near_bits is None else {"near_bits": options.near_bits}
    settings = PrepareSettings(
        tuple(options.sources),
        options.crops,
        options.join_sides,
        options.px_per_mm,
        options.diameters,
        options.validation,
        options.test,
        options.seed,
        options.group_by,
        options.group_pattern,
        options.burst_gap_s,
        **near_bits,
    )
    command = shlex.join(
        ["coinsorter-train", *(word for word in options.words if word not in ("--json", "--force"))]
    )  # which make no difference
    try:
        made = prepare_dataset(settings, options.out, _bar, command, options.force)
    except OSError as error:
        raise InputError(
            f"{error.filename or options.out}: {error.strerror}; what is finished is kept, the same command goes on from there"
        ) from error
    except KeyboardInterrupt:
        print("coinsorter-train: stopped; the same command goes on where it was", file=sys.stderr)
        raise
    if options.json:
        print(
            json.dumps(
                {
                    "dataset": str(options.out),
                    "looked_at": made.processed or 0,
                    "made": made.processed is not None,
                    **made.manifest,
                }
            )
        )
    else:
        _tell_prepared(options.out, made.manifest, made.processed is not None)


def _tell_prepared(out: Path, facts: dict[str, Any], made: bool) -> None:
    counts = facts["counts"]
    splits = [name for name, share in facts["splits"].items() if share]
    standing = "" if made else "is finished, and nothing has changed; "
    print(
        f"{out}: {standing}{counts['kept']} of {counts['pictures']} images kept, in {counts['groups']} groups"
    )
    width = max(map(len, (*counts["labels"], "label")))
    print(f"  {'label':<{width}}" + "".join(f"{name:>12}" for name in (*splits, "left out")))
    for label, own in counts["labels"].items():
        numbers = (*(own["splits"][name] for name in splits), own["pictures"] - own["kept"])
        print(f"  {label:<{width}}" + "".join(f"{number:>12}" for number in numbers))
    if counts["left_out"]:
        print(
            "left out: "
            + ", ".join(f"{count} {reason}" for reason, count in counts["left_out"].items())
        )
    for warning in facts["warnings"]:
        print(f"note: {warning}")
    print(f"see {out / 'report.html'}")


def _add_evaluate(commands: Any) -> None:
    parser = _add(
        commands,
        "evaluate",
        "how good a bundle is, on pictures whose truth is known",
        EVALUATE,
        EVALUATE_EXAMPLES,
    )
    parser.add_argument(
        "bundle",
        type=Path,
        metavar="BUNDLE",
        help="the model bundle's folder, such as models/crowns",
    )
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="frames with one coin each, in folders named as their labels",
    )
    parser.add_argument(
        "--crops",
        action="store_true",
        help="each picture is one ready crop that its coin fills; judged by its looks alone",
    )
    parser.add_argument(
        "--scale-from",
        type=Path,
        metavar="DIR",
        help="ready crops of known coins, cut at the same scale, which tell DATA's diameters too",
    )
    parser.add_argument(
        "--rotations",
        type=_steps,
        default=0,
        metavar="N",
        help="ask again about each coin turned N times by 360/N degrees (default: 0)",
    )
    parser.add_argument(
        "--damage",
        action="store_true",
        help="ask again about each coin with damage drawn onto it (synthetic)",
    )
    _add_out(parser, "evaluation")
    parser.set_defaults(command=_evaluate)


def _add_features(commands: Any) -> None:
    parser = _add(
        commands,
        "features",
        "measures of coins that a person can read, and a plain classifier on them",
        FEATURES,
        FEATURES_EXAMPLES,
    )
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="frames with one coin each, in folders named as their labels",
    )
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="a bundle whose view gives sizes in mm; folders that it has no label for are foreign",
    )
    parser.add_argument(
        "--crops",
        action="store_true",
        help="each picture is one ready crop that its coin fills; then there are no sizes",
    )
    parser.add_argument(
        "--test",
        type=Path,
        metavar="DATA2",
        help="train on DATA and judge on DATA2, instead of burst by burst within DATA",
    )
    parser.add_argument(
        "--svm",
        type=Path,
        metavar="FILE",
        help="train a one-class SVM on the coins, save it with joblib, and list its score",
    )
    burst = "pictures of one folder no further apart, by the last number in their names, show one coin (default: 40); 0: each shows another"
    parser.add_argument("--burst-s", type=_seconds, default=40.0, metavar="S", help=burst)
    _add_out(parser, "features")
    parser.set_defaults(command=_features)


def _add_out(parser: argparse.ArgumentParser, name: str) -> None:
    out = f"folder of the report; an earlier report there is replaced when all is done (default: {name})"
    parser.add_argument("--out", type=Path, default=Path(name), metavar="DIR", help=out)
    parser.add_argument(
        "--json",
        action="store_true",
        help="print what metrics.json says instead of a summary, for programs",
    )


def _steps(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 360:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 360")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 up")
    return seconds


def _evaluate(options: argparse.Namespace) -> None:
    from coinsorter.training.evaluation.evaluate import (
        EvaluationSettings,
        evaluate,
        summarize_evaluation,
    )

    asked = EvaluationSettings(
        options.bundle,
        options.data,
        options.crops,
        options.rotations,
        options.damage,
        options.scale_from,
    )
    result = evaluate(asked, options.out, _bar)
    print(
        json.dumps(result)
        if options.json
        else f"{options.out / 'report.html'}: {summarize_evaluation(result)}"
    )


def _features(options: argparse.Namespace) -> None:
    from coinsorter.training.features.feature_report import (
        FeatureSettings,
        describe_features,
        summarize_features,
    )

    wanted = FeatureSettings(
        options.data, options.bundle, options.crops, options.test, options.svm, options.burst_s
    )
    result = describe_features(wanted, options.out, _bar)
    print(
        json.dumps(result)
        if options.json
        else f"{options.out / 'report.html'}: {summarize_features(result)}"
    )


def _bundle(options: argparse.Namespace) -> None:
    from coinsorter.training import recipe
    from coinsorter.training.dataset.dataset import Dataset
    from coinsorter.training.train import make

    _check_apart(options.out, *options.data, options.anomalies)
    if options.recipe and options.diameters:
        raise InputError("--diameters are the recipe's to say; name one of them")
    if options.recipe:
        recipe_ = recipe.load(options.recipe, options.set)
    elif len(options.data) == 1:
        recipe_ = recipe.unwritten(
            Dataset.load(options.data[0], check=False),
            options.diameters,
            _name(options.out),
            options.set,
        )
    else:
        raise InputError("name a --recipe, or one data set that `coinsorter-train prepare` made")
    try:
        facts = make(recipe_, options.data, options.out, _bar, options.anomalies)
    except OSError as error:
        raise InputError(
            f"{options.out}: cannot be written: {error.strerror}; nothing was changed there"
        ) from error
    print(
        f"{options.out}: {len(facts.labels)} labels, {sum(facts.training['bytes'].values()) / 1e6:.2f} MB of networks"
    )
    accuracy = facts.training["held_out_accuracy"]
    print(
        "held-out coins named rightly, from pictures alone: "
        + ", ".join(f"{100 * share:.2f} % ({name})" for name, share in accuracy.items())
    )
    print(_promise(facts))


def _promise(facts: Any) -> str:
    """What a bundle's limits promise, and what its sample proves."""
    proof = facts.budget
    return (
        f"limits: {proof['held_out_accepted']} of {proof['held_out']} held-out coins accepted, {proof['held_out_wrong']} wrongly: at most "
        f"{100 * proof['wrong_at_most_95']:.3g} % at 95 %, budget {100 * proof['wrong']:g} %: {'proven' if proof['proven'] else 'the sample is too small to prove it'}"
    )


def _check_apart(out: Path, *given: Path | None) -> None:
    """Raises InputError where what is to be written would replace, or lie in, what is to be read."""
    own = out.resolve()
    for path in given:
        other = path and path.resolve()
        if other and (own == other or own in other.parents or other in own.parents):
            raise InputError(
                f"--out {out}: would replace or lie in {path}, which is only to be read; name another folder"
            )


def _name(out: Path) -> str:
    """A bundle's name from its folder's: what may be in one, in small letters."""
    return re.sub("[^a-z0-9_-]", "-", out.resolve().name.lower()).strip("-_") or "coins"


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error; where that is no terminal, a line when the work is done."""
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[word]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total, word="")

        def tell(done: int, figures: dict[str, float] | None = None) -> None:
            word = " ".join(f"{name} {value:.4f}" for name, value in (figures or {}).items())
            progress.update(task, completed=done, word=word)
            if not console.is_terminal and (figures or done == total):
                print(f"{what} {done}/{total} {word}".rstrip(), file=sys.stderr, flush=True)

        yield tell
