"""coinsorter replay: the recognition, or the whole machine, on pictures."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console

from coinsorter import config
from coinsorter.commands._options import (
    add_bundle,
    add_command,
    add_json,
    progress,
    show_totals,
    whole_file,
)
from coinsorter.config import Config
from coinsorter.errors import InputError
from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier


def add(commands: Any) -> None:
    details = (
        "Each picture shows one coin; the name of the folder it lies in is its label, and folders whose names the bundle does not know "
        "are foreign: right when rejected. Pictures are taken in the order of the last number in their names. With --belt the pictures "
        "are a recording of the moving belt, and the whole machine runs on them with mock pins."
    )
    parser = add_command(
        commands,
        "replay",
        _replay,
        "run the recognition on pictures instead of the camera",
        details,
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="pictures, in folders named as their labels"
    )
    add_bundle(parser, "the model bundle")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings: view scale, acceptance, runtime (default: the bundle's own)",
    )
    parser.add_argument(
        "--interpreter",
        choices=["auto", runtime.LITERT, runtime.TFLITE_RUNTIME],
        help="which runtime to use",
    )
    parser.add_argument(
        "--no-follow",
        action="store_true",
        help="keep the view's scale as it is; do not follow its drift",
    )
    parser.add_argument(
        "--belt",
        action="store_true",
        help="the pictures are frames of the moving belt, one after the other",
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="write one JSON line per picture (with --belt: per coin)",
    )
    add_json(parser, "the result")


def _replay(options: argparse.Namespace) -> int:
    from coinsorter.hardware.camera.open_camera import picture_paths
    from coinsorter.tools import image_replay

    config_path = options.config or Path("config.yaml")
    settings = (
        config.load(config_path) if options.config or options.belt or not options.bundle else None
    )
    models = bundle.load(options.bundle or config_path.parent / settings.runtime.bundle)  # type: ignore[union-attr]
    paths = picture_paths(options.folder)
    chosen = settings.runtime if settings else config.Runtime()
    interpreter = runtime.pick(options.interpreter or chosen.interpreter)
    if options.belt:
        result, events = _replay_belt(settings, models, interpreter, paths)  # type: ignore[arg-type]
    else:
        cv2.setNumThreads(chosen.threads)
        classifier = Classifier(models, interpreter, chosen.threads, chosen.turns_per_crop)
        classifier.self_test()
        pipeline = image_replay.Replay(models, classifier, settings, not options.no_follow)
        with progress("replaying", len(paths), options.json) as advance:
            results, unreadable = pipeline.replay_images(paths, options.folder, advance)
        if not results:
            raise InputError(f"{options.folder}: none of its {len(paths)} pictures can be read")
        result = image_replay.summarize(results, models, unreadable)
        events = [image_replay.make_event(r) for r in results]
    if options.events:
        _write_lines(options.events, events)
    if options.json:
        print(json.dumps({**result, "runtime": interpreter}))
    elif options.belt:
        show_totals(result)
    else:
        image_replay.print_summary(result, Console())
    return 0


def _replay_belt(
    settings: Config, models: Bundle, interpreter: str, paths: list[Path]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from coinsorter.tools import image_replay

    with tempfile.TemporaryDirectory(prefix="coinsorter-replay-") as folder:
        return image_replay.replay_belt(
            settings, models, interpreter, paths, Path(folder) / "ledger.db"
        )


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines, the whole file or none."""
    with whole_file(path, "--events") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
