"""A frame's pixels -> everything that lies on the belt, coins as measured circles.

Hough's transform finds circles in a reduced image, `contour` measures each in the full one. What
stands out from the belt and is no circle (a bent coin, a screw, a scrap of paper) is found as a
patch that differs from its surroundings, so that nothing passes unseen.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from math import hypot

import cv2
import numpy as np

from coinsorter.errors import FrameError
from coinsorter.records import Circle
from coinsorter.vision import contour

log = logging.getLogger(__name__)

# Chosen on euro-trays/train and brl-frames/day1 (`python -m benchmarks.sweep_segment`), where
# nothing else is said.

#: The image is reduced until the smallest coin has this radius; fewer pixels lose small coins.
HOUGH_RADIUS_PX = 10.0
#: Upper threshold of Hough's edge detector (Canny), grey levels.
HOUGH_CANNY = 100
#: Edge pixels of the reduced image that must agree on a centre.
HOUGH_VOTES = 18
#: Width of the median that takes out noise before, pixels of the reduced image.
HOUGH_BLUR_PX = 5
#: Nearest distance of two candidates, in radii of the smallest coin: coins cannot be nearer.
CANDIDATE_DISTANCE = 0.8
#: Shortest side of an image, pixels.
MIN_SIDE_PX = 16
#: How much larger than the coin a patch may be, shadow included, as a factor of the radius.
PATCH_FACTOR = 1.25
#: In radii of a coin's core: up to there are its edges.
CORE_EDGES = 1.15
#: In radii: how far the middles of a coin and of its core may be apart.
CORE_SHIFT = 0.15

#: Circles that lie side by side fill at most this share of an area: pi over the root of 12.
DENSEST_PACKING = 0.9069

#: Circles that make a crowd, in which Hough misses coins between others.
CROWD = 6
#: There Hough's transform looks again, with less smoothing.
CROWD_BLUR_PX = 3
#: Share of the outline that must be seen of what only a patch or a second look has shown.
CLEAR_QUALITY = 0.8
#: In radii of a candidate, right to a third: nearer to a circle's outline its centre is on that
#: circle, and further away it is not beside it.
FREE_SHARE = 0.5
BESIDE = 1.7
#: In radii of the smaller: how far two circles may overlap there. Coins lie side by side.
CROWD_OVERLAP = 0.2

#: In radii: a circle that leaves the image further is not measured.
MAX_CUT = 0.18
#: What a coin measured by extent may be larger than by its edges, as a factor: nine in ten on
#: brl-frames/day1 are below.
EXTENT_FACTOR = 1.06
#: In sums of two radii: centres nearer than this are one coin found twice.
SAME_CIRCLE = 0.35
#: In radii: circles nearer than this touch.
TOUCHING_GAP = 0.08

#: Patches that stand out are looked for with the smallest coin reduced to this radius.
PATCH_RADIUS_PX = 3.5
#: Grey levels from the belt around, in any channel.
PATCH_CONTRAST = 14
#: Width of the median that tells what belt would be there, in radii of the smallest coin.
PATCH_SURROUND = 6.4
#: In areas of the smallest coin: smaller patches are dirt.
MIN_PATCH = 0.3
#: In areas of a doubtful circle: a smaller patch does not make it a coin.
SAME_PATCH = 0.6
#: In radii: a coin further from the middle of its patch is not alone, whatever the bundle allows.
#: Half a coin's width of something else beside it moves the middle by 0.3.
MAX_OFF_PATCH = 0.3
#: In areas of the circle: a larger patch (shadows included) is more than the coin. 99.3 % of
#: brl-frames/day1 are below 1.4; shadows of another day are longer. A bimetal coin of which the
#: core alone was outlined has 1.93 at least. What lies beside the coin moves the patch's middle.
LONE_PATCH = 1.8

#: How much smaller than the smallest coin, and larger than the largest, an outline may be to be
#: found, as factors of the diameter. Foreign objects may be of any size and have to be seen too.
SEARCH_MARGIN = (0.85, 1.2)


@dataclass(frozen=True)
class Search:
    """What is looked for, and what a lone round coin's outline is like.

    min_radius_px, max_radius_px: in pixels of the full image.
    min_roundness: shortest over longest diameter; below, it is bent (a tilted camera needs less:
    the bundle knows).
    min_quality: share of the outline that must be seen; below, a piece is missing or hidden.
    max_off_patch: in radii; further, the patch that stands out from the belt is more than the coin
    and its shadow.
    by_extent: radii are halfway between those of the edges and those of all that stands out from
    the belt; see `contour`.
    """

    min_radius_px: float
    max_radius_px: float
    min_roundness: float = 0.94
    min_quality: float = 0.8
    max_off_patch: float = MAX_OFF_PATCH
    by_extent: bool = False


@dataclass(frozen=True, eq=False)
class _Reduced:
    """An image made smaller. scale: its pixels per pixel of the full image."""

    pixels: np.ndarray
    scale: float


def find_circles(pixels: np.ndarray, search: Search) -> list[Circle]:
    """Everything on the belt in an image, from left to right; what the border cuts is left out.

    pixels: uint8 (h, w, 3) RGB. What is no circle comes with quality 0, its radius that of the
    circle of its area. Raises FrameError for anything that is not such an image.
    """
    check_pixels(pixels)
    half = _halve(pixels, search)
    patches = _find_patches(half, search)
    candidates = _find_candidates(half, search, HOUGH_BLUR_PX)
    room = _count_room(pixels.shape, search)
    measured = contour.measure_outlines(pixels, candidates[:room], search.by_extent)
    circles = _select_circles(measured, search, patches, pixels.shape)
    circles = _measure_patches(pixels, search, circles, patches)
    if len(circles) >= CROWD:
        circles += _look_again(pixels, half, search, patches, circles)
    things = _add_patches(_mark_touching(circles), patches)
    things += _list_unmeasured(candidates[room:], circles)
    marked = [_mark_unsound(thing, search) for thing in things]
    return sorted(marked, key=lambda thing: thing.x_px)


def find_coins(pixels: np.ndarray, search: Search) -> list[Circle]:
    """Every circle whose outline was measured, from left to right, without the patches.

    pixels: uint8 (h, w, 3) RGB. Raises FrameError for anything else.
    """
    return [circle for circle in find_circles(pixels, search) if circle.quality]


def find_only_coin(pixels: np.ndarray, search: Search) -> Circle | str:
    """The only circle in an image; "2 coins" and the like where there is not exactly one."""
    circles = find_coins(pixels, search)
    if len(circles) != 1:
        return f"{len(circles)} coins"
    return circles[0]


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


def check_pixels(pixels: object) -> None:
    """Raises FrameError unless `pixels` is uint8 (h, w, 3)."""
    if not isinstance(pixels, np.ndarray):
        kind = type(pixels).__name__
        raise FrameError(f"frame is a {kind}, not an array; check the camera")
    has_colours = pixels.ndim == 3 and pixels.shape[2] == 3
    is_rgb = has_colours and pixels.dtype == np.uint8
    if not is_rgb or min(pixels.shape[:2]) < MIN_SIDE_PX:
        raise FrameError(
            f"frame is {pixels.dtype} {pixels.shape}, not uint8 (height, width, 3); "
            "check the camera's format"
        )


def _halve(pixels: np.ndarray, search: Search) -> _Reduced:
    """The image at half its size where that is still enough for Hough.

    To average pixels four by four is fast, to average odd shares of them is not.
    """
    height, width = pixels.shape[:2]
    if search.min_radius_px / 2 < HOUGH_RADIUS_PX or height % 2 or width % 2:
        return _Reduced(pixels, 1.0)
    size = (width // 2, height // 2)
    half = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return _Reduced(half, half.shape[1] / width)


def _reduce(
    image: _Reduced,
    from_radius_px: float,
    to_radius_px: float,
) -> _Reduced:
    """The image made smaller until a coin of the one radius has the other."""
    factor = to_radius_px / (from_radius_px * image.scale)
    if not factor < 1:
        return image
    small = cv2.resize(image.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    width = image.pixels.shape[1]
    scale = image.scale * (small.shape[1] / width)
    return _Reduced(small, scale)


def _count_room(shape: tuple[int, ...], search: Search) -> int:
    """How many of the smallest coins have room in an image side by side."""
    height, width = shape[:2]
    coin_px2 = np.pi * search.min_radius_px**2
    return max(1, int(DENSEST_PACKING * width * height / coin_px2))


def _find_candidates(
    image: _Reduced,
    search: Search,
    blur_px: int,
) -> np.ndarray:
    """Hough's circles, most votes first.

    blur_px: width of the median before. float32 (n, 3) of x, y, radius in pixels of the full image.
    """
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    small = _reduce(_Reduced(grey, image.scale), search.min_radius_px, HOUGH_RADIUS_PX)
    circles = cv2.HoughCircles(
        cv2.medianBlur(small.pixels, blur_px),
        cv2.HOUGH_GRADIENT,
        1,
        CANDIDATE_DISTANCE * search.min_radius_px * small.scale,
        param1=HOUGH_CANNY,
        param2=HOUGH_VOTES,
        minRadius=int(search.min_radius_px * small.scale),
        maxRadius=int(np.ceil(search.max_radius_px * small.scale)),
    )
    if circles is None:
        return np.empty((0, 3), np.float32)
    candidates: np.ndarray = circles[0, :, :3] / np.float32(small.scale)
    # Pixel centres are whole numbers in both images.
    half_pixel = 0.5 / small.scale - 0.5
    candidates[:, :2] += np.float32(half_pixel)
    return candidates


def _measure_patches(
    pixels: np.ndarray,
    search: Search,
    circles: list[Circle],
    patches: list[Circle],
) -> list[Circle]:
    """The circles, with those of patches of which none was found, or a coin's core only."""
    for patch in patches:
        on_patch = _list_on_patch(circles, patch)
        if len(on_patch) > 1 or not _is_crowded(patch, on_patch):
            continue
        core_px = max((circle.radius_px for circle in on_patch), default=0.0)
        whole = _measure_patch(pixels, search, patch, CORE_EDGES * core_px)
        if whole and all(_surrounds(whole, core) for core in on_patch):
            circles = [circle for circle in circles if circle not in on_patch] + [whole]
    return circles


def _measure_patch(
    pixels: np.ndarray,
    search: Search,
    patch: Circle,
    inner_px: float,
) -> Circle | None:
    """The outline of a patch that is one coin, by the edges further out than inner_px."""
    if not search.min_radius_px <= patch.radius_px <= PATCH_FACTOR * search.max_radius_px:
        return None
    candidate = np.array([(patch.x_px, patch.y_px, patch.radius_px)], np.float32)
    measured = contour.measure_outlines(pixels, candidate, search.by_extent, inner_px)
    selected = _select_circles(measured, search, [], pixels.shape)
    clear = [circle for circle in selected if circle.quality >= CLEAR_QUALITY]
    return clear[0] if clear else None


def _surrounds(outer: Circle, inner: Circle) -> bool:
    """Whether a circle is around another one, on the same middle."""
    is_around = outer.radius_px > inner.radius_px
    return is_around and _measure_distance(outer, inner) < CORE_SHIFT * outer.radius_px


def _look_again(
    pixels: np.ndarray,
    half: _Reduced,
    search: Search,
    patches: list[Circle],
    circles: list[Circle],
) -> list[Circle]:
    """The circles in a crowd that were not found before, none of them called alone.

    Those of which less is seen are things of quality 0.
    """
    candidates = _find_candidates(half, search, CROWD_BLUR_PX)
    beside = _select_beside(candidates, circles)
    room = _count_room(pixels.shape, search)
    measured = contour.measure_outlines(pixels, beside[:room], search.by_extent)
    selected = _select_circles(measured, search, patches, pixels.shape)
    unknown = [circle for circle in selected if not _overlaps_any(circle, circles)]
    return [_mark_found_late(circle) for circle in unknown]


def _select_beside(candidates: np.ndarray, circles: list[Circle]) -> np.ndarray:
    """The candidates that are beside a circle and on none: float32 (n, 3)."""
    places = [(circle.x_px, circle.y_px, circle.radius_px) for circle in circles]
    circle_x, circle_y, circle_radius = np.array(places).T
    x, y, radius = candidates.T[:, :, None]
    distance = np.hypot(x - circle_x, y - circle_y)
    is_on = (distance < circle_radius + FREE_SHARE * radius).any(axis=1)
    is_beside = (distance < circle_radius + BESIDE * radius).any(axis=1)
    selected: np.ndarray = candidates[is_beside & ~is_on]
    return selected


def _mark_found_late(circle: Circle) -> Circle:
    quality = circle.quality if circle.quality >= CLEAR_QUALITY else 0.0
    return replace(circle, quality=quality, alone=False)


def _covers(circles: list[Circle], x_px: float, y_px: float, radius_px: float) -> bool:
    """Whether a candidate's centre lies in the inner half of a circle."""
    return any(
        hypot(x_px - circle.x_px, y_px - circle.y_px) < circle.radius_px / 2 for circle in circles
    )


def _overlaps_any(circle: Circle, others: list[Circle]) -> bool:
    return any(
        _measure_gap(circle, other) < -CROWD_OVERLAP * min(circle.radius_px, other.radius_px)
        for other in others
    )


def _list_unmeasured(candidates: np.ndarray, circles: list[Circle]) -> list[Circle]:
    """Candidates for which there is no room, as things that are not alone."""
    if len(candidates):
        _warn_of_pattern()
    return [
        Circle(x, y, radius, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0), alone=False)
        for x, y, radius in candidates.tolist()
        if not _covers(circles, x, y, radius)
    ]


@cache
def _warn_of_pattern() -> None:
    """Says once that not all in a frame is measured."""
    log.warning(
        "more circles in a frame than coins have room: the rest is not measured, and rejected; "
        "look at belt, lamp and lens"
    )


def _select_circles(
    circles: list[Circle],
    search: Search,
    patches: list[Circle],
    shape: tuple[int, ...],
) -> list[Circle]:
    """Those that may be coins and lie in the image as a whole, each coin once."""
    height, width = shape[:2]
    plausible = [circle for circle in circles if _is_plausible(circle, search, patches)]
    uncut = [circle for circle in plausible if _is_uncut(circle, search, width, height)]
    return _drop_repeats(uncut)


def _is_plausible(
    circle: Circle,
    search: Search,
    patches: list[Circle],
) -> bool:
    """Of the right size, and with enough of its outline seen."""
    if not search.min_radius_px <= circle.radius_px <= search.max_radius_px:
        return False
    if circle.quality >= contour.MIN_QUALITY:
        return True
    if circle.quality >= contour.DOUBTFUL_QUALITY:
        return any(_is_same_patch(circle, patch) for patch in patches)
    return False


def _is_same_patch(circle: Circle, patch: Circle) -> bool:
    distance = _measure_distance(circle, patch)
    area_ratio = (patch.radius_px / circle.radius_px) ** 2
    is_near = distance < SAME_CIRCLE * circle.radius_px
    return is_near and SAME_PATCH < area_ratio < LONE_PATCH


def _is_uncut(
    circle: Circle,
    search: Search,
    width: int,
    height: int,
) -> bool:
    """Not cut by the image's border, or by next to nothing."""
    extent = EXTENT_FACTOR if search.by_extent else 1
    reach = (1 - MAX_CUT) * circle.radius_px / extent
    is_in_width = circle.x_px >= reach and circle.x_px + reach <= width - 1
    is_in_height = circle.y_px >= reach and circle.y_px + reach <= height - 1
    return is_in_width and is_in_height


def _drop_repeats(circles: list[Circle]) -> list[Circle]:
    """Of circles that are the same coin found twice, the one with more of its outline seen."""
    best_first = sorted(circles, key=lambda circle: -circle.quality)
    distinct: list[Circle] = []
    for circle in best_first:
        if not any(_is_same_circle(circle, other) for other in distinct):
            distinct.append(circle)
    return distinct


def _is_same_circle(a: Circle, b: Circle) -> bool:
    both_radii_px = a.radius_px + b.radius_px
    return _measure_distance(a, b) < SAME_CIRCLE * both_radii_px


def _mark_unsound(circle: Circle, search: Search) -> Circle:
    """The circle, no more alone where its outline is not that of a lone round coin."""
    if _is_sound(circle, search):
        return circle
    return replace(circle, alone=False)


def _is_sound(circle: Circle, search: Search) -> bool:
    """Round, all of it seen, and nothing more to be seen."""
    if not circle.roundness >= search.min_roundness:
        return False
    if not circle.quality >= search.min_quality:
        return False
    return circle.off_patch <= min(search.max_off_patch, MAX_OFF_PATCH)


def _mark_touching(circles: list[Circle]) -> list[Circle]:
    marked = []
    for circle in circles:
        is_touching = _touches_any(circle, circles)
        marked.append(replace(circle, alone=False) if is_touching else circle)
    return marked


def _touches_any(circle: Circle, circles: list[Circle]) -> bool:
    touching_px = TOUCHING_GAP * circle.radius_px
    others = [other for other in circles if other is not circle]
    return any(_measure_gap(circle, other) < touching_px for other in others)


def _measure_gap(a: Circle, b: Circle) -> float:
    return _measure_distance(a, b) - a.radius_px - b.radius_px


def _measure_distance(a: Circle, b: Circle) -> float:
    return hypot(a.x_px - b.x_px, a.y_px - b.y_px)


def _find_patches(image: _Reduced, search: Search) -> list[Circle]:
    """What differs from the belt around it, as circles of the same area and quality 0.

    In pixels of the full image. Patches at the border are left out.
    """
    tiny = _reduce(image, search.min_radius_px, PATCH_RADIUS_PX)
    height, width = tiny.pixels.shape[:2]
    blur_px = int(PATCH_SURROUND * PATCH_RADIUS_PX) | 1  # odd, as OpenCV wants it
    belt = cv2.medianBlur(tiny.pixels, blur_px)
    mask = _mask_patches(tiny.pixels, belt)
    _, _, boxes, centres = cv2.connectedComponentsWithStats(mask, connectivity=4)
    min_radius_px = search.min_radius_px * tiny.scale
    min_area = MIN_PATCH * np.pi * min_radius_px**2
    patches = []
    areas = zip(boxes.tolist(), centres.tolist())
    next(areas)  # the belt
    for box, centre in areas:
        if box[4] >= min_area and _is_inside(box, height, width):
            patches.append(_as_circle(box, centre, belt, tiny.scale))
    return patches


def _mask_patches(pixels: np.ndarray, belt: np.ndarray) -> np.ndarray:
    """Where an image differs from the belt: uint8 (h, w), 255 where it does."""
    difference = cv2.absdiff(pixels, belt).reshape(-1, 3)
    strongest = cv2.reduce(difference, 1, cv2.REDUCE_MAX)
    contrast = strongest.reshape(pixels.shape[:2])
    _, mask = cv2.threshold(contrast, PATCH_CONTRAST, 255, cv2.THRESH_BINARY)
    return mask


def _is_inside(
    box: list[int],
    height: int,
    width: int,
) -> bool:
    left, top, box_width, box_height, _ = box
    is_in_width = left > 0 and left + box_width < width
    return is_in_width and top > 0 and top + box_height < height


def _as_circle(
    box: list[int],
    centre: list[float],
    belt: np.ndarray,
    scale: float,
) -> Circle:
    _, _, width, height, area = box
    x_px, y_px = ((place + 0.5) / scale - 0.5 for place in centre)
    column = int(centre[0])
    row = int(centre[1])
    red, green, blue = belt[row, column].tolist()
    return Circle(
        x_px=x_px,
        y_px=y_px,
        radius_px=(area / np.pi) ** 0.5 / scale,
        quality=0.0,
        roundness=min(width, height) / max(width, height),
        sharpness=0.0,
        surround=(red, green, blue),
        alone=False,
    )


def _add_patches(circles: list[Circle], patches: list[Circle]) -> list[Circle]:
    """The circles, each set against the patch that it lies on, and the patches without one."""
    things = list(circles)
    for patch in patches:
        places = [i for i, circle in enumerate(circles) if _lies_on(circle, patch)]
        if not places:
            things.append(patch)
        is_crowded = _is_crowded(patch, [circles[i] for i in places])
        for i in places:
            is_alone = things[i].alone and not is_crowded
            off_patch = _measure_off_patch(circles[i], patch) if len(places) == 1 else 0.0
            things[i] = replace(things[i], alone=is_alone, off_patch=off_patch)
    return things


def _is_crowded(patch: Circle, on_patch: list[Circle]) -> bool:
    """Whether a patch is more than the circles on it."""
    covered_px2 = sum(circle.radius_px**2 for circle in on_patch)
    return patch.radius_px**2 > LONE_PATCH * covered_px2


def _list_on_patch(circles: list[Circle], patch: Circle) -> list[Circle]:
    return [circle for circle in circles if _lies_on(circle, patch)]


def _lies_on(circle: Circle, patch: Circle) -> bool:
    reach_px = max(circle.radius_px, patch.radius_px)
    return _measure_distance(circle, patch) < reach_px


def _measure_off_patch(circle: Circle, patch: Circle) -> float:
    return _measure_distance(circle, patch) / circle.radius_px
