"""A frame's pixels -> everything that lies on the belt, coins as measured circles.

Hough's transform finds circles in a reduced picture, `outline` measures each in the full one. What stands out from the belt and is no
circle (a bent coin, a screw, a scrap of paper) is found as a patch that differs from its surroundings, so that nothing passes unseen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import hypot

import cv2
import numpy as np

from coinsorter.errors import FrameError
from coinsorter.records import Circle
from coinsorter.vision import contour

# What Hough sees: the picture is reduced until the smallest coin has this radius.
HOUGH_RADIUS_PX = 10.0
HOUGH_CANNY = 100  # upper threshold of its edge detector, grey levels
HOUGH_VOTES = 18  # edge pixels that must agree on a centre
HOUGH_BLUR_PX = 5
MIN_SIDE_PX = 16  # of a picture
MAX_CANDIDATES = 24  # best first; more are patterns, not coins

MIN_QUALITY = 0.68  # share of the outline with an edge: below, it is a pattern and no circle,
DOUBTFUL_QUALITY = (
    0.5  # or a doubtful circle, believed where a patch of about its size stands out from the belt
)
MAX_CUT = 0.18  # of the radius: a circle that leaves the picture further is not measured
EXTENT = 1.06  # times the edges' radius: what a coin measured so may be (nine in ten on brl-frames/day1 below)
SAME_THING = 0.35  # of two radii's sum: centres nearer than this are one thing found twice
TOUCHING_GAP = 0.08  # of the radius: things nearer than this touch

# Patches that stand out, looked for with the smallest coin reduced to this radius.
PATCH_RADIUS_PX = 3.5
PATCH_CONTRAST = 14  # grey levels from the belt around, in any channel
PATCH_SURROUND = (
    6.4  # of the smallest radius: width of the median that tells what belt would be there
)
MIN_PATCH = 0.3  # of the smallest coin's area
SAME_PATCH = (
    0.6  # of the circle's area, at least: smaller patches do not make a doubtful circle a coin
)
MAX_OFF_PATCH = 0.25  # in radii: a coin further from the middle of its patch is not alone, whatever the bundle allows
LONE_PATCH = 1.6  # times the circle's area: a larger patch (shadows included) is more than the coin (99.3 % of brl-frames/day1 below)


#: How much smaller than the smallest coin, and larger than the largest, an outline may be to be
#: found, as factors of the diameter. Foreign objects may be of any size and have to be seen too.
SEARCH_MARGIN = (0.85, 1.2)


@dataclass(frozen=True)
class Search:
    """What is looked for, and what a lone round coin's outline is like.

    min_radius_px, max_radius_px: in pixels of the full picture.
    min_roundness: shortest over longest diameter; below, it is bent (a tilted camera needs less: the bundle knows).
    min_quality: share of the outline that must be seen; below, a piece is missing or hidden.
    max_off_patch: in radii; further, the patch that stands out from the belt is more than the coin and its shadow.
    by_extent: radii are halfway between those of the edges and those of all that stands out from the belt; see `outline`.
    """

    min_radius_px: float
    max_radius_px: float
    min_roundness: float = 0.94
    min_quality: float = 0.8
    max_off_patch: float = MAX_OFF_PATCH
    by_extent: bool = False


def find_circles(pixels: np.ndarray, search: Search) -> list[Circle]:
    """Everything on the belt in an RGB picture, uint8 (h, w, 3), from left to right; what the border cuts is left out.

    What is no circle comes with quality 0, its radius that of the circle of its area. Raises FrameError for anything that is not such a
    picture.
    """
    check_pixels(pixels)
    height, width = pixels.shape[:2]
    half = _halved(pixels, search)
    scale = half.shape[1] / width
    patches = _patches(half, search, scale)
    found = contour.measure_outlines(pixels, _candidates(half, search, scale), search.by_extent)
    circles = [
        circle
        for circle in found
        if _plausible(circle, search, patches) and _whole(circle, search, width, height)
    ]
    things = _with_patches(_mark_touching(_once_each(circles)), patches)
    return sorted(
        (thing if _sound(thing, search) else replace(thing, alone=False) for thing in things),
        key=lambda thing: thing.x_px,
    )


def find_coins(pixels: np.ndarray, search: Search) -> list[Circle]:
    """Every circle whose outline was measured, from left to right; patches without one are left out.

    pixels: uint8 (h, w, 3) RGB. Raises FrameError for anything else.
    """
    return [circle for circle in find_circles(pixels, search) if circle.quality]


def find_only_coin(pixels: np.ndarray, search: Search) -> Circle | str:
    """The only circle in an image; "2 coins" and the like where there is not exactly one."""
    circles = find_coins(pixels, search)
    return circles[0] if len(circles) == 1 else f"{len(circles)} coins"


def compute_search_radii(
    diameters_mm: Iterable[float], px_per_mm_range: tuple[float, float]
) -> tuple[float, float]:
    """The smallest and largest radius to search for, in pixels, so that coins like these are found.

    diameters_mm: of all coins. px_per_mm_range: the smallest and largest scale in the image.
    """
    diameters_mm = list(diameters_mm)
    smallest, largest = SEARCH_MARGIN
    low_px_per_mm, high_px_per_mm = px_per_mm_range
    min_radius_px = low_px_per_mm * (smallest * min(diameters_mm)) / 2
    max_radius_px = high_px_per_mm * (largest * max(diameters_mm)) / 2
    return min_radius_px, max_radius_px


def check_pixels(pixels: np.ndarray) -> None:
    """Raises FrameError unless `pixels` is uint8 (h, w, 3)."""
    if not isinstance(pixels, np.ndarray):
        raise FrameError(f"frame is a {type(pixels).__name__}, not an array; check the camera")
    if (
        pixels.dtype != np.uint8
        or pixels.ndim != 3
        or pixels.shape[2] != 3
        or min(pixels.shape[:2]) < MIN_SIDE_PX
    ):
        raise FrameError(
            f"frame is {pixels.dtype} {pixels.shape}, not uint8 (height, width, 3); check the camera's format"
        )


def _halved(pixels: np.ndarray, search: Search) -> np.ndarray:
    """The picture at half its size where that is still enough for Hough: averaging pixels four by four is fast, by odd shares it is not."""
    height, width = pixels.shape[:2]
    if search.min_radius_px / 2 < HOUGH_RADIUS_PX or height % 2 or width % 2:
        return pixels
    return cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def _reduced(picture: np.ndarray, from_radius_px: float, to_radius_px: float) -> np.ndarray:
    """The picture made smaller until a coin of the one radius has the other."""
    scale = to_radius_px / from_radius_px
    return (
        cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if scale < 1
        else picture
    )


def _candidates(picture: np.ndarray, search: Search, scale: float) -> np.ndarray:
    """Hough's circles in a picture at `scale`, most votes first: float32 (n, 3) of x, y, radius in pixels of the full picture."""
    small = _reduced(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), search.min_radius_px * scale, HOUGH_RADIUS_PX
    )
    scale *= small.shape[1] / picture.shape[1]
    small = cv2.medianBlur(small, HOUGH_BLUR_PX)
    radii = {
        "minRadius": int(search.min_radius_px * scale),
        "maxRadius": int(np.ceil(search.max_radius_px * scale)),
    }
    apart = 0.8 * search.min_radius_px * scale
    found = cv2.HoughCircles(
        small, cv2.HOUGH_GRADIENT, 1, apart, param1=HOUGH_CANNY, param2=HOUGH_VOTES, **radii
    )
    if found is None:
        return np.empty((0, 3), np.float32)
    circles = found[0, :MAX_CANDIDATES, :3] / np.float32(scale)
    circles[:, :2] += np.float32(
        0.5 / scale - 0.5
    )  # pixel centres are whole numbers in both pictures
    return circles


def _plausible(circle: Circle, search: Search, patches: list[Circle]) -> bool:
    """Of the right size, and with enough of its outline seen."""
    if not search.min_radius_px <= circle.radius_px <= search.max_radius_px:
        return False
    return circle.quality >= MIN_QUALITY or (
        circle.quality >= DOUBTFUL_QUALITY and any(_same_patch(circle, patch) for patch in patches)
    )


def _same_patch(circle: Circle, patch: Circle) -> bool:
    near = _distance(circle, patch) < SAME_THING * circle.radius_px
    return near and SAME_PATCH < (patch.radius_px / circle.radius_px) ** 2 < LONE_PATCH


def _whole(circle: Circle, search: Search, width: int, height: int) -> bool:
    """Not cut by the picture's border, or by next to nothing."""
    x, y, reach = (
        circle.x_px,
        circle.y_px,
        (1 - MAX_CUT) * circle.radius_px / (EXTENT if search.by_extent else 1),
    )
    return x >= reach and y >= reach and x + reach <= width - 1 and y + reach <= height - 1


def _once_each(circles: list[Circle]) -> list[Circle]:
    """Of circles that are the same thing found twice, the one with more of its outline seen."""
    kept: list[Circle] = []
    for circle in sorted(circles, key=lambda c: -c.quality):
        if not any(
            _distance(circle, other) < SAME_THING * (circle.radius_px + other.radius_px)
            for other in kept
        ):
            kept.append(circle)
    return kept


def _sound(circle: Circle, search: Search) -> bool:
    """Round, all of it seen, and nothing more to be seen."""
    whole = circle.roundness >= search.min_roundness and circle.quality >= search.min_quality
    return whole and circle.off_patch <= min(search.max_off_patch, MAX_OFF_PATCH)


def _mark_touching(circles: list[Circle]) -> list[Circle]:
    return [
        replace(circle, alone=False) if _touches_any(circle, circles) else circle
        for circle in circles
    ]


def _touches_any(circle: Circle, circles: list[Circle]) -> bool:
    return any(
        other is not circle and _gap(circle, other) < TOUCHING_GAP * circle.radius_px
        for other in circles
    )


def _gap(a: Circle, b: Circle) -> float:
    return _distance(a, b) - a.radius_px - b.radius_px


def _distance(a: Circle, b: Circle) -> float:
    return hypot(a.x_px - b.x_px, a.y_px - b.y_px)


def _patches(picture: np.ndarray, search: Search, scale: float) -> list[Circle]:
    """What differs from the belt around it in a picture at `scale`, as circles of the same area and quality 0, in pixels of the full one.

    Patches at the border are left out.
    """
    tiny = _reduced(picture, search.min_radius_px * scale, PATCH_RADIUS_PX)
    scale *= tiny.shape[1] / picture.shape[1]
    belt = cv2.medianBlur(tiny, int(PATCH_SURROUND * PATCH_RADIUS_PX) | 1)
    contrast = cv2.reduce(cv2.absdiff(tiny, belt).reshape(-1, 3), 1, cv2.REDUCE_MAX).reshape(
        tiny.shape[:2]
    )
    mask = cv2.threshold(contrast, PATCH_CONTRAST, 255, cv2.THRESH_BINARY)[1]
    _, _, boxes, centres = cv2.connectedComponentsWithStats(mask, connectivity=4)
    least = MIN_PATCH * np.pi * (search.min_radius_px * scale) ** 2
    found = zip(boxes[1:].tolist(), centres[1:].tolist())  # the first is the belt
    return [
        _as_circle(box, centre, belt, scale)
        for box, centre in found
        if box[4] >= least and _inside(box, *tiny.shape[:2])
    ]


def _inside(box: list[int], height: int, width: int) -> bool:
    left, top, wide, tall, _ = box
    return left > 0 and top > 0 and left + wide < width and top + tall < height


def _as_circle(box: list[int], centre: list[float], belt: np.ndarray, scale: float) -> Circle:
    _, _, wide, tall, area = box
    x, y = ((v + 0.5) / scale - 0.5 for v in centre)
    surround = tuple(belt[int(centre[1]), int(centre[0])].tolist())
    return Circle(
        x,
        y,
        (area / np.pi) ** 0.5 / scale,
        0.0,
        min(wide, tall) / max(wide, tall),
        0.0,
        surround,
        alone=False,
    )


def _with_patches(circles: list[Circle], patches: list[Circle]) -> list[Circle]:
    """The circles, each set against the patch that it lies on, and the patches without one."""
    things = list(circles)
    for patch in patches:
        on_it = [
            i
            for i, circle in enumerate(circles)
            if _distance(circle, patch) < max(circle.radius_px, patch.radius_px)
        ]
        if not on_it:
            things.append(patch)
        crowded = patch.radius_px**2 > LONE_PATCH * sum(circles[i].radius_px ** 2 for i in on_it)
        for i in on_it:
            off = _distance(circles[i], patch) / circles[i].radius_px if len(on_it) == 1 else 0.0
            things[i] = replace(things[i], alone=things[i].alone and not crowded, off_patch=off)
    return things
