"""Whether a machine with given settings can turn a coin into each of its bins.

Neither camera nor servos take part: a perfect coin rides through the view, the tracker follows it,
and the schedule plans its way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from coinsorter.config.schema import Config, FlapSettings
from coinsorter.hardware.flaps import angle_to_pulse_us
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle, Coin, Frame
from coinsorter.sorting import assembly
from coinsorter.vision.track import BeltTracker

#: Frames from a coin's last sighting to its decision: it is in memory, and it is classified.
DECISION_FRAMES = 2
#: Frames of a coin that the tracker is shown at the most, the last ones; more tell it nothing new.
MAX_FRAMES = 2000
#: Points of the table that turns places on the belt into pixels.
TABLE_POINTS = 1025
#: Parts of a frame's step by which the first frame comes later: of the smallest coin and the
#: largest.
PHASES = (0.0, 0.6)
PIXELS = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class Ride:
    """A coin of a diameter that enters the view at a part of a frame's step."""

    diameter_mm: float
    phase: float


def find_impossible(config: Config, bundle: Bundle) -> list[str]:
    """What a machine with these settings cannot do; empty where it can sort.

    Every part that needs no hardware is built; then a coin of the bundle's smallest and one of its
    largest diameter ride into each bin.
    """
    problems = list(_build_parts(config, bundle))
    diameters_mm = [label.diameter_mm for label in bundle.manifest.labels]
    sizes_mm = (min(diameters_mm), max(diameters_mm))
    for ride in map(Ride, sizes_mm, PHASES):
        coin = follow_coin(config, ride)
        if coin is None:
            problems.append(f"{ride}: not tracked")
        else:
            problems += _find_unreachable(config, ride, coin)
    return problems


def _build_parts(config: Config, bundle: Bundle) -> Iterator[str]:
    """Builds what `assemble_machine` builds; yields pulses that are beyond the servo's."""
    assembly.build_scale_follower(config, bundle)
    assembly.build_rules(config, bundle)
    assembly.build_drop_sensors(config, None)
    search = assembly.build_search(bundle, config.scale)
    if not 0 < search.min_radius_px <= search.max_radius_px:
        yield f"radii of {search.min_radius_px} to {search.max_radius_px} px"
    servo = config.servo
    for bin_ in config.bins:
        for degrees in (bin_.flap.rest_deg, bin_.flap.open_deg):
            us = angle_to_pulse_us(degrees, servo)
            if not servo.min_pulse_us <= us <= servo.max_pulse_us:
                yield f"{bin_.name}: a pulse of {us} us"


def follow_coin(config: Config, ride: Ride) -> Coin | None:
    """The coin as the tracker hands it on; None where it is lost or seen too seldom."""
    scale = config.scale
    frame_s = 1 / config.camera.frames_per_s
    tracker = BeltTracker(scale, config.belt.speed_mm_s, frame_s, lambda *_: PIXELS, crops=1)
    y_px = scale.height_px / 2
    for number, (x_px, taken_s) in enumerate(_list_places(config, ride)):
        radius_px = ride.diameter_mm / 2 * scale.px_per_mm_at(x_px, y_px)
        circle = Circle(x_px, y_px, radius_px, 1.0, 1.0, 1.0, (0.0, 0.0, 0.0), True, 0.0)
        coins = tracker.update(Frame(PIXELS, number, taken_s), [circle])
        if coins:
            return coins[0]
    return None


def _list_places(config: Config, ride: Ride) -> list[tuple[float, float]]:
    """Where the coin is while it is whole in the view, pixels, and when, seconds."""
    scale, speed_mm_s = config.scale, config.belt.speed_mm_s
    table_px = np.linspace(0, scale.width_px - 1, TABLE_POINTS)
    table_mm = [scale.locate_mm(float(x_px), scale.height_px / 2)[0] for x_px in table_px]
    step_mm = speed_mm_s / config.camera.frames_per_s
    radius_mm = ride.diameter_mm / 2
    first_mm = table_mm[0] + radius_mm + ride.phase * step_mm
    last_mm = table_mm[-1] - radius_mm
    count = max(0, int((last_mm - first_mm) / step_mm) + 1)
    numbers = np.arange(max(0, count - MAX_FRAMES), count)
    places_px = np.interp(first_mm + numbers * step_mm, table_mm, table_px)
    times_s = numbers / config.camera.frames_per_s
    return list(zip(places_px.tolist(), times_s.tolist(), strict=True))


def _find_unreachable(config: Config, ride: Ride, coin: Coin) -> Iterator[str]:
    for bin_ in config.bins:
        problem = _ride_into(config, bin_.name, bin_.flap, coin)
        if problem:
            yield f"{ride}: {bin_.name}: {problem}"


def _ride_into(config: Config, name: str, flap: FlapSettings, coin: Coin) -> str | None:
    """What keeps a coin from its bin; None where its flap is open before it can be there."""
    frame_s = 1 / config.camera.frames_per_s
    schedule = assembly.build_schedule(config)
    now_s = coin.seen_s + DECISION_FRAMES * frame_s
    if not schedule.plan_turn(coin.number, coin.motion, name, [], now_s):
        return "not planned"
    schedule.arm(coin.number)
    far_mm = flap.distance_mm - flap.length_mm / 2 - coin.diameter_mm / 2 - coin.x_mm
    fastest_mm_s = config.belt.speed_mm_s * (1 + config.belt.speed_tolerance_percent / 100)
    arrives_s = coin.seen_s + far_mm / fastest_mm_s
    opened_s = None
    while opened_s is None and now_s < arrives_s:
        now_s += frame_s
        commands, _ = schedule.tick(now_s)
        opened_s = now_s if commands else None
    if opened_s is None or opened_s + flap.travel_ms / 1000 > arrives_s:
        return f"opened at {opened_s}, and it arrives at {arrives_s}"
    _, passages = schedule.tick(float("inf"))
    landed = [(passage.bin, passage.late, passage.uncertain) for passage in passages]
    return None if landed == [(name, False, False)] else f"landed {landed}"
