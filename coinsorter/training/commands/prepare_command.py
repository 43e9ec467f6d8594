"""coinsorter-train prepare: a data set from images of coins."""

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coinsorter.commands._options import Subparsers
from coinsorter.commands.option_values import read_positive_number
from coinsorter.errors import InputError
from coinsorter.escape import print_clean
from coinsorter.images.image_folder import describe_passed_over
from coinsorter.training.commands._training_options import (
    add_command,
    add_label_level_option,
    add_worker_options,
)
from coinsorter.training.progress import show_progress

if TYPE_CHECKING:
    from coinsorter.training.dataset.prepare import PrepareSettings

DESCRIPTION = """\
Finds the coin in each image as the machine does, cuts it out, leaves out what
is no good (with a reason each), and splits the rest so that no photograph,
burst or coin is in two splits. Its sources are only read. Stopped, the same
command goes on where it was."""
EXAMPLES = """\
examples:
  photographs/10c/*.jpg, photographs/20c/*.jpg ...:
    coinsorter-train prepare photographs --out coins
  ready crops of both faces of each coin, listed in a CSV in the ZIP with the
  columns path,label,side,coin_id:
    coinsorter-train prepare collection.zip --crops --join-sides --test 0.1 --out coins
then open coins/report.html"""
#: Options that make no difference to the data set, and are left out of the command in its report.
UNRECORDED_OPTIONS = ("--json", "--force")
#: The same of options that a value follows.
UNRECORDED_VALUES = ("--jobs", "--cluster")


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter-train prepare`."""
    summary = "make a data set from images of coins"
    parser = add_command(commands, "prepare", _run_prepare, summary, DESCRIPTION, EXAMPLES)
    _add_source_options(parser)
    _add_size_options(parser)
    splits = parser.add_argument_group("what is kept together, and how it is split")
    _add_split_options(splits)
    _add_grouping_options(splits)
    add_worker_options(parser, "images")
    parser.add_argument(
        "--force", action="store_true", help="replace a data set that is there already"
    )
    parser.add_argument("--json", action="store_true", help="print the result for a program")


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="a folder with folders named as labels; a CSV with "
        "path,label[,side,coin_id,group]; a ZIP of either",
    )
    add_label_level_option(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DATASET",
        help="folder of the data set; its report.html shows what became of each image",
    )
    _add_crop_options(parser)


def _add_crop_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--crops", action="store_true", help="the images are ready crops, each filled by one coin"
    )
    parser.add_argument(
        "--join-sides",
        action="store_true",
        help="make one image of a coin's obverse and reverse (CSV columns side and coin_id)",
    )


def _add_size_options(parser: argparse.ArgumentParser) -> None:
    size = parser.add_argument_group(
        "how large coins are in the images (by default 4 to 48 % of the shorter edge in radius)"
    )
    size.add_argument(
        "--px-per-mm", type=read_positive_number, metavar="N", help="pixels per millimetre"
    )
    size.add_argument(
        "--diameters",
        type=_read_range,
        metavar="MM-MM",
        help="smallest and largest diameter, such as 20-27",
    )


def _add_split_options(splits: argparse._ArgumentGroup) -> None:
    splits.add_argument(
        "--validation",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share to choose networks by while training (default 0.2)",
    )
    splits.add_argument(
        "--test",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share to evaluate on at the end (default 0)",
    )
    splits.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="another seed makes another split (default 1)",
    )


def _add_grouping_options(splits: argparse._ArgumentGroup) -> None:
    splits.add_argument(
        "--group-by",
        choices=("burst", "name", "none"),
        default="burst",
        help="images of which the CSV has neither coin_id nor group: kept together if taken in "
        "one burst (default), if alike in name, or not at all",
    )
    splits.add_argument(
        "--burst-gap-s",
        type=read_positive_number,
        default=40.0,
        metavar="S",
        help="one burst: times in names, or their last numbers in seconds, so near (default 40)",
    )
    _add_similarity_options(splits)


def _add_similarity_options(splits: argparse._ArgumentGroup) -> None:
    splits.add_argument(
        "--group-pattern",
        default="",
        metavar="REGEX",
        help="alike in name: what is in its brackets, such as '(photo_[0-9]+)'",
    )
    splits.add_argument(
        "--near-bits",
        type=int,
        metavar="N",
        help="near duplicates differ in so many of 256 bits (default 20; -1: there are none)",
    )


def _read_range(text: str) -> tuple[float, float]:
    try:
        low, high = map(read_positive_number, text.split("-"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not two numbers such as 20-27") from error
    if low > high:
        raise argparse.ArgumentTypeError(f"{text!r}: the smaller one goes first")
    return low, high


def _run_prepare(options: argparse.Namespace) -> None:
    from coinsorter.training.dataset.prepare import prepare_dataset
    from coinsorter.training.parallel import open_workers

    command = _quote_command(options.words)
    settings = _make_settings(options)
    try:
        with open_workers(options.jobs, options.cluster, options.sources) as workers:
            prepared = prepare_dataset(
                settings, options.out, show_progress, command, options.force, workers
            )
    except OSError as error:
        raise InputError(
            f"{error.filename or options.out}: {error.strerror}; "
            "what is finished is kept, the same command goes on from there"
        ) from error
    except KeyboardInterrupt:
        print("coinsorter-train: stopped; the same command goes on where it was", file=sys.stderr)
        raise
    if options.json:
        _print_json(options.out, prepared.manifest, prepared.processed)
    else:
        _print_summary(options.out, prepared.manifest, prepared.processed is not None)


def _make_settings(options: argparse.Namespace) -> "PrepareSettings":
    from coinsorter.training.dataset.prepare import PrepareSettings

    settings = PrepareSettings(
        sources=tuple(options.sources),
        crops=options.crops,
        join_sides=options.join_sides,
        px_per_mm=options.px_per_mm,
        diameters_mm=options.diameters,
        validation=options.validation,
        test=options.test,
        seed=options.seed,
        group_by=options.group_by,
        group_pattern=options.group_pattern,
        burst_gap_s=options.burst_gap_s,
        label_level=options.label_level,
    )
    if options.near_bits is None:
        return settings
    return replace(settings, near_bits=options.near_bits)


def _quote_command(words: list[str]) -> str:
    """The command as it was typed, for the report."""
    recorded = ["coinsorter-train"]
    for before, word in zip(["", *words], words):
        is_value = before in UNRECORDED_VALUES
        name = word.split("=")[0]
        if not is_value and name not in (*UNRECORDED_OPTIONS, *UNRECORDED_VALUES):
            recorded.append(word)
    return shlex.join(recorded)


def _print_json(out: Path, manifest: dict[str, Any], processed: int | None) -> None:
    result = {
        "dataset": str(out),
        "looked_at": processed or 0,
        "made": processed is not None,
        **manifest,
    }
    print(json.dumps(result))


def _print_summary(out: Path, manifest: dict[str, Any], is_new: bool) -> None:
    counts = manifest["counts"]
    standing = "" if is_new else "is finished, and nothing has changed; "
    print_clean(
        f"{out}: {standing}{counts['kept']} of {counts['pictures']} images kept, "
        f"in {counts['groups']} groups"
    )
    splits = [name for name, share in manifest["splits"].items() if share]
    _print_labels(counts["labels"], splits)
    if counts["left_out"]:
        reasons = [f"{count} {reason}" for reason, count in counts["left_out"].items()]
        print_clean(f"left out: {', '.join(reasons)}")
    passed_over = describe_passed_over(manifest.get("passed_over", {}))
    if passed_over:
        print_clean(f"passed over, as no images: {passed_over}")
    for warning in manifest["warnings"]:
        print_clean(f"note: {warning}")
    print_clean(f"see {out / 'report.html'}")


def _print_labels(labels: dict[str, Any], splits: list[str]) -> None:
    """A line for each label: how many images are in each split, and how many are left out."""
    width = max(len(name) for name in (*labels, "label"))
    _print_row("label", width, [*splits, "left out"])
    for name, counts in labels.items():
        numbers = [counts["splits"][split] for split in splits]
        _print_row(name, width, [*numbers, counts["pictures"] - counts["kept"]])


def _print_row(name: str, width: int, cells: list[Any]) -> None:
    print_clean(f"  {name:<{width}}" + "".join(f"{cell:>12}" for cell in cells))
