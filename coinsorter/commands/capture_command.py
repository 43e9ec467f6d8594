"""coinsorter snap, capture, watch: what the machine sees, and what it does."""

import argparse
import json
import re
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from coinsorter import config
from coinsorter.commands._options import (
    add_command,
    add_config,
    add_json,
    bundle_for,
    count,
    progress,
)
from coinsorter.hardware.camera.open_camera import open_camera
from coinsorter.sorting.assembly import build_search
from coinsorter.tools import capture, status

EVERY_S = 1.0


def add(commands: Any) -> None:
    details = "Takes one picture and draws what it finds in it: green lies alone, red does not. Stop the service first: the camera serves one program."
    parser = add_command(commands, "snap", _snap, "one picture, with what is found in it", details)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("snap.jpg"),
        metavar="FILE",
        help="where the picture goes (default: snap.jpg)",
    )
    parser.add_argument("--plain", action="store_true", help="draw nothing into it")
    add_config(parser)
    add_json(parser, "what was found")
    details = (
        "Coins of one label ride by, flaps at rest; of each that lies alone the whole picture in which it is sharpest is kept, in a folder named as "
        "the label, as `coinsorter-train` wants it. Ends after --coins, or with Ctrl-C. Stop the service first."
    )
    parser = add_command(commands, "capture", _capture, "collect pictures to train with", details)
    parser.add_argument(
        "--label",
        required=True,
        type=_label,
        metavar="X",
        help="what the coins are; the folder's name",
    )
    parser.add_argument(
        "--coins", type=count, default=100, metavar="N", help="how many pictures (default: 100)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("captured"),
        metavar="DIR",
        help="where the label's folder goes (default: captured)",
    )
    add_config(parser)
    add_json(parser, "what was kept")
    details = "Shows the ledger's counts and its last coins, again every second, until Ctrl-C; beside the running service, without touching it."
    parser = add_command(commands, "watch", _watch, "what the machine is doing", details)
    parser.add_argument("--once", action="store_true", help="show it once")
    add_config(parser)
    add_json(parser, "it once")


def _label(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot name a folder; take letters, digits, - _ and ."
        )
    return text


def _snap(options: argparse.Namespace) -> None:
    settings = config.load(options.config)
    models = bundle_for(settings, options.config)
    with closing(open_camera(settings.camera, options.config.parent)) as camera:
        frame, circles, picture = capture.snap(
            camera, build_search(models, settings.scale), settings.scale
        )
    capture.write(options.out, frame.pixels if options.plain else picture)
    if options.json:
        found = [
            asdict(circle) | {"diameter_mm": settings.scale.diameter_mm(circle)}
            for circle in circles
        ]
        print(json.dumps({"picture": str(options.out), "found": found}))
        return
    for circle in circles:
        alone = "alone" if circle.alone else "not alone"
        where = f"at {circle.x_px:.0f}, {circle.y_px:.0f}"
        print(
            f"{where}: {settings.scale.diameter_mm(circle):.2f} mm, {alone}, roundness {circle.roundness:.3f}, quality {circle.quality:.2f}"
        )
    print(f"{options.out}: {len(circles)} things found")


def _capture(options: argparse.Namespace) -> None:
    settings = config.load(options.config)
    models = bundle_for(settings, options.config)
    tracker = capture.tracker(
        settings.scale, settings.belt.speed_mm_s, 1 / settings.camera.frames_per_s
    )
    folder, kept = options.out / options.label, 0
    with (
        closing(open_camera(settings.camera, options.config.parent)) as camera,
        progress("capturing", options.coins, options.json) as advance,
    ):
        kept_coins = capture.Capture(camera, tracker, build_search(models, settings.scale), folder)
        try:
            for kept, _ in enumerate(kept_coins, 1):
                advance(kept)
                if kept >= options.coins:
                    break
        except KeyboardInterrupt:
            pass  # enough, somebody says
    if options.json:
        print(json.dumps({"folder": str(folder), "kept": kept, "left_out": kept_coins.left_out}))
    else:
        print(
            f"{folder}: {kept} pictures kept; {kept_coins.left_out} things did not lie alone or were not round"
        )


def _watch(options: argparse.Namespace) -> None:
    path = options.config.parent / config.load(options.config).ledger.path
    if options.json:
        print(json.dumps(status.glance(path)))
    elif options.once:
        Console().print(status.shown(status.glance(path)))
    else:
        with Live(status.shown(status.glance(path)), refresh_per_second=2) as live:
            while True:
                time.sleep(EVERY_S)
                live.update(status.shown(status.glance(path)))
