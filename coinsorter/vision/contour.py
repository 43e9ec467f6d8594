"""A candidate circle -> the coin's outline, measured to sub-pixel.

Along 64 rays from the candidate's centre the edges are collected. Where they leave a choice,
circles through triples of them are tried (RANSAC: Fischler and Bolles, 1981), and the largest of
the well supported ones is taken (inner rims are smaller, shadows have weaker edges). It is refined
to an ellipse by weighted least squares.

On belts where coins cast shadows, and their rims shine as the belt does, edges are found now on
this side of the rim and now on that one. What stands out from the belt, shadow included, is then
the steadier measure, but shadows change from day to day: halfway between the two radii is better
than either. Both are of the shortest diameter, which a shadow to one side does not lengthen; and
the coin is at that end of the longest one which is without the shadow.

An outline is r(angle): float (RAYS,), the distance from the rays' centre along each ray, in units
of the candidate's radius. Points in the image are complex numbers, x + iy.
"""

from cmath import rect
from dataclasses import dataclass
from math import atan2, hypot
from typing import NamedTuple

import cv2
import numpy as np

from coinsorter.records import Circle

#: Rays on which edges are looked for.
RAYS = 64
#: Candidates whose rays are sampled at once: OpenCV's remap takes fewer than 32,768 rows.
SAMPLED_TOGETHER = 256
#: Samples along a ray, in units of the candidate's radius: a candidate is right to a third of it.
_REACH = np.linspace(0.55, 1.5, 41, dtype=np.float32)
_STEP = float(_REACH[1] - _REACH[0])
#: An edge lies between its two neighbours, so the first and the last sample have none.
_FIRST_EDGE = float(_REACH[1])
_EDGES = len(_REACH) - 2
_ANGLES = np.arange(RAYS) * (2 * np.pi / RAYS)
_RAY = np.exp(1j * _ANGLES).astype(np.complex64)
_RAY_BACK = _RAY.conj()
_RAY_X = _RAY.real[:, None] * _REACH
_RAY_Y = _RAY.imag[:, None] * _REACH
#: Where each ray starts in a flat array of edges.
_RAY_STARTS = np.arange(RAYS) * _EDGES
_NEIGHBOURS = np.ones((1, 3), np.uint8)
#: Samples from 1.3 radii on show the belt around the coin.
_FIRST_SURROUND = int(np.searchsorted(_REACH, 1.3))

#: Three rays a third of a turn apart: the circles that RANSAC tries. More triples found no more
#: coins on euro-trays/train (`python -m benchmarks.trays`).
_TRIPLE_STARTS = np.arange(0, RAYS, 4)
_THIRD_OF_TURN = 21
_TRIPLES = np.array(
    [
        _TRIPLE_STARTS,
        (_TRIPLE_STARTS + _THIRD_OF_TURN) % RAYS,
        (_TRIPLE_STARTS + 2 * _THIRD_OF_TURN) % RAYS,
    ]
)
#: Terms of an outline: a circle, off the rays' centre, pressed to an ellipse; float (RAYS, 5).
_HARMONICS = np.stack(
    [
        np.ones(RAYS),
        np.cos(_ANGLES),
        np.sin(_ANGLES),
        np.cos(2 * _ANGLES),
        np.sin(2 * _ANGLES),
    ],
    axis=1,
).astype(np.float32)
#: Ridge of the least squares, in edges: it holds the ellipse back where edges are missing.
_RIDGE = np.diag([1e-3, 1e-3, 1e-3, 0.3, 0.3]).astype(np.float32)
#: Rays as near as a sixth of a turn to an outline's longest diameter are at its end.
_END_COSINE = 0.5
_EQUAL_WEIGHTS = np.ones(RAYS, np.float32)
#: The candidate itself, as an outline.
_CANDIDATE = np.ones(RAYS, np.float32)
_NEXT_RAY = np.roll(np.arange(RAYS), -1)
#: Steps either side of the outline in which edges are looked for, first and then.
_BANDS = [np.arange(2 * steps + 1) for steps in (3, 2)]
#: Root of a polygon's area over the radius of the circle that it approximates.
_POLYGON_FACTOR = float(np.sqrt(RAYS / 2 * np.sin(2 * np.pi / RAYS)))
#: Steps along a ray that an edge may be off an outline and still lie on it.
_ON_OUTLINE_STEPS = 1.5
#: Radii of the circles that RANSAC takes, in units of the candidate's.
_MIN_RADIUS = 0.6
_MAX_RADIUS = 1.4
#: Their centres' largest distance from the candidate's, in the same units.
_MAX_OFFSET = 0.45
#: What keeps divisions from being by zero: an area in units of the candidate's radius squared ...
_MIN_AREA = 1e-6
#: ... and a difference in grey levels.
_MIN_DIFFERENCE = 1e-3

# Chosen on euro-trays/train and brl-frames/day1 (`python -m benchmarks.sweep_segment`):

#: Share of the outline that must be seen, as edges. Below, it is a pattern and no circle ...
MIN_QUALITY = 0.68
#: ... or a doubtful circle, believed where a patch of about its size stands out from the belt.
DOUBTFUL_QUALITY = 0.5
#: Grey levels over two steps along a ray; below is noise.
MIN_EDGE = 12.0
#: Share of the median ray's strongest edge: what counts as an edge at all.
EDGE_SHARE = 0.25
#: Times the weakest edge: what counts in full.
STRONG_EDGE = 2.5
#: Times the weakest edge: in the fit, stronger ones count no more.
MAX_EDGE_WEIGHT = 2
#: Share of the best circle's support: the largest circle with as much is taken.
EQUAL_SUPPORT = 0.94
#: Shares of the rays. Where so many edges lie on one outline ...
MIN_UNDISPUTED = 0.8
#: ... and so many rays have no edge beyond it, no circles are tried.
MIN_OUTERMOST = 0.5
#: Steps along a ray: an outline that moves by less is refined no further.
SETTLED_STEPS = 0.5
#: A candidate that was further off its outline is measured again from there: its centre in units of
#: its radius ...
SETTLED_SHIFT = 0.2
#: ... and the ratio of the radii.
SETTLED_RATIO = 1.2

# Chosen on brl-frames/day1 by the standard deviation of diameters within bursts: 0.8 % by extent
# (half of all coins), 1.3 % by edges. On days made of its bursts in other orders, with the camera
# set up again, the two halfway leave fewest coins unsure at the same risk. Robust standard
# deviation of all diameters about the view's plane: 1.95 % by areas, 1.04 % by shortest diameters.

#: Share of the coin's own contrast with the belt: less is belt.
EXTENT_SHARE = 0.18
#: In outline radii: from there the extent is looked for.
EXTENT_FROM = 0.85

#: By how much of the weaker end's edges the stronger end's exceed them where a coin is plainly at
#: that end: 99 in 100 do on brl-frames/day1, of outlines that are longer by a twentieth.
CLEAR_RATIO = 0.1

# Set by eye; no photograph at hand decides between values near them.

#: In extents of the median ray: a gap in the rim, or a neighbour, is cut to this range.
EXTENT_RANGE = (0.8, 1.25)

#: Grey levels: a contrast below is noise.
MIN_CONTRAST = 8


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges along the rays of one candidate.

    strength: float32 (RAYS, _EDGES), grey levels. threshold: the least that counts as an edge.
    """

    strength: np.ndarray
    threshold: float


#: What values are limited to.
Limit = float | np.ndarray


class _Fit(NamedTuple):
    """An outline, its harmonics (5,), each ray's edge strength, and the share of rays on it."""

    outline: np.ndarray
    harmonics: np.ndarray
    strength: np.ndarray
    quality: float


def measure_outlines(
    pixels: np.ndarray,
    candidates: np.ndarray,
    by_extent: bool = False,
    inner_px: float = 0.0,
) -> list[Circle]:
    """The outline of each candidate in an RGB image that has one, all still called alone.

    candidates: float32 (n, 3) of x, y, radius in pixels, each right to a third of its radius. Those
    that turn out far off their outline are measured a second time, from nearer. by_extent: the
    radius is halfway between that of the edges and that of all that stands out from the belt.
    inner_px: edges nearer to a candidate's centre are those of something on the coin.
    """
    if not len(candidates):
        return []
    circles = _measure_each(pixels, candidates, by_extent, inner_px)
    far_off = _list_far_off(circles, candidates)
    if far_off:
        places = [_as_candidate(circle) for _, circle in far_off]
        nearer = np.array(places, np.float32)
        measured_again = _measure_each(pixels, nearer, by_extent, inner_px)
        for (index, circle), again in zip(far_off, measured_again):
            circles[index] = again or circle
    return [circle for circle in circles if circle]


def _measure_each(
    pixels: np.ndarray,
    candidates: np.ndarray,
    by_extent: bool,
    inner_px: float,
) -> list[Circle | None]:
    circles = []
    for start in range(0, len(candidates), SAMPLED_TOGETHER):
        batch = candidates[start : start + SAMPLED_TOGETHER]
        for candidate, samples in zip(batch.tolist(), _sample_rays(pixels, batch)):
            x, y, radius = candidate
            edges = _find_edges(samples, inner_px / radius)
            circle = _measure_outline(x, y, radius, samples, edges, by_extent)
            circles.append(circle)
    return circles


def _list_far_off(circles: list[Circle | None], candidates: np.ndarray) -> list[tuple[int, Circle]]:
    """The circles far off their candidates, with their places in the list."""
    far_off = []
    for index, (circle, candidate) in enumerate(zip(circles, candidates)):
        if circle and not _is_settled(circle, *candidate):
            far_off.append((index, circle))
    return far_off


def _as_candidate(circle: Circle) -> tuple[float, float, float]:
    return circle.x_px, circle.y_px, circle.radius_px


def _sample_rays(pixels: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The image along the rays of each candidate: uint8 (n, RAYS, steps, 3)."""
    x, y, radius = candidates.T[:, :, None, None]
    steps = len(_REACH)
    map_x = (x + radius * _RAY_X).reshape(-1, steps)
    map_y = (y + radius * _RAY_Y).reshape(-1, steps)
    rays = cv2.remap(pixels, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shape = (len(candidates), RAYS, steps, 3)
    return cv2.blur(rays, (3, 1)).reshape(shape)


def _is_settled(
    circle: Circle,
    x: float,
    y: float,
    radius: float,
) -> bool:
    shift = hypot(circle.x_px - x, circle.y_px - y)
    ratio = circle.radius_px / radius
    is_near = shift < SETTLED_SHIFT * radius
    return is_near and 1 / SETTLED_RATIO < ratio < SETTLED_RATIO


def _measure_outline(
    x: float,
    y: float,
    radius: float,
    samples: np.ndarray,
    edges: _Edges,
    by_extent: bool,
) -> Circle | None:
    """The outline of one candidate, or None where no circle fits its edges."""
    first = _find_first_outline(edges)
    if first is None:
        return None
    fit = _choose_fit(edges, first)
    if not fit.outline.min() > 0:  # the edges lie so that no circle is around the rays' centre
        return None
    centre, outline_radius = _find_centroid(fit.outline)
    surround = _measure_surround(samples)
    if by_extent:
        extent = _measure_extent(samples, fit.outline, surround)
        extent_harmonics = _fit_harmonics(extent, _EQUAL_WEIGHTS)
        by_edges = _measure_short_radius(fit.outline, fit.harmonics)
        outline_radius = (by_edges * _measure_short_radius(extent, extent_harmonics)) ** 0.5
        centre += _find_shadow_shift(fit, outline_radius)
    return Circle(
        x_px=x + centre.real * radius,
        y_px=y + centre.imag * radius,
        radius_px=outline_radius * radius,
        quality=fit.quality,
        roundness=_compute_roundness(fit.harmonics),
        sharpness=_compute_sharpness(fit.strength, radius),
        surround=surround,
        alone=True,
    )


def _measure_short_radius(outline: np.ndarray, harmonics: np.ndarray) -> float:
    """Half an outline's shortest diameter: coins are round, and a shadow lengthens them one way."""
    _, radius = _find_centroid(outline)
    return radius * (1 + _compute_roundness(harmonics)) / 2


def _find_shadow_shift(fit: _Fit, radius: float) -> complex:
    """From the middle of an outline to that of the coin in it, which a shadow lengthens one way.

    The coin is a circle of `radius` at the end with the stronger edges: a shadow's are soft. The
    result and `radius` are in units of the candidate's radius. Where both ends are alike, as
    between two lamps, it is 0.
    """
    amplitude = hypot(fit.harmonics[3], fit.harmonics[4])
    along = 0.5 * atan2(fit.harmonics[4], fit.harmonics[3])
    is_at_end = np.cos(_ANGLES - along) > _END_COSINE
    is_at_other_end = np.roll(is_at_end, RAYS // 2)
    strength = float(fit.strength[is_at_end].sum())
    other_strength = float(fit.strength[is_at_other_end].sum())
    weaker = max(min(strength, other_strength), _MIN_DIFFERENCE)
    sureness = (strength - other_strength) / (weaker * CLEAR_RATIO)
    shift = max(0.0, float(fit.harmonics[0]) + amplitude - radius)
    return rect(shift * max(-1.0, min(1.0, sureness)), along)


def _compute_sharpness(strength: np.ndarray, radius: float) -> float:
    """Grey levels per pixel, over the two steps that an edge was measured on."""
    total = float(strength.sum())
    return total / (RAYS * 2 * _STEP * radius)


def _compute_roundness(harmonics: np.ndarray) -> float:
    amplitude = hypot(harmonics[3], harmonics[4])
    return 1 - 2 * amplitude / float(harmonics[0])


def _find_edges(samples: np.ndarray, inner: float) -> _Edges:
    """The edges along the rays that are further out than `inner`, in radii."""
    before = samples[:, :-2]
    after = samples[:, 2:]
    difference = cv2.absdiff(after, before)
    contrast = _reduce_channels(difference)
    strength = contrast.reshape(RAYS, _EDGES).astype(np.float32)
    strength[:, : int(_find_steps(np.array(inner)))] = 0
    strongest = strength.max(axis=1)
    threshold = max(MIN_EDGE, EDGE_SHARE * float(_compute_median(strongest)))
    return _Edges(strength, threshold)


def _reduce_channels(difference: np.ndarray) -> np.ndarray:
    """The strongest of each pixel's three channels, one column."""
    return cv2.reduce(difference.reshape(-1, 3), 1, cv2.REDUCE_MAX)


def _find_first_outline(edges: _Edges) -> np.ndarray | None:
    """Roughly the outline; None where there is none."""
    strongest = edges.strength.argmax(axis=1)
    outermost = _find_outermost_edges(edges)
    steps = np.array([outermost, strongest], np.float32)
    reach = _FIRST_EDGE + _STEP * steps
    is_outermost = outermost == strongest
    undisputed = _find_undisputed_outline(reach[1], is_outermost)
    return _find_best_circle(edges, reach) if undisputed is None else undisputed


def _find_outermost_edges(edges: _Edges) -> np.ndarray:
    """The step of each ray's outermost edge."""
    middle = edges.strength[:, 1:-1]
    before = edges.strength[:, :-2]
    after = edges.strength[:, 2:]
    is_edge = middle >= edges.threshold
    is_peak = is_edge & (middle >= before) & (middle >= after)
    inwards = is_peak[:, ::-1]
    outermost: np.ndarray = _EDGES - 2 - inwards.argmax(axis=1)
    return outermost


def _find_undisputed_outline(strongest: np.ndarray, is_outermost: np.ndarray) -> np.ndarray | None:
    """The outline through each ray's strongest edge; None where there is another choice.

    There is none if most of these edges lie on one outline, and on enough rays nothing is beyond.
    """
    if np.count_nonzero(is_outermost) < MIN_OUTERMOST * RAYS:
        return None
    outline = _HARMONICS @ _fit_harmonics(strongest, _EQUAL_WEIGHTS)
    is_on_outline = _is_on_outline(strongest, outline)
    agreeing = np.count_nonzero(is_on_outline)
    return outline if agreeing >= MIN_UNDISPUTED * RAYS else None


def _is_on_outline(reach: np.ndarray, outline: np.ndarray) -> np.ndarray:
    near: np.ndarray = np.abs(reach - outline) < _ON_OUTLINE_STEPS * _STEP
    return near


def _find_best_circle(edges: _Edges, reach: np.ndarray) -> np.ndarray | None:
    """The largest of the best supported circles through three edges, as an outline.

    reach: float32 (2, RAYS), of each ray's outermost and strongest edge.
    """
    centre, radius = _fit_triples(reach * _RAY)
    is_near = np.abs(centre) < _MAX_OFFSET
    is_of_size = (radius > _MIN_RADIUS) & (radius < _MAX_RADIUS)
    is_sane = is_near & is_of_size
    centre = centre[is_sane, None]
    radius = radius[is_sane]
    if not len(radius):
        return None
    outlines = _trace_circles(centre, radius)
    support = _measure_support(edges, outlines)
    equals = np.flatnonzero(support >= EQUAL_SUPPORT * support.max())
    largest = equals[radius[equals].argmax()]
    best: np.ndarray = outlines[largest]
    return best


def _trace_circles(centre: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The outlines of circles: (n, RAYS)."""
    offset = centre * _RAY_BACK  # as seen from each ray: how far along it, and how far aside
    squared = radius[:, None] ** 2
    chord = np.maximum(squared - offset.imag**2, 0)
    outlines: np.ndarray = offset.real + np.sqrt(chord)
    return outlines


def _measure_support(edges: _Edges, outlines: np.ndarray) -> np.ndarray:
    """How well each outline is supported by the edges on it and beside it."""
    nearby = cv2.dilate(edges.strength, _NEIGHBOURS)
    strong = STRONG_EDGE * edges.threshold
    weight = np.minimum(nearby * (1 / strong), 1)
    squared = (weight * weight).ravel()
    places = _RAY_STARTS + _find_steps(outlines)
    support: np.ndarray = squared.take(places).sum(axis=1)
    return support


def _find_steps(reach: np.ndarray) -> np.ndarray:
    """The nearest step of each distance from the rays' centre."""
    offset = reach - (_FIRST_EDGE - _STEP / 2)
    steps = (offset * (1 / _STEP)).astype(np.intp)
    return _limit(steps, 0, _EDGES - 1)


def _limit(
    values: np.ndarray,
    low: Limit,
    high: Limit,
) -> np.ndarray:
    """The values, none below `low` and none above `high`; faster than np.clip."""
    limited: np.ndarray = np.minimum(np.maximum(values, low), high)
    return limited


def _fit_triples(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and radius of the circles through the points at each triple of rays.

    points: complex (sets, RAYS).
    """
    triples = points[:, _TRIPLES]
    first, second, third = triples.swapaxes(0, 1).reshape(3, -1)
    u = second - first
    v = third - first
    twice_area = 2 * (u.conj() * v).imag
    twice_area[np.abs(twice_area) < _MIN_AREA] = _MIN_AREA
    u_squared = (u * u.conj()).real
    v_squared = (v * v.conj()).real
    centre = 1j * (v_squared * u - u_squared * v) / twice_area
    return centre + first, np.abs(centre)


def _choose_fit(edges: _Edges, outline: np.ndarray) -> _Fit:
    """The outline moved onto the edges near it; where few lie on it, the candidate's own if better.

    Between coins that lie close, each ray's outermost and strongest edges are its neighbours'. An
    outline in dispute is believed by the mean of the two, so that it replaces no undisputed one.
    """
    fit = _refine(edges, outline)
    if fit.quality >= MIN_QUALITY:
        return fit
    own = _refine(edges, _CANDIDATE)
    if own.quality <= fit.quality:
        return fit
    mean = max(MIN_QUALITY, (fit.quality + own.quality) / 2)
    return own._replace(quality=min(own.quality, mean))


def _refine(edges: _Edges, outline: np.ndarray) -> _Fit:
    """The outline moved onto the edges near it."""
    for band in _BANDS:
        step, strength = _find_nearest_edges(edges.strength, outline, band)
        reach = _FIRST_EDGE + _STEP * step
        miss = (reach - outline) / _STEP
        is_edge = strength >= edges.threshold
        full = strength * (1 / edges.threshold)
        capped = np.minimum(full, MAX_EDGE_WEIGHT)
        weight = capped * is_edge / (1 + miss * miss)
        harmonics = _fit_harmonics(reach, weight)
        before = outline
        outline = _HARMONICS @ harmonics
        if np.abs(outline - before).max() < SETTLED_STEPS * _STEP:
            break
    hits = is_edge & _is_on_outline(reach, outline)
    quality = int(np.count_nonzero(hits)) / RAYS
    return _Fit(outline, harmonics, strength, quality)


def _fit_harmonics(reach: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The harmonics of the outline nearest to one point on each ray: (5,).

    By weighted least squares.
    """
    weighted = _HARMONICS * weight[:, None]
    normal = weighted.T @ _HARMONICS + _RIDGE
    target = weighted.T @ reach
    _, solution = cv2.solve(normal, target, flags=cv2.DECOMP_CHOLESKY)
    harmonics: np.ndarray = solution[:, 0]
    return harmonics


def _find_nearest_edges(
    strength: np.ndarray,
    outline: np.ndarray,
    band: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Each ray's strongest edge within the steps of `band` from the outline: step and strength.

    The step is right to a fraction, by a parabola through the edge and its neighbours.
    """
    flat = strength.ravel()
    reach = (len(band) - 1) // 2
    steps = _find_steps(outline)
    first = _limit(steps - reach, 1, _EDGES - 2 - 2 * reach)
    starts = _RAY_STARTS + first
    within = flat.take(starts[:, None] + band)
    peak = first + within.argmax(axis=1)
    at_peak = _RAY_STARTS + peak
    before = flat.take(at_peak - 1)
    at = flat.take(at_peak)
    after = flat.take(at_peak + 1)
    curvature = np.maximum(2 * at - before - after, _MIN_DIFFERENCE)
    shift = 0.5 * (after - before) / curvature
    return peak + _limit(shift, -0.5, 0.5), at


def _find_centroid(outline: np.ndarray) -> tuple[complex, float]:
    """Centre of the outline's area, and the radius of the circle of that area.

    What the polygon lacks to the outline is made up for.
    """
    corners = outline * _RAY
    following = corners[_NEXT_RAY]
    cross = (corners.conj() * following).imag
    area = float(cross.sum()) / 2
    moments = (corners + following) * cross
    centre = complex(moments.sum()) / (6 * area)
    return centre, area**0.5 / _POLYGON_FACTOR


def _measure_extent(
    samples: np.ndarray,
    outline: np.ndarray,
    surround: tuple[float, float, float],
) -> np.ndarray:
    """How far along each ray what stands out from the belt reaches without a gap, as an outline.

    Right to a fraction of a step, by interpolation.
    """
    colour = (*surround, 0.0)
    difference = cv2.absdiff(samples, colour)  # type: ignore[call-overload]  # no colours in stubs
    strongest = _reduce_channels(difference)
    contrast = strongest.reshape(RAYS, -1).astype(np.float32)
    search_from = EXTENT_FROM * outline[:, None]
    threshold = _choose_contrast_threshold(contrast, search_from)
    is_belt = (contrast <= threshold) & (search_from <= _REACH)
    is_belt[:, -1] = True
    first = np.maximum(is_belt.argmax(axis=1), 1)
    rays = np.arange(RAYS)
    last = contrast[rays, first - 1]
    beyond = contrast[rays, first]
    drop = np.maximum(last - beyond, _MIN_DIFFERENCE)
    share = _limit((last - threshold) / drop, 0, 1)
    extent = _REACH[first - 1] + _STEP * share
    return _cut_outliers(extent)


def _choose_contrast_threshold(contrast: np.ndarray, search_from: np.ndarray) -> float:
    """The contrast with the belt, in grey levels, below which there is only belt."""
    on_coin = contrast[search_from > _REACH]
    if not len(on_coin):  # the candidate is so much too large that rays begin outside the coin
        return MIN_CONTRAST
    return max(MIN_CONTRAST, EXTENT_SHARE * float(_compute_median(on_coin)))


def _cut_outliers(extent: np.ndarray) -> np.ndarray:
    median = float(_compute_median(extent))
    low, high = EXTENT_RANGE
    return _limit(extent, low * median, high * median)


def _measure_surround(samples: np.ndarray) -> tuple[float, float, float]:
    """Median colour of the outer ends of the rays."""
    every_other_ray = samples[::2]
    outer_ends = every_other_ray[:, _FIRST_SURROUND:]
    colours = outer_ends.reshape(-1, 3)
    red, green, blue = _compute_median(colours).tolist()
    return red, green, blue


def _compute_median(values: np.ndarray) -> np.ndarray:
    """Of each column (the upper one of the middle two): np.median takes several times as long."""
    middle = len(values) // 2
    partitioned = np.partition(values, middle, axis=0)
    median: np.ndarray = partitioned[middle]
    return median
