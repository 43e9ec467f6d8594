"""coinsorter calibrate belt: the belt's speed and how far flaps are, from coins that ride by."""

import argparse
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any

from coinsorter.commands._calibration import (
    Numbers,
    add_result_options,
    name_belt_numbers,
    report_numbers,
)
from coinsorter.commands._inputs import load_matching_bundle, select_bins
from coinsorter.commands._options import Subparsers, add_command
from coinsorter.commands._printing import show_progress
from coinsorter.commands.option_values import read_count, read_number
from coinsorter.config.load import load_config
from coinsorter.config.schema import Config
from coinsorter.errors import InputError
from coinsorter.files.locks import CALIBRATING
from coinsorter.hardware.camera import open_camera as cameras
from coinsorter.hardware.machine_lock import lock_camera, lock_machine
from coinsorter.records import Coin
from coinsorter.sorting.assembly import build_search
from coinsorter.tools.calibrate_belt import (
    BeltSpeed,
    FallenCoin,
    FlapPlace,
    check_drop_sensors,
    follow_falling_coins,
    locate_flap,
    measure_belt_speed,
    open_for_coins,
)
from coinsorter.tools.capture import BeltView, follow_coins, make_frame_tracker

DETAILS = (
    "Coins ride by under the camera, flaps at rest. Prints the belt's speed and how even it is; "
    "with --write config.yaml gets both. With BIN it also finds where that bin's flap is: the flap "
    "opens, you lay coins onto the belt one by one, the next when the last has fallen, and the "
    "bin's drop sensor (flap.drop_pin) reports when each falls. "
    "`coinsorter calibrate belt bit_10 --fall-mm 60` does so for a sensor 60 mm below the belt, "
    "and proposes flap.distance_mm and flap.drop_ms. The flap is at rest again at the end, and "
    "after Ctrl-C. Calibrate the view and the flaps first. Stop the service first: camera and pins "
    "serve one program."
)
#: A sensor closer than this touches the coin before it falls; one further is no drop sensor.
MIN_FALL_MM = 5
MAX_FALL_MM = 1000


def add_parser(actions: Subparsers) -> None:
    """Adds `coinsorter calibrate belt`."""
    summary = "the belt's speed, and with BIN how far a flap is, from coins that ride by"
    parser = add_command(actions, "belt", _run_calibrate_belt, summary, DETAILS)
    parser.add_argument(
        "bins",
        nargs="*",
        metavar="BIN",
        help="which flaps, one after the other (default: none, the belt's speed alone)",
    )
    parser.add_argument(
        "--fall-mm",
        type=read_number(MIN_FALL_MM, MAX_FALL_MM),
        metavar="MM",
        help="how far below the belt the bins' sensors are, by a ruler; needed with BIN",
    )
    parser.add_argument(
        "--coins",
        type=read_count,
        default=20,
        metavar="N",
        help="how many coins are measured, for each BIN (default: 20)",
    )
    add_result_options(parser)


def _run_calibrate_belt(options: argparse.Namespace) -> None:
    settings = load_config(options.config)
    _check_bins(options, settings)
    coins, fallen = _measure_coins(options, settings)
    speed = measure_belt_speed(coins)
    places = {
        name: locate_flap(name, fallen_coins, speed.speed_mm_s, options.fall_mm)
        for name, fallen_coins in fallen.items()
    }
    numbers = _belt_numbers(speed)
    result = {
        **numbers,
        "coins": speed.coins,
        "spread": speed.relative_mad_std,
        "flaps": {name: _describe_for_programs(place) for name, place in places.items()},
    }
    config_numbers = name_belt_numbers(numbers) | _flap_numbers(settings, places)
    lines = [_describe_speed(speed), *_describe_places(settings, places)]
    report_numbers(options, config_numbers, result, lines)


def _check_bins(options: argparse.Namespace, settings: Config) -> None:
    if not options.bins:
        return
    check_drop_sensors(settings, select_bins(settings, options.bins))
    if options.fall_mm is None:
        raise InputError(
            "--fall-mm is missing: how far below the belt the sensors are; measure it with a ruler"
        )


def _measure_coins(
    options: argparse.Namespace, settings: Config
) -> tuple[list[Coin], dict[str, list[FallenCoin]]]:
    """The coins that rode by, and those of them that fell through a flap, by bin."""
    bundle = load_matching_bundle(settings, options.config)
    frame_s = 1 / settings.camera.frames_per_s
    tracker = make_frame_tracker(settings.scale, settings.belt.speed_mm_s, frame_s)
    search = build_search(bundle, settings.scale)
    base = options.config.parent
    lock = lock_machine if options.bins else lock_camera
    with (
        lock(settings, base, CALIBRATING),
        closing(cameras.open_camera(settings.camera, base)) as camera,
    ):
        view = BeltView(camera, tracker, search)
        if not options.bins:
            return _collect_coins(options, view), {}
        fallen = _collect_fallen_coins(options, settings, view)
    coins = [one.coin for fallen_coins in fallen.values() for one in fallen_coins]
    return coins, fallen


def _collect_coins(options: argparse.Namespace, view: BeltView) -> list[Coin]:
    """Coins that ride by alone, flaps at rest."""
    coins: list[Coin] = []
    alone = (coin for coin in follow_coins(view) if coin.alone)
    with show_progress("measuring", options.coins, options.json) as advance:
        for coin in islice(alone, options.coins):
            coins.append(coin)
            advance(len(coins))
    return coins


def _collect_fallen_coins(
    options: argparse.Namespace, settings: Config, view: BeltView
) -> dict[str, list[FallenCoin]]:
    """Coins that fell through each of the flaps, by bin."""
    from coinsorter.hardware import panel
    from coinsorter.hardware.flaps import Flaps
    from coinsorter.hardware.servos import open_servos

    fallen = {}
    with (
        closing(panel.GpioPanel(settings)) as sensors,
        closing(Flaps(settings, open_servos.open_servos(settings))) as flaps,
    ):
        flaps.park()
        for name in options.bins:
            falling = follow_falling_coins(view, name, partial(sensors.take_drop_times_s, name))
            with show_progress(f"{name} is open", options.coins, options.json) as advance:
                fallen[name] = open_for_coins(flaps, name, falling, options.coins, advance)
    return fallen


def _belt_numbers(speed: BeltSpeed) -> dict[str, float]:
    return {
        "speed_mm_s": round(speed.speed_mm_s, 1),
        "speed_tolerance_percent": round(100 * speed.tolerance, 1),
    }


def _flap_numbers(settings: Config, places: dict[str, FlapPlace]) -> Numbers:
    numbers: Numbers = {}
    for index, bin_ in enumerate(settings.bins):
        place = places.get(bin_.name)
        if place:
            numbers[("bins", index, "flap", "distance_mm")] = round(place.distance_mm, 1)
            numbers[("bins", index, "flap", "drop_ms")] = place.drop_ms
    return numbers


def _describe_for_programs(place: FlapPlace) -> dict[str, Any]:
    return {
        "distance_mm": place.distance_mm,
        "drop_ms": place.drop_ms,
        "took_ms": place.travel_ms,
        "spread_mm": place.distance_mad_std_mm,
        "known_to_mm": place.distance_sem_mm,
        "coins": place.coins,
    }


def _describe_speed(speed: BeltSpeed) -> str:
    percent = 100 * speed.relative_mad_std
    return (
        f"{speed.coins} coins; single ones are {percent:.1f} % off the belt's speed "
        "(standard deviation)"
    )


def _describe_places(settings: Config, places: dict[str, FlapPlace]) -> list[str]:
    configured_mm = {bin_.name: bin_.flap.distance_mm for bin_ in settings.bins}
    return [_describe_place(name, place, configured_mm[name]) for name, place in places.items()]


def _describe_place(name: str, place: FlapPlace, configured_mm: float) -> str:
    return (
        f"{name}: {place.coins} coins took {place.travel_ms:.0f} ms from the view's centre to the "
        f"sensor: its flap is at {place.distance_mm:.1f} mm, with a standard error of "
        f"{place.distance_sem_mm:.1f} mm (config.yaml: {configured_mm:g}); single coins are "
        f"{place.distance_mad_std_mm:.1f} mm off it (standard deviation)"
    )
