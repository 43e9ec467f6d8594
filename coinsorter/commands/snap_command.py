"""coinsorter snap: one frame of the camera, with the circles that are detected in it."""

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from coinsorter.commands._inputs import load_matching_bundle
from coinsorter.commands._options import (
    Subparsers,
    add_command,
    add_config_option,
    add_force_option,
    add_json_option,
)
from coinsorter.config.load import load_config
from coinsorter.config.schema import Config
from coinsorter.escape import print_clean
from coinsorter.files.locks import CAPTURING
from coinsorter.files.ownership import Claim, check_file, recognize_mark
from coinsorter.hardware.camera.open_camera import open_camera
from coinsorter.hardware.machine_lock import lock_camera
from coinsorter.images.image_io import write_image
from coinsorter.records import Circle
from coinsorter.sorting.assembly import build_search
from coinsorter.tools import capture
from coinsorter.vision.scale import ScalePlane

DETAILS = (
    "Takes one frame and draws into it what is detected: green lies alone, red does not. "
    "Stop the service first: the camera serves one program."
)
#: By this mark an earlier snapshot is known.
MAKER = "snap"


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter snap`."""
    summary = "one frame of the camera, with what is detected in it"
    parser = add_command(commands, "snap", _run_snap, summary, DETAILS)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("snap.jpg"),
        metavar="FILE",
        help="where the image goes (default: snap.jpg)",
    )
    add_force_option(parser)
    parser.add_argument("--plain", action="store_true", help="draw nothing into it")
    add_config_option(parser)
    add_json_option(parser, "what is detected")


def _run_snap(options: argparse.Namespace) -> None:
    settings = load_config(options.config)
    claim = _make_claim(options)
    check_file(options.out, claim)  # before the camera is opened
    snapshot = _take_snapshot(options, settings)
    image = snapshot.frame.pixels if options.plain else snapshot.annotated
    write_image(options.out, image, claim, MAKER)
    if options.json:
        _print_json(options.out, snapshot.circles, settings.scale)
    else:
        _print_lines(options.out, snapshot.circles, settings.scale)


def _make_claim(options: argparse.Namespace) -> Claim:
    return Claim(
        recognize_mark(MAKER),
        "name another file with --out",
        inputs=(options.config,),
        force=options.force,
    )


def _take_snapshot(options: argparse.Namespace, settings: Config) -> capture.Snapshot:
    bundle = load_matching_bundle(settings, options.config)
    search = build_search(bundle, settings.scale)
    base = options.config.parent
    with (
        lock_camera(settings, base, CAPTURING),
        closing(open_camera(settings.camera, base)) as camera,
    ):
        return capture.take_snapshot(camera, search, settings.scale)


def _print_json(path: Path, circles: list[Circle], scale: ScalePlane) -> None:
    rows = [
        asdict(circle) | {"diameter_mm": scale.measure_diameter_mm(circle)} for circle in circles
    ]
    print(json.dumps({"picture": str(path), "found": rows}))


def _print_lines(path: Path, circles: list[Circle], scale: ScalePlane) -> None:
    for circle in circles:
        alone = "alone" if circle.alone else "not alone"
        where = f"at {circle.x_px:.0f}, {circle.y_px:.0f}"
        size = f"{scale.measure_diameter_mm(circle):.2f} mm"
        shape = f"roundness {circle.roundness:.3f}, quality {circle.quality:.2f}"
        print_clean(f"{where}: {size}, {alone}, {shape}")
    print_clean(f"{path}: {len(circles)} things found")
