"""Coins of known size -> the view's scale, and how well it is known; coins that ride by -> the belt's speed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coinsorter.errors import InputError
from coinsorter.hardware.camera.open_camera import read_picture
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle, Coin
from coinsorter.sorting.assembly import build_search
from coinsorter.vision.detect import Search, find_things
from coinsorter.vision.scale import PRIOR_PRECISION, ScalePlane, fit_plane, terms

# Rules of thumb. On brl-frames one diameter scatters by 2.2 %, all of day1 tells the scale to 0.3 %, and neighbouring coins differ by 5 to 10 %.
LEAST_COINS = 12  # three for each of the scale's four terms
WORST_KNOWN = 0.02  # relative standard error of the scale at the corner where it is least known
WORST_SCATTER = 0.05  # relative standard deviation of one diameter: more, and folders are mixed up
# Coins are looked for in this range of radii about the scale that is roughly known, in multiples of it.
ROUGHLY = 0.7, 1.4
LEAST_RIDES = 8
SPEED_SPREADS = 3.0  # of single coins' speeds that the tolerance allows for: 0.3 % of a normal distribution lie beyond
LEAST_TOLERANCE = 0.005
WIDEST_TOLERANCE = 0.2  # config.yaml's own


@dataclass(frozen=True)
class View:
    """A calibrated view.

    coins: how many it was fitted to. scatter: relative standard deviation of one diameter about its nominal one, from their median. known_to:
    relative standard error of the scale where it is least known. left_out: why other pictures were not used, by path.
    """

    plane: ScalePlane
    coins: int
    scatter: float
    known_to: float
    left_out: dict[Path, str]


def view(
    paths: list[Path],
    bundle: Bundle,
    rough: ScalePlane,
    progress: Callable[[int], None] = lambda done: None,
) -> View:
    """The scale plane, lens included, from pictures of one coin each, in folders named as the bundle's labels.

    rough: about the scale there is, and the size that the camera's pictures have. Raises InputError where the pictures cannot tell the scale.
    """
    nominal: dict[str | None, float] = {
        name: label.diameter_mm for name, label in bundle.labels.items()
    }
    found: list[tuple[Circle, float]] = []
    left_out: dict[Path, str] = {}
    search = _search(bundle, rough)
    for number, path in enumerate(paths):
        named = bundle.label_of(path.parent.name) in nominal
        circle = (
            _only_coin(path, search, rough)
            if named
            else f"folder {path.parent.name} is named as no label of the bundle"
        )
        if isinstance(circle, str):
            left_out[path] = circle
        else:
            found.append((circle, nominal[bundle.label_of(path.parent.name)]))
        progress(number + 1)
    return replace(_fitted(found, rough), left_out=left_out)


def _search(bundle: Bundle, rough: ScalePlane) -> Search:
    usual = build_search(bundle, rough)
    return replace(
        usual,
        min_radius_px=ROUGHLY[0] * usual.min_radius_px,
        max_radius_px=ROUGHLY[1] * usual.max_radius_px,
    )


def _only_coin(path: Path, search: Search, rough: ScalePlane) -> Circle | str:
    """The circle of the lone coin in a picture, or why there is none."""
    pixels = read_picture(path)
    if pixels is None:
        return "cannot be read"
    if pixels.shape[:2] != (rough.height_px, rough.width_px):
        return f"is {pixels.shape[1]}x{pixels.shape[0]}, the camera's pictures are {rough.width_px}x{rough.height_px}"
    circles = [circle for circle in find_things(pixels, search) if circle.quality]
    if len(circles) != 1:
        return f"shows {len(circles)} coins, not one" if circles else "shows no coin"
    return circles[0] if circles[0].alone else "its coin does not lie alone"


def _fitted(found: list[tuple[Circle, float]], rough: ScalePlane) -> View:
    if len(found) < LEAST_COINS:
        raise InputError(
            f"{len(found)} pictures show a lone coin of a known label; at least {LEAST_COINS} are needed, all over the view"
        )
    circles, diameters = zip(*found)
    plane = fit_plane(circles, diameters, rough.width_px, rough.height_px)
    off = np.array([plane.diameter_mm(circle) / diameter - 1 for circle, diameter in found])
    scatter = 1.4826 * float(np.median(np.abs(off)))
    if not scatter <= WORST_SCATTER:
        raise InputError(
            f"the coins' sizes fit no one scale (half of them are off by {100 * scatter / 1.4826:.0f} %); are their folders named rightly?"
        )
    error, corner = _least_known(circles, plane, scatter)
    if not error <= WORST_KNOWN:
        raise InputError(
            f"{len(found)} coins tell the scale at the {corner} to {100 * error:.1f} % only; take pictures with coins there too"
        )
    return View(plane, len(found), scatter, error, {})


def _least_known(
    circles: tuple[Circle, ...], plane: ScalePlane, scatter: float
) -> tuple[float, str]:
    """The scale's relative standard error at the corner where it is largest, and that corner's name (linear regression's variance)."""
    size = plane.width_px, plane.height_px
    seen = np.array([terms(circle.x_px, circle.y_px, *size) for circle in circles])
    covariance = scatter**2 * np.linalg.inv(seen.T @ seen + PRIOR_PRECISION)
    corners = {
        f"{down} {along}": terms(x, y, *size)
        for down, y in (("upper", 0), ("lower", size[1]))
        for along, x in (("left", 0), ("right", size[0]))
    }
    errors = {
        name: float(np.sqrt(np.array(at) @ covariance @ np.array(at)))
        for name, at in corners.items()
    }
    worst = max(errors, key=errors.__getitem__)
    return errors[worst], f"{worst} corner"


@dataclass(frozen=True)
class BeltSpeed:
    """The belt's speed in mm/s by the median coin, how far single coins are off it (relative), and the tolerance that allows for them."""

    speed_mm_s: float
    spread: float
    tolerance: float
    coins: int


def belt_speed(coins: list[Coin]) -> BeltSpeed:
    """From coins that rode by alone. Raises InputError where they are too few, or ride at speeds of their own."""
    speeds = np.array([coin.speed_mm_s for coin in coins if coin.alone])
    if len(speeds) < LEAST_RIDES:
        raise InputError(
            f"{len(speeds)} coins rode by alone; the belt's speed wants {LEAST_RIDES} or more"
        )
    middle = float(np.median(speeds))
    spread = 1.4826 * float(np.median(np.abs(speeds / middle - 1)))
    tolerance = max(LEAST_TOLERANCE, SPEED_SPREADS * spread)
    if tolerance > WIDEST_TOLERANCE:
        raise InputError(
            f"the coins' speeds are {100 * spread:.0f} % apart; see that they lie still on the belt and that it runs evenly"
        )
    return BeltSpeed(middle, spread, tolerance, len(speeds))
