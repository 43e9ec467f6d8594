"""Whether the camera's view can show coins: their size, how often each is seen, sharp enough."""

from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import TYPE_CHECKING

from coinsorter.config.schema import Config
from coinsorter.config.yaml_lines import OptionPath
from coinsorter.vision.scale import ScalePlane, compute_terms
from coinsorter.vision.track import MIN_SIGHTINGS, REACH

if TYPE_CHECKING:
    from coinsorter.vision.crop import CropSpec

#: Smallest diameter of a coin, mm, where no bundle says which there are: a guess below that of any
#: coin in circulation.
MIN_COIN_MM = 12.0
#: Smallest diameter of a coin in the frame, pixels: where the radius is less than
#: `vision.detect.HOUGH_RADIUS_PX`, its outline is not found.
MIN_COIN_PX = 20.0
#: What the scale anywhere in the view may be of that in its middle. Tilts of 40 % that add up at a
#: corner are beyond; day1 of brl-frames goes from 0.93 to 1.05.
SCALE_SHARES = (0.25, 2.5)
#: How far the belt may run while a frame is exposed, mm. On the simulated machine 46 of 48 coins
#: are sorted at 1.0 mm, 27 at 1.5 and none at 2.0 (`coinsorter run --simulate --coins 60 --seed 3`
#: with camera.exposure_us 4000, 6000 and 8000).
MAX_BLUR_MM = 1.75
#: How much larger a bundle's crop may show a coin than the frame does, as a factor.
MAX_ENLARGEMENT = 2.0
_US_PER_S = 1_000_000


def find_view_contradictions(
    config: Config, diameters_mm: Sequence[float]
) -> Iterator[tuple[OptionPath, str]]:
    """What keeps coins of these diameters from being seen as they must be.

    Where the scale itself is impossible, nothing else is looked at.
    """
    impossible = list(_check_scale(config))
    if impossible:
        yield from impossible
        return
    yield from _check_exposure(config)
    yield from _check_coin_px(config, min(diameters_mm))
    too_large = list(_check_coin_fits(config, max(diameters_mm)))
    yield from too_large or _check_sightings(config, max(diameters_mm))
    yield from _check_reach(config, min(diameters_mm))


def find_crop_contradictions(
    config: Config, diameters_mm: Sequence[float], crop: "CropSpec"
) -> Iterator[tuple[OptionPath, str]]:
    """What keeps the frame from having enough pixels of a coin for the bundle's crop."""
    low, _ = config.scale.compute_px_per_mm_range()
    for diameter_mm in sorted(diameters_mm):
        crop_px = crop.compute_share(diameter_mm) * crop.size_px / crop.margin
        if diameter_mm * low * MAX_ENLARGEMENT < crop_px:
            shows = f"{config.belt.px_per_mm:g} shows a coin of {diameter_mm:g} mm with"
            what = f"{shows} {diameter_mm * low:.0f} px, and the bundle's crops have {crop_px:.0f}"
            yield ("belt", "px_per_mm"), f"{what}: bring the camera nearer, or take more pixels"
            return


def count_sightings(config: Config, diameter_mm: float, speed_mm_s: float) -> int:
    """How often a coin is seen whole while it crosses the view, at the least."""
    way_mm = measure_view_mm(config.scale)[0] - diameter_mm
    step_mm = speed_mm_s / config.camera.frames_per_s
    return max(0, floor(way_mm / step_mm))


def compute_max_speed_mm_s(config: Config) -> float:
    """The belt's speed where it runs as fast as belt.speed_tolerance_percent allows."""
    belt = config.belt
    return belt.speed_mm_s * (1 + belt.speed_tolerance_percent / 100)


def measure_view_mm(scale: ScalePlane) -> tuple[float, float]:
    """Length and width of the view on the belt, through its middle."""
    middle_x_px, middle_y_px = scale.width_px / 2, scale.height_px / 2
    left_mm, _ = scale.locate_mm(0, middle_y_px)
    right_mm, _ = scale.locate_mm(scale.width_px - 1, middle_y_px)
    _, top_mm = scale.locate_mm(middle_x_px, 0)
    _, bottom_mm = scale.locate_mm(middle_x_px, scale.height_px - 1)
    return right_mm - left_mm, bottom_mm - top_mm


def _check_scale(config: Config) -> Iterator[tuple[OptionPath, str]]:
    """Tilts and barrel that make the scale at a corner nothing, or many times the middle's."""
    scale = config.scale
    low, high = scale.compute_px_per_mm_range()
    min_share, max_share = SCALE_SHARES
    if low >= min_share * scale.px_per_mm and high <= max_share * scale.px_per_mm:
        return
    worst = low if low < min_share * scale.px_per_mm else high
    option = ("belt", _name_largest_term(scale))
    value = getattr(config.belt, option[1])
    size = f"a view of {scale.width_px}x{scale.height_px}"
    what = f"{value:g} makes the scale at a corner of {size} {worst:.2f} px per mm"
    yield option, f"{what}, not near {scale.px_per_mm:g}; measure it with `calibrate view`"


def _name_largest_term(scale: ScalePlane) -> str:
    """The option that changes the scale at a corner most."""
    _, along, across, outward = compute_terms(
        scale.width_px, scale.height_px, scale.width_px, scale.height_px
    )
    shares = {
        "tilt_along_percent": abs(scale.tilt_along * along),
        "tilt_across_percent": abs(scale.tilt_across * across),
        "barrel_percent": abs(scale.barrel * outward),
    }
    return max(shares, key=shares.__getitem__)


def _check_exposure(config: Config) -> Iterator[tuple[OptionPath, str]]:
    camera = config.camera
    if camera.source == "folder":  # whose images are exposed already
        return
    option = ("camera", "exposure_us")
    frame_us = _US_PER_S / camera.frames_per_s
    sharp_us = MAX_BLUR_MM / config.belt.speed_mm_s * _US_PER_S
    if camera.exposure_us > frame_us:
        what = f"{camera.exposure_us} is longer than a frame at {camera.frames_per_s:g} a second"
        yield option, f"{what}; write at most {floor(min(frame_us, sharp_us))}"
    elif camera.exposure_us > sharp_us:
        blur_mm = camera.exposure_us / sharp_us * MAX_BLUR_MM
        what = f"{camera.exposure_us} smears a coin by {blur_mm:.1f} mm"
        yield option, f"{what}; write at most {floor(sharp_us)}, or slow the belt"


def _check_coin_px(config: Config, diameter_mm: float) -> Iterator[tuple[OptionPath, str]]:
    low, _ = config.scale.compute_px_per_mm_range()
    if diameter_mm * low < MIN_COIN_PX:
        px_per_mm = config.belt.px_per_mm
        what = f"{px_per_mm:g} shows a coin of {diameter_mm:g} mm with {diameter_mm * low:.0f} px"
        why = f"its outline needs {MIN_COIN_PX:g}"
        yield ("belt", "px_per_mm"), f"{what}; {why}: bring the camera nearer"


def _check_coin_fits(config: Config, diameter_mm: float) -> Iterator[tuple[OptionPath, str]]:
    length_mm, width_mm = measure_view_mm(config.scale)
    if diameter_mm >= min(length_mm, width_mm):
        what = f"{config.belt.px_per_mm:g} makes the view {length_mm:.0f} by {width_mm:.0f} mm"
        why = f"a coin of {diameter_mm:g} mm does not fit"
        yield ("belt", "px_per_mm"), f"{what}: {why}; raise the camera, or its width_px, height_px"


def _check_sightings(config: Config, diameter_mm: float) -> Iterator[tuple[OptionPath, str]]:
    speed_mm_s = compute_max_speed_mm_s(config)
    count = count_sightings(config, diameter_mm, speed_mm_s)
    if count < MIN_SIGHTINGS:
        way_mm = measure_view_mm(config.scale)[0] - diameter_mm
        needed = ceil(MIN_SIGHTINGS * speed_mm_s / way_mm)
        fps = config.camera.frames_per_s
        what = f"{fps:g} shows a coin of {diameter_mm:g} mm {count} times while it crosses the view"
        remedy = f"write at least {needed}, or slow the belt"
        yield ("camera", "frames_per_s"), f"{what}, and {MIN_SIGHTINGS} are needed; {remedy}"


def _check_reach(config: Config, diameter_mm: float) -> Iterator[tuple[OptionPath, str]]:
    """Whether a coin is found again in the next frame, however fast the belt runs."""
    belt = config.belt
    step_mm = belt.speed_mm_s / config.camera.frames_per_s
    reach_mm = REACH * diameter_mm / 2
    if step_mm * belt.speed_tolerance_percent / 100 > reach_mm:
        allowed = floor(1000 * reach_mm / step_mm) / 10
        what = f"{belt.speed_tolerance_percent:g} loses coins of {diameter_mm:g} mm between frames"
        remedy = f"write at most {allowed:g}, or raise camera.frames_per_s"
        yield ("belt", "speed_tolerance_percent"), f"{what}; {remedy}"
