"""Whether flaps can turn coins: in time, far enough, past each other, as a servo can move."""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt

from coinsorter.config.schema import SERVO_RANGE_DEG, Config, FlapSettings
from coinsorter.config.view_checks import compute_max_speed_mm_s, count_sightings
from coinsorter.config.yaml_lines import OptionPath, format_option
from coinsorter.vision.track import BELT_SPEED_STD, PLACE_STD_MM, SPEED_SEMS

#: Frames from the last one that shows a coin to its decision: one is being exposed, one is being
#: classified, one is to spare.
DECISION_FRAMES = 3
#: Degrees between rest and open, below which a flap turns no coin.
MIN_OPENING_DEG = 10
#: Difference of the pulses for rest and open, below which a servo may not move as it should: five
#: times the dead band of an analogue one (10 us: data sheet of the SG90).
MIN_OPENING_US = 50
#: Degrees a second that no hobby servo turns faster than: the quickest state 0.03 s for 60 degrees.
MAX_SERVO_DEG_PER_S = 2000
#: Acceleration of fall, mm/s^2: standard gravity.
GRAVITY_MM_S2 = 9806.65

NumberedFlap = tuple[OptionPath, FlapSettings]


def find_flap_contradictions(
    config: Config, diameters_mm: Sequence[float]
) -> Iterator[tuple[OptionPath, str]]:
    """What keeps the flaps from turning coins of these diameters into their bins."""
    yield from _check_pulses(config)
    yield from _check_angles(config)
    yield from _check_travel(config)
    yield from _check_overlaps(config)
    yield from _check_drops(config, min(diameters_mm))


def find_late_flaps(
    config: Config, diameters_mm: Sequence[float]
) -> Iterator[tuple[OptionPath, str]]:
    """Flaps too near to be open in time, where the view itself is possible."""
    for option, flap in list_flaps(config):
        nearest_mm = compute_nearest_mm(config, flap, max(diameters_mm))
        if not flap.distance_mm >= nearest_mm:
            what = f"{flap.distance_mm:g} is too near"
            why = f"no decision is in time before {ceil(nearest_mm)}"
            yield (*option, "distance_mm"), f"{what}: {why}"


def compute_nearest_mm(config: Config, flap: FlapSettings, diameter_mm: float) -> float:
    """The least distance of a flap from the view's centre.

    It must be open in time for a coin that is decided on at the view's border, and whose speed is
    known as well as its sightings tell it (see `vision.track`).
    """
    camera = config.camera
    border_mm, _ = config.scale.locate_mm(camera.width_px - 1, camera.height_px / 2)
    allowance_mm_s = SPEED_SEMS * _estimate_speed_sem(config, diameter_mm)
    fastest_mm_s = compute_max_speed_mm_s(config) + allowance_mm_s
    needed_s = flap.travel_ms / 1000 + DECISION_FRAMES / camera.frames_per_s
    return border_mm + fastest_mm_s * needed_s + flap.length_mm / 2


def _estimate_speed_sem(config: Config, diameter_mm: float) -> float:
    """Standard error of a coin's speed, mm/s, after the fewest sightings that it can have."""
    speed_mm_s = config.belt.speed_mm_s
    count = count_sightings(config, diameter_mm, compute_max_speed_mm_s(config))
    scatter = count * (count**2 - 1) / 12 / config.camera.frames_per_s**2
    precision = scatter / PLACE_STD_MM**2 + 1 / (BELT_SPEED_STD * speed_mm_s) ** 2
    return 1 / sqrt(precision)


def _check_pulses(config: Config) -> Iterator[tuple[OptionPath, str]]:
    low, high = config.servo.min_pulse_us, config.servo.max_pulse_us
    option = ("servo", "max_pulse_us")
    if not low < high:
        yield option, f"{high} is not above min_pulse_us {low}: the servos could not turn"
        return
    us_per_deg = (high - low) / SERVO_RANGE_DEG
    smallest_deg = min(_opening_deg(flap) for _, flap in list_flaps(config))
    if smallest_deg >= MIN_OPENING_DEG and smallest_deg * us_per_deg < MIN_OPENING_US:
        needed = low + ceil(MIN_OPENING_US * SERVO_RANGE_DEG / smallest_deg)
        what = f"{high} turns a flap by {smallest_deg * us_per_deg:.0f} us"
        yield option, f"{what}: the servo may not move; write at least {needed}"


def _check_angles(config: Config) -> Iterator[tuple[OptionPath, str]]:
    for option, flap in list_flaps(config):
        if _opening_deg(flap) < MIN_OPENING_DEG:
            what = (
                f"{flap.open_deg:g} is within {MIN_OPENING_DEG} degrees of "
                f"rest_deg {flap.rest_deg:g}: the flap would not open"
            )
            yield (*option, "open_deg"), what


def _check_travel(config: Config) -> Iterator[tuple[OptionPath, str]]:
    """No flap that is said to be faster than any servo."""
    for option, flap in list_flaps(config):
        needed_ms = _opening_deg(flap) / MAX_SERVO_DEG_PER_S * 1000
        if flap.travel_ms < needed_ms:
            what = f"{flap.travel_ms:g} is too short: no servo turns {_opening_deg(flap):g} degrees"
            yield (*option, "travel_ms"), f"{what} in less than {ceil(needed_ms)}; measure it"


def _check_overlaps(config: Config) -> Iterator[tuple[OptionPath, str]]:
    before: list[NumberedFlap] = []
    for option, flap in sorted(list_flaps(config), key=_distance_mm):
        start_mm = flap.distance_mm - flap.length_mm / 2
        for other_option, other in before:
            end_mm = other.distance_mm + other.length_mm / 2
            if start_mm < end_mm or flap.distance_mm == other.distance_mm:
                name = format_option(other_option[:2])
                what = f"{flap.distance_mm:g} overlaps the flap of {name}"
                yield (*option, "distance_mm"), f"{what}, which ends at {end_mm:g}"
        before.append((option, flap))


def _check_drops(config: Config, diameter_mm: float) -> Iterator[tuple[OptionPath, str]]:
    """No drop sensor that is to see a coin before it can have fallen by its own diameter."""
    fall_ms = sqrt(2 * diameter_mm / GRAVITY_MM_S2) * 1000
    for option, flap in list_flaps(config):
        if flap.drop_pin is not None and flap.drop_ms < fall_ms:
            what = (
                f"{flap.drop_ms:g} is too short: a coin of {diameter_mm:g} mm falls past a sensor"
            )
            yield (*option, "drop_ms"), f"{what} in {ceil(fall_ms)} at the least"


def _opening_deg(flap: FlapSettings) -> float:
    return abs(flap.open_deg - flap.rest_deg)


def _distance_mm(numbered: NumberedFlap) -> float:
    return numbered[1].distance_mm


def list_flaps(config: Config) -> Iterator[NumberedFlap]:
    """Every flap with the option that describes it."""
    for index, bin_ in enumerate(config.bins):
        yield ("bins", index, "flap"), bin_.flap
