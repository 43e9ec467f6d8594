"""coinsorter replay: the recognition, run on images instead of the camera."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console

from coinsorter.commands._options import (
    Subparsers,
    add_bundle_option,
    add_command,
    add_force_option,
    add_interpreter_option,
    add_json_option,
)
from coinsorter.commands._printing import print_totals, show_progress
from coinsorter.config.load import load_config
from coinsorter.config.schema import Config, RuntimeSettings
from coinsorter.errors import InputError
from coinsorter.escape import print_clean
from coinsorter.files.atomic import check_output, write_file
from coinsorter.files.ownership import Claim, recognize_start
from coinsorter.images.image_folder import describe_passed_over
from coinsorter.recognition.bundle import Bundle, load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime

DETAILS = (
    "Each image shows one coin; the name of its folder is its label. Coins in folders whose names "
    "the bundle does not know are foreign: right when rejected. Images are taken in the order of "
    "the last number in their names. With --belt the images are a recording of the moving belt, "
    "and the whole machine runs on them with mock pins."
)
#: How files of events begin: of images, and of coins.
EVENT_STARTS = (b'{"path": ', b'{"id": 1, "run": 1, "coin": ')
#: The result, for `--json` or a table; and a row for each image or coin.
Result = tuple[dict[str, Any], list[dict[str, Any]]]


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter replay`."""
    summary = "run the recognition on images instead of the camera"
    parser = add_command(commands, "replay", _run_replay, summary, DETAILS)
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="images, in folders named as their labels"
    )
    add_bundle_option(parser, "the model bundle")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings: view scale, acceptance, runtime (default: the bundle's own)",
    )
    add_interpreter_option(parser)
    parser.add_argument(
        "--no-follow",
        action="store_true",
        help="keep the view's scale as it is; do not follow its drift",
    )
    _add_recording_options(parser)
    add_json_option(parser, "the result")


def _add_recording_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--belt",
        action="store_true",
        help="the images are frames of the moving belt, one after the other",
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="write one JSON line per image (with --belt: per coin)",
    )
    add_force_option(parser)


def _run_replay(options: argparse.Namespace) -> None:
    from coinsorter.images.image_io import scan_images

    settings, bundle = _load(options)
    claim = _make_claim(options)
    if options.events:
        check_output(options.events, claim)
    scan = scan_images(options.folder)
    paths = scan.images
    runtime_settings = settings.runtime if settings else RuntimeSettings()
    interpreter = pick_runtime(options.interpreter or runtime_settings.interpreter)
    if options.belt and settings:
        result, events = _replay_belt(settings, bundle, interpreter, paths)
    else:
        result, events = _replay_images(options, settings, bundle, interpreter, paths)
    if options.events:
        _write_lines(options.events, events, claim)
    passed_over = dict(sorted(scan.passed_over.items()))
    origin = {"runtime": interpreter, "bundle_hash": bundle.digest}
    _print_result(options, {**result, "passed_over": passed_over, **origin})


def _make_claim(options: argparse.Namespace) -> Claim:
    claim = Claim(
        recognize_start(*EVENT_STARTS), "name another file with --events", force=options.force
    )
    return claim.spare(options.folder, options.config, options.bundle)


def _load(options: argparse.Namespace) -> tuple[Config | None, Bundle]:
    """The settings, None where only the bundle's own are wanted; and the bundle."""
    path = options.config or Path("config.yaml")
    if options.bundle and not options.config and not options.belt:
        return None, load_bundle(options.bundle)
    settings = load_config(path)
    return settings, load_bundle(options.bundle or path.parent / settings.runtime.bundle)


def _replay_belt(settings: Config, bundle: Bundle, interpreter: str, paths: list[Path]) -> Result:
    from coinsorter.tools.belt_replay import replay_belt

    with tempfile.TemporaryDirectory(prefix="coinsorter-replay-") as folder:
        ledger_path = Path(folder) / "ledger.db"
        return replay_belt(settings, bundle, interpreter, paths, ledger_path)


def _replay_images(
    options: argparse.Namespace,
    settings: Config | None,
    bundle: Bundle,
    interpreter: str,
    paths: list[Path],
) -> Result:
    from coinsorter.tools.image_replay import Replay
    from coinsorter.tools.replay_summary import make_event, summarize

    runtime_settings = settings.runtime if settings else RuntimeSettings()
    threads, turns = runtime_settings.threads, runtime_settings.turns_per_crop
    cv2.setNumThreads(threads)
    classifier = Classifier(bundle, interpreter, threads, turns)
    classifier.check_golden_crops()
    replay = Replay(bundle, classifier, settings, not options.no_follow)
    with show_progress("replaying", len(paths), options.json) as advance:
        results, unreadable = replay.replay_images(paths, options.folder, advance)
    if not results:
        raise InputError(f"{options.folder}: none of its {len(paths)} images can be read")
    summary = summarize(results, bundle, unreadable)
    return summary, [make_event(result) for result in results]


def _write_lines(path: Path, rows: list[dict[str, Any]], claim: Claim) -> None:
    with write_file(path, claim) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _print_result(options: argparse.Namespace, result: dict[str, Any]) -> None:
    from coinsorter.tools.replay_summary import print_summary

    if options.json:
        print(json.dumps(result))
        return
    if options.belt:
        print_totals(result)
    else:
        print_summary(result, Console())
    passed_over = describe_passed_over(result["passed_over"])
    if passed_over:
        print_clean(f"passed over, as no images: {passed_over}")
