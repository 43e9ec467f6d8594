"""coinsorter capture: frames of coins that ride by, to train with."""

import argparse
import json
import re
from contextlib import closing
from pathlib import Path

from coinsorter.commands._inputs import load_matching_bundle
from coinsorter.commands._options import Subparsers, add_command, add_config_option, add_json_option
from coinsorter.commands._printing import show_progress
from coinsorter.commands.option_values import read_count
from coinsorter.config.load import load_config
from coinsorter.escape import print_clean
from coinsorter.files.locks import CAPTURING
from coinsorter.hardware.camera.open_camera import open_camera
from coinsorter.hardware.machine_lock import lock_camera
from coinsorter.sorting.assembly import build_search
from coinsorter.tools.capture import BeltView, CoinCapture, make_frame_tracker

DETAILS = (
    "Coins of one label ride by, flaps at rest. Of each that lies alone, the frame in which it is "
    "sharpest is saved in a folder named as the label, as `coinsorter-train` wants it. "
    "Ends after --coins, or with Ctrl-C. Stop the service first."
)


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter capture`."""
    summary = "collect images to train with"
    parser = add_command(commands, "capture", _run_capture, summary, DETAILS)
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument(
        "--label",
        type=_read_label,
        metavar="X",
        help="what the coins are; the folder's name",
    )
    subject.add_argument(
        "--foreign",
        type=_read_label,
        metavar="KIND",
        help="what is no coin of yours rides by, of any shape, such as washers: for "
        "`coinsorter-train bundle --foreign`",
    )
    parser.add_argument(
        "--coins", type=read_count, default=100, metavar="N", help="how many images (default: 100)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the folder goes (default: captured, or foreign for --foreign)",
    )
    parser.add_argument(
        "--group",
        type=_read_group,
        metavar="X",
        help="these coins belong together, such as one coin that rides by again and again: "
        "`coinsorter-train prepare` never trains on some and judges on others of them "
        "(default: each is another coin)",
    )
    add_config_option(parser)
    add_json_option(parser, "what was saved")


def _read_label(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot name a folder; take letters, digits, - _ and ."
        )
    return text


def _read_group(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,40}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be in a file's name; take letters, digits, - and ."
        )
    return text


def _run_capture(options: argparse.Namespace) -> None:
    default = "foreign" if options.foreign else "captured"
    folder = (options.out or Path(default)) / (options.foreign or options.label)
    saved, skipped = _capture_coins(options, folder)
    if options.json:
        print(json.dumps({"folder": str(folder), "kept": saved, "left_out": skipped}))
        return
    fault = "could not be followed" if options.foreign else "did not lie alone or were not round"
    print_clean(f"{folder}: {saved} images saved; {skipped} things {fault}")


def _capture_coins(options: argparse.Namespace, folder: Path) -> tuple[int, int]:
    """How many images were saved, and how many things were skipped."""
    settings = load_config(options.config)
    bundle = load_matching_bundle(settings, options.config)
    search = build_search(bundle, settings.scale)
    frame_s = 1 / settings.camera.frames_per_s
    tracker = make_frame_tracker(settings.scale, settings.belt.speed_mm_s, frame_s)
    saved = 0
    with (
        lock_camera(settings, options.config.parent, CAPTURING),
        closing(open_camera(settings.camera, options.config.parent)) as camera,
        show_progress("capturing", options.coins, options.json) as advance,
    ):
        view = BeltView(camera, tracker, search)
        any_shape = options.foreign is not None
        coin_capture = CoinCapture(view, folder, options.group or "", any_shape=any_shape)
        try:
            for saved, _ in enumerate(coin_capture.save_images(), 1):
                advance(saved)
                if saved >= options.coins:
                    break
        except KeyboardInterrupt:
            pass  # Ctrl-C ends a capture as --coins does
    return saved, coin_capture.skipped
