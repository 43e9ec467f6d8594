"""The view's scale and how well it is known, from frames of coins of known size."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coinsorter.errors import InputError
from coinsorter.images.image_io import read_image
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle
from coinsorter.robust import MAD_TO_STD, mad_std
from coinsorter.sorting.assembly import build_search
from coinsorter.vision.detect import Search, find_coins
from coinsorter.vision.scale import PRIOR_PRECISION, ScalePlane, compute_terms, fit_plane

# Rules of thumb. On brl-frames one diameter scatters by 2.2 %, all of day1 gives the scale to
# 0.3 %, and the diameters of neighbouring coins differ by 5 to 10 %.
#: Coins: three for each of the scale's four terms.
MIN_COINS = 12
#: Relative standard error of the scale at the corner where it is least known.
MAX_SCALE_SEM = 0.02
#: Relative standard deviation of one diameter; with more, folders are mixed up.
MAX_DIAMETER_STD = 0.05
#: Radii are searched in this range about those of the rough scale, in multiples of them.
ROUGH_SCALE_RANGE = (0.7, 1.4)


@dataclass(frozen=True)
class ViewCalibration:
    """A calibrated view.

    coins: how many the plane was fitted to. diameter_mad_std: relative standard deviation of one
    diameter about its nominal one, from the median absolute deviation. scale_sem: relative standard
    error of the scale at the corner where it is least known. skipped: why other images were not
    used, by path.
    """

    plane: ScalePlane
    coins: int
    diameter_mad_std: float
    scale_sem: float
    skipped: dict[Path, str]


@dataclass(frozen=True)
class _KnownCoin:
    """The circle of a coin whose diameter is known."""

    circle: Circle
    diameter_mm: float


def fit_view(
    paths: list[Path],
    bundle: Bundle,
    rough_scale: ScalePlane,
    progress: Callable[[int], None] = lambda done: None,
) -> ViewCalibration:
    """The scale plane, lens included, from images of one coin each.

    paths: images in folders named as the bundle's labels. rough_scale: about the scale, and the
    size that the camera's frames have. progress: takes the number of images that are done. Raises
    InputError where the images do not determine the scale.
    """
    search = _make_search(bundle, rough_scale)
    coins: list[_KnownCoin] = []
    skipped: dict[Path, str] = {}
    for number, path in enumerate(paths):
        coin = _measure_coin(path, bundle, search, rough_scale)
        if isinstance(coin, str):
            skipped[path] = coin
        else:
            coins.append(coin)
        progress(number + 1)
    return replace(_fit_plane(coins, rough_scale), skipped=skipped)


def _make_search(bundle: Bundle, rough_scale: ScalePlane) -> Search:
    search = build_search(bundle, rough_scale)
    low, high = ROUGH_SCALE_RANGE
    return replace(
        search, min_radius_px=low * search.min_radius_px, max_radius_px=high * search.max_radius_px
    )


def _measure_coin(
    path: Path, bundle: Bundle, search: Search, rough_scale: ScalePlane
) -> _KnownCoin | str:
    """The lone coin in an image, or why it cannot be used."""
    folder = path.parent.name
    label = bundle.resolve_label(folder)
    if label not in bundle.labels:
        return f"folder {folder} is named as no label of the bundle"
    circle = _find_only_circle(path, search, rough_scale)
    if isinstance(circle, str):
        return circle
    return _KnownCoin(circle, bundle.labels[label].diameter_mm)


def _find_only_circle(path: Path, search: Search, rough_scale: ScalePlane) -> Circle | str:
    """The circle of the lone coin in an image, or why there is none."""
    pixels = read_image(path)
    if pixels is None:
        return "cannot be read"
    height, width = pixels.shape[:2]
    if (width, height) != (rough_scale.width_px, rough_scale.height_px):
        camera_size = f"{rough_scale.width_px}x{rough_scale.height_px}"
        return f"is {width}x{height}, the camera's frames are {camera_size}"
    circles = find_coins(pixels, search)
    if not circles:
        return "shows no coin"
    if len(circles) > 1:
        return f"shows {len(circles)} coins, not one"
    return circles[0] if circles[0].alone else "its coin does not lie alone"


def _fit_plane(coins: list[_KnownCoin], rough_scale: ScalePlane) -> ViewCalibration:
    if len(coins) < MIN_COINS:
        raise InputError(
            f"{len(coins)} images show a lone coin of a known label; at least {MIN_COINS} are "
            "needed, all over the view"
        )
    circles = [coin.circle for coin in coins]
    diameters_mm = [coin.diameter_mm for coin in coins]
    plane = fit_plane(circles, diameters_mm, rough_scale.width_px, rough_scale.height_px)
    diameter_std = _measure_diameter_std(coins, plane)
    scale_sem = _check_scale_sem(circles, plane, diameter_std)
    return ViewCalibration(plane, len(coins), diameter_std, scale_sem, {})


def _measure_diameter_std(coins: list[_KnownCoin], plane: ScalePlane) -> float:
    """Relative, about the nominal diameters. Raises InputError where it is too large."""
    errors = np.array(
        [plane.measure_diameter_mm(coin.circle) / coin.diameter_mm - 1 for coin in coins]
    )
    diameter_std = mad_std(errors, center=0.0)
    if not diameter_std <= MAX_DIAMETER_STD:
        raise InputError(
            "the coins' sizes fit no one scale (half of them are off by "
            f"{100 * diameter_std / MAD_TO_STD:.0f} %); are their folders named rightly?"
        )
    return diameter_std


def _check_scale_sem(circles: list[Circle], plane: ScalePlane, diameter_std: float) -> float:
    """The largest of all corners. Raises InputError where it is too large."""
    corner_sems = _estimate_corner_sems(circles, plane, diameter_std)
    corner = max(corner_sems, key=corner_sems.__getitem__)
    scale_sem = corner_sems[corner]
    if not scale_sem <= MAX_SCALE_SEM:
        raise InputError(
            f"{len(circles)} coins give the scale at the {corner} to {100 * scale_sem:.1f} % only; "
            "take images with coins there too"
        )
    return scale_sem


def _estimate_corner_sems(
    circles: list[Circle], plane: ScalePlane, diameter_std: float
) -> dict[str, float]:
    """The scale's relative standard error at each corner, by the corner's name.

    It is that of a linear regression's prediction: the square root of `x C x`, where C is the
    covariance of the coefficients.
    """
    size = (plane.width_px, plane.height_px)
    design = np.array([compute_terms(circle.x_px, circle.y_px, *size) for circle in circles])
    covariance = diameter_std**2 * np.linalg.inv(design.T @ design + PRIOR_PRECISION)
    sems = {}
    for down, y in (("upper", 0), ("lower", plane.height_px)):
        for along, x in (("left", 0), ("right", plane.width_px)):
            row = np.array(compute_terms(x, y, *size))
            sems[f"{down} {along} corner"] = float(np.sqrt(row @ covariance @ row))
    return sems
