"""coinsorter calibrate: the machine's own numbers for config.yaml."""

import argparse
import json
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from coinsorter import assembly, bundle, config
from coinsorter.commands.shared import add_bundle, add_command, add_config, add_json, bundle_for, count, known_bins, progress, whole_file
from coinsorter.records import Coin


def add(commands: Any) -> None:
    what = "Measure the machine's own numbers for config.yaml."
    actions = commands.add_parser("calibrate", help="measure the machine's own numbers", description=what).add_subparsers(
        title="actions", metavar="ACTION", required=True
    )
    details = (
        "Each picture shows one coin and lies in a folder named as its label; a dozen coins or more, all over the view, also near its "
        "corners. Prints what belongs into config.yaml; with --write it is put there, and everything else in the file stays as it is."
    )
    parser = add_command(actions, "view", _calibrate_view, "the camera's scale plane, from coins of known size", details)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the camera's pictures, in folders named as their labels")
    add_bundle(parser, "the bundle that knows the coins' diameters")
    parser.add_argument("--px-per-mm", type=_scale, metavar="N", help="about the scale there is, where the camera was moved far (default: config.yaml's)")
    parser.add_argument("--write", action="store_true", help="put the numbers into config.yaml")
    add_config(parser)
    add_json(parser, "the result")
    details = (
        "Coins ride by under the camera, flaps at rest. Prints the belt's speed and how even it is; with --write config.yaml gets both. Stop the "
        "service first: the camera serves one program."
    )
    parser = add_command(actions, "belt", _calibrate_belt, "the belt's speed, from coins that ride by", details)
    parser.add_argument("--coins", type=count, default=20, metavar="N", help="how many coins are measured (default: 20)")
    _add_write(parser)
    details = (
        "One flap after the other: type +20 or -20 to turn it by microseconds, `rest` or `open` to take where it stands for that, `next` for the "
        "next flap. With --write config.yaml gets what was found. Stop the service first: a pin serves one program."
    )
    parser = add_command(actions, "flaps", _calibrate_flaps, "where each flap rests and opens, by hand", details)
    parser.add_argument("bins", nargs="*", metavar="BIN", help="which flaps (default: all)")
    _add_write(parser)


def _add_write(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", action="store_true", help="put the numbers into config.yaml")
    add_config(parser)
    add_json(parser, "the result")


def _scale(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.5 <= number <= 50:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.5 to 50")
    return number


def _calibrate_view(options: argparse.Namespace) -> None:
    from coinsorter import calibrate
    from coinsorter.devices.camera import picture_paths

    settings = config.load(options.config)
    models = bundle.load(options.bundle or options.config.parent / settings.runtime.bundle)
    rough = replace(settings.scale, px_per_mm=options.px_per_mm) if options.px_per_mm else settings.scale
    paths = picture_paths(options.folder)
    with progress("measuring", len(paths), options.json) as advance:
        found = calibrate.view(paths, models, rough, advance)
    plane = found.plane
    numbers = {
        "px_per_mm": round(plane.px_per_mm, 4), "tilt_along_percent": round(100 * plane.tilt_along, 2),
        "tilt_across_percent": round(100 * plane.tilt_across, 2), "barrel_percent": round(100 * plane.barrel, 2),
    }  # fmt: skip
    left_out = {str(path): why for path, why in found.left_out.items()}
    facts = {**numbers, "coins": found.coins, "scatter": found.scatter, "known_to": found.known_to, "left_out": left_out}
    summary = f"{found.coins} coins; one diameter is off by {100 * found.scatter:.1f} % (standard deviation), the scale by {100 * found.known_to:.1f} % at most"
    _finish(options, _of_belt(numbers), facts, [*(f"left out: {path}: {why}" for path, why in left_out.items()), summary])


def _of_belt(numbers: dict[str, float]) -> dict[tuple, float]:
    return {("belt", name): number for name, number in numbers.items()}


def _calibrate_belt(options: argparse.Namespace) -> None:
    from coinsorter import calibrate, looking
    from coinsorter.devices.camera import open_camera

    settings = config.load(options.config)
    models = bundle_for(settings, options.config)
    tracker = looking.tracker(settings.scale, settings.belt.speed_mm_s, 1 / settings.camera.frames_per_s)
    coins: list[Coin] = []
    with closing(open_camera(settings.camera, options.config.parent)) as camera, progress("measuring", options.coins, options.json) as advance:
        alone = (coin for coin in looking.rides(camera, tracker, assembly.search(models, settings.scale)) if coin.alone)
        for coin in islice(alone, options.coins):
            coins.append(coin)
            advance(len(coins))
    found = calibrate.belt_speed(coins)
    numbers = {"speed_mm_s": round(found.speed_mm_s, 1), "speed_tolerance_percent": round(100 * found.tolerance, 1)}
    summary = f"{found.coins} coins; single ones are {100 * found.spread:.1f} % off the belt's speed (standard deviation)"
    _finish(options, _of_belt(numbers), {**numbers, "coins": found.coins, "spread": found.spread}, [summary])


def _calibrate_flaps(options: argparse.Namespace) -> None:
    from coinsorter import jog
    from coinsorter.devices.flaps import Flaps
    from coinsorter.devices.servos import open_servos

    settings = config.load(options.config)
    bins = known_bins(settings, options.bins)
    tell = (lambda text: None) if options.json else print
    with closing(Flaps(settings, open_servos(settings))) as flaps:
        flaps.park()
        tell(jog.HELP)
        numbers = jog.calibrated(settings, flaps, bins, _asked, tell)
    _finish(options, numbers, {config.option(at): number for at, number in numbers.items()}, [])


def _asked(prompt: str) -> str:
    """A line that somebody types; at the end of all typing "end"."""
    try:
        return input(prompt)
    except EOFError:
        return "end"


def _finish(options: argparse.Namespace, numbers: dict[tuple, float], facts: dict[str, Any], lines: list[str]) -> None:
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
        print(f"{options.config}: written" if options.write else f"put this into {options.config}, or run this again with --write")
