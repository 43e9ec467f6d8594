"""coinsorter calibrate: the machine's own numbers for config.yaml."""

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from math import nan
from pathlib import Path
from typing import Any

from coinsorter import config
from coinsorter.commands._options import (
    add_bundle,
    add_command,
    add_config,
    add_json,
    bundle_for,
    count,
    known_bins,
    progress,
    whole_file,
)
from coinsorter.config import Config
from coinsorter.errors import InputError
from coinsorter.recognition import bundle
from coinsorter.records import Coin
from coinsorter.sorting.assembly import build_search
from coinsorter.sorting.ports import Camera
from coinsorter.tools import calibrate_belt
from coinsorter.tools.calibrate_belt import Place, Travel
from coinsorter.vision.detect import Search
from coinsorter.vision.track import BeltTracker


def add(commands: Any) -> None:
    what = "Measure the machine's own numbers for config.yaml."
    actions = commands.add_parser(
        "calibrate", help="measure the machine's own numbers", description=what
    ).add_subparsers(title="actions", metavar="ACTION", required=True)
    details = (
        "Each picture shows one coin and lies in a folder named as its label; a dozen coins or more, all over the view, also near its "
        "corners. Prints what belongs into config.yaml; with --write it is put there, and everything else in the file stays as it is."
    )
    parser = add_command(
        actions,
        "view",
        _calibrate_view,
        "the camera's scale plane, from coins of known size",
        details,
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="the camera's pictures, in folders named as their labels",
    )
    add_bundle(parser, "the bundle that knows the coins' diameters")
    parser.add_argument(
        "--px-per-mm",
        type=_number(0.5, 50),
        metavar="N",
        help="about the scale there is, where the camera was moved far (default: config.yaml's)",
    )
    parser.add_argument("--write", action="store_true", help="put the numbers into config.yaml")
    add_config(parser)
    add_json(parser, "the result")
    details = (
        "Coins ride by under the camera, flaps at rest. Prints the belt's speed and how even it is; with --write config.yaml gets both. With BIN it "
        "also finds where that bin's flap is: the flap opens, you lay coins onto the belt one by one, the next when the last has fallen, and the "
        "bin's drop sensor (flap.drop_pin) tells when each did. `coinsorter calibrate belt bit_10 --fall-mm 60` does so for a sensor 60 mm below "
        "the belt, and proposes flap.distance_mm and flap.drop_ms. The flap is at rest again at the end, and after Ctrl-C. Calibrate the view and the "
        "flaps first. Stop the service first: camera and pins serve one program."
    )
    parser = add_command(
        actions,
        "belt",
        _calibrate_belt,
        "the belt's speed, and with BIN how far a flap is, from coins that ride by",
        details,
    )
    parser.add_argument(
        "bins",
        nargs="*",
        metavar="BIN",
        help="which flaps, one after the other (default: none, the belt's speed alone)",
    )
    parser.add_argument(
        "--fall-mm",
        type=_number(5, 1000),
        metavar="MM",
        help="how far below the belt the bins' sensors look, by a ruler; needed with BIN",
    )
    parser.add_argument(
        "--coins",
        type=count,
        default=20,
        metavar="N",
        help="how many coins are measured, for each BIN (default: 20)",
    )
    _add_write(parser)
    details = (
        "One flap after the other: type +20 or -20 to turn it by microseconds, `rest` or `open` to take where it stands for that, `next` for the "
        "next flap. With --write config.yaml gets what was found. Stop the service first: a pin serves one program."
    )
    parser = add_command(
        actions, "flaps", _calibrate_flaps, "where each flap rests and opens, by hand", details
    )
    parser.add_argument("bins", nargs="*", metavar="BIN", help="which flaps (default: all)")
    _add_write(parser)


def _add_write(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", action="store_true", help="put the numbers into config.yaml")
    add_config(parser)
    add_json(parser, "the result")


def _number(low: float, high: float) -> Callable[[str], float]:
    """Reads a number in these bounds, for argparse."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = nan
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return number

    return read


def _calibrate_view(options: argparse.Namespace) -> None:
    from coinsorter.hardware.camera.open_camera import picture_paths
    from coinsorter.tools import calibrate_view

    settings = config.load(options.config)
    models = bundle.load(options.bundle or options.config.parent / settings.runtime.bundle)
    rough = (
        replace(settings.scale, px_per_mm=options.px_per_mm)
        if options.px_per_mm
        else settings.scale
    )
    paths = picture_paths(options.folder)
    with progress("measuring", len(paths), options.json) as advance:
        found = calibrate_view.view(paths, models, rough, advance)
    plane = found.plane
    numbers = {
        "px_per_mm": round(plane.px_per_mm, 4),
        "tilt_along_percent": round(100 * plane.tilt_along, 2),
        "tilt_across_percent": round(100 * plane.tilt_across, 2),
        "barrel_percent": round(100 * plane.barrel, 2),
    }
    left_out = {str(path): why for path, why in found.left_out.items()}
    facts = {
        **numbers,
        "coins": found.coins,
        "scatter": found.scatter,
        "known_to": found.known_to,
        "left_out": left_out,
    }
    summary = f"{found.coins} coins; one diameter is off by {100 * found.scatter:.1f} % (standard deviation), the scale by {100 * found.known_to:.1f} % at most"
    _finish(
        options,
        _of_belt(numbers),
        facts,
        [*(f"left out: {path}: {why}" for path, why in left_out.items()), summary],
    )


def _of_belt(numbers: dict[str, float]) -> dict[tuple, float]:
    return {("belt", name): number for name, number in numbers.items()}


def _calibrate_belt(options: argparse.Namespace) -> None:
    from coinsorter.hardware.camera.open_camera import open_camera
    from coinsorter.tools import calibrate_view, capture

    settings = config.load(options.config)
    if options.bins:
        calibrate_belt.refuse_without_sensor(settings, known_bins(settings, options.bins))
        if options.fall_mm is None:
            raise InputError(
                "--fall-mm is missing: how far below the belt the sensors look; measure it with a ruler"
            )
    models = bundle_for(settings, options.config)
    tracker = capture.tracker(
        settings.scale, settings.belt.speed_mm_s, 1 / settings.camera.frames_per_s
    )
    with closing(open_camera(settings.camera, options.config.parent)) as camera:
        parts = camera, tracker, build_search(models, settings.scale)
        fallen = _fallen(options, settings, *parts) if options.bins else {}
        coins = (
            [one.coin for found in fallen.values() for one in found]
            if options.bins
            else _ridden(options, *parts)
        )
    belt = calibrate_view.belt_speed(coins)
    places = {
        name: calibrate_belt.place(name, found, belt.speed_mm_s, options.fall_mm)
        for name, found in fallen.items()
    }
    numbers = {
        "speed_mm_s": round(belt.speed_mm_s, 1),
        "speed_tolerance_percent": round(100 * belt.tolerance, 1),
    }
    facts = {
        **numbers,
        "coins": belt.coins,
        "spread": belt.spread,
        "flaps": {name: asdict(place) for name, place in places.items()},
    }
    lines = [
        f"{belt.coins} coins; single ones are {100 * belt.spread:.1f} % off the belt's speed (standard deviation)"
    ]
    _finish(
        options,
        _of_belt(numbers) | _of_flaps(settings, places),
        facts,
        lines + _told(settings, places),
    )


def _ridden(
    options: argparse.Namespace, camera: Camera, tracker: BeltTracker, search: Search
) -> list[Coin]:
    """Coins that ride by alone."""
    from coinsorter.tools import capture

    coins: list[Coin] = []
    with progress("measuring", options.coins, options.json) as advance:
        for coin in islice(
            (coin for coin in capture.rides(camera, tracker, search) if coin.alone), options.coins
        ):
            coins.append(coin)
            advance(len(coins))
    return coins


def _fallen(
    options: argparse.Namespace,
    settings: Config,
    camera: Camera,
    tracker: BeltTracker,
    search: Search,
) -> dict[str, list[Travel]]:
    """Coins that fell through each of the flaps, by bin."""
    from coinsorter.hardware import panel
    from coinsorter.hardware.flaps import Flaps
    from coinsorter.hardware.servos import open_servos

    fallen = {}
    with (
        closing(panel.Panel(settings)) as panel,
        closing(Flaps(settings, open_servos.open_servos(settings))) as flaps,
    ):
        flaps.park()
        for name in options.bins:
            found = calibrate_belt.travels(
                camera, tracker, search, name, partial(panel.fallen_s, name)
            )
            with progress(f"{name} is open", options.coins, options.json) as advance:
                fallen[name] = calibrate_belt.through(flaps, name, found, options.coins, advance)
    return fallen


def _of_flaps(settings: Config, places: dict[str, Place]) -> dict[tuple, float]:
    numbers = {}
    for index, bin_ in enumerate(settings.bins):
        if place := places.get(bin_.name):
            numbers[("bins", index, "flap", "distance_mm")] = round(place.distance_mm, 1)
            numbers[("bins", index, "flap", "drop_ms")] = place.drop_ms
    return numbers


def _told(settings: Config, places: dict[str, Place]) -> list[str]:
    """A line for each flap that was measured."""
    before_mm = {bin_.name: bin_.flap.distance_mm for bin_ in settings.bins}
    return [
        f"{name}: {place.coins} coins took {place.took_ms:.0f} ms from the view's middle to the sensor: its flap is at {place.distance_mm:.1f} mm, known to "
        f"{place.known_to_mm:.1f} mm (config.yaml: {before_mm[name]:g}); single coins are {place.spread_mm:.1f} mm off it (standard deviation)"
        for name, place in places.items()
    ]


def _calibrate_flaps(options: argparse.Namespace) -> None:
    from coinsorter.hardware.flaps import Flaps
    from coinsorter.hardware.servos.open_servos import open_servos
    from coinsorter.tools import calibrate_flaps

    settings = config.load(options.config)
    bins = known_bins(settings, options.bins)
    tell = (lambda text: None) if options.json else print
    with closing(Flaps(settings, open_servos(settings))) as flaps:
        flaps.park()
        tell(calibrate_flaps.HELP)
        numbers = calibrate_flaps.calibrated(settings, flaps, bins, _asked, tell)
    _finish(options, numbers, {config.option(at): number for at, number in numbers.items()}, [])


def _asked(prompt: str) -> str:
    """A line that somebody types; at the end of all typing "end"."""
    try:
        return input(prompt)
    except EOFError:
        return "end"


def _finish(
    options: argparse.Namespace,
    numbers: dict[tuple, float],
    facts: dict[str, Any],
    lines: list[str],
) -> None:
    """Puts the numbers into config.yaml where somebody asked for it, and tells what was found.

    numbers: as `config.changed` wants them. facts: what --json prints. lines: what a person reads before the numbers.
    """
    if options.write and numbers:
        text = config.changed(options.config, numbers)
        with whole_file(options.config, "--config") as file:
            file.write(text)
    if options.json:
        print(json.dumps({**facts, "written": options.write}))
        return
    for line in [*lines, *(f"{config.option(at)}: {number:g}" for at, number in numbers.items())]:
        print(line)
    if not numbers:
        print(f"{options.config}: nothing to change")
    else:
        print(
            f"{options.config}: written"
            if options.write
            else f"put this into {options.config}, or run this again with --write"
        )
