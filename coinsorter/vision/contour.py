"""A candidate circle -> the coin's outline, measured to sub-pixel.

Along 64 rays from the candidate's centre the edges are collected. Where they leave a choice, circles through triples of them are tried
(RANSAC: Fischler and Bolles, 1981), and the largest of the well supported ones is kept (inner rims are smaller, shadows have weaker
edges). It is refined to an ellipse by weighted least squares.

On belts where coins cast shadows, and their rims shine as the belt does, edges are found now on this side of the rim and now on that one.
What stands out from the belt, shadow included, is then the steadier measure, but shadows change from day to day: halfway between the two
radii is better than either.
"""

from dataclasses import dataclass
from math import hypot

import cv2
import numpy as np

from coinsorter.records import Circle

# Where edges are looked for: along rays from the candidate's centre, at distances in units of its radius.
RAYS = 64
_REACH = np.linspace(0.55, 1.5, 41, dtype=np.float32)
_STEP = float(_REACH[1] - _REACH[0])
_FIRST = float(
    _REACH[1]
)  # an edge lies between its two neighbours: the first and last samples have none
_EDGES = len(_REACH) - 2
_ANGLES = np.arange(RAYS) * (2 * np.pi / RAYS)
_RAY = np.exp(1j * _ANGLES).astype(
    np.complex64
)  # points in the picture are complex numbers: x + iy
_RAY_BACK = _RAY.conj()
_RAY_X, _RAY_Y = _RAY.real[:, None] * _REACH, _RAY.imag[:, None] * _REACH
_ROWS = np.arange(RAYS) * _EDGES  # where each ray starts in an array of edges laid flat
_NEIGHBOURS = np.ones((1, 3), np.uint8)
_SURROUND = int(np.searchsorted(_REACH, 1.3))

# Three rays a third of a turn apart: the circles that RANSAC tries. More triples found no more coins on euro-trays/train.
_TRIPLES = np.array([(i, (i + 21) % RAYS, (i + 42) % RAYS) for i in range(0, RAYS, 4)]).T.copy()
# An outline r(angle): a circle, off the rays' centre, pressed to an ellipse; the ellipse is held back where edges are missing.
_HARMONICS = np.stack(
    [np.ones(RAYS), np.cos(_ANGLES), np.sin(_ANGLES), np.cos(2 * _ANGLES), np.sin(2 * _ANGLES)], 1
).astype(np.float32)
_HOLD_BACK = np.diag([1e-3, 1e-3, 1e-3, 0.3, 0.3]).astype(np.float32)
_EVENLY = np.ones(RAYS, np.float32)
_NEXT = np.roll(np.arange(RAYS), -1)
_BANDS = [
    np.arange(2 * steps + 1) for steps in (3, 2)
]  # how far either side of the outline edges are looked for, first and then
_POLYGON = float(
    np.sqrt(RAYS / 2 * np.sin(2 * np.pi / RAYS))
)  # radius of a circle = root of its polygon's area over this

# Chosen on euro-trays/train and brl-frames/day1 (`python -m benchmarks.sweep_segment`).
MIN_EDGE = 12.0  # grey levels over two steps along a ray: below is noise
EDGE_SHARE = 0.25  # of the median ray's strongest edge: what counts as an edge at all
STRONG_EDGE = 2.5  # times that: what counts in full
EQUAL_SUPPORT = 0.94  # of the best circle's support: the largest such circle is taken
UNDISPUTED, NOTHING_BEYOND = (
    0.8,
    0.5,
)  # shares of the rays: so many on one outline, and so many that end there, and no circles are tried
SETTLED_STEPS = 0.5  # an outline that moves by less, in steps along a ray, is refined no further
SETTLED_SHIFT, SETTLED_RATIO = (
    0.2,
    1.2,
)  # a candidate that was further off its outline than this is measured again from there
# Chosen on brl-frames/day1 by the diameters' spread within bursts: 0.8 % by extent (half of all coins), 1.3 % by edges. On days made of its
# bursts in other orders, with the camera set up anew, the two halfway leave fewest coins unsure at the same risk.
EXTENT_SHARE = 0.18  # of the coin's own contrast with the belt: less is belt
EXTENT_FROM = 0.85  # of the outline: from there the extent is looked for
# Set by eye, no photograph at hand decides between values near them.
EXTENT_RANGE = (
    0.8,
    1.25,
)  # of the median ray's: what a gap in the rim or a neighbour makes of a ray is cut to this
MIN_CONTRAST = 8  # grey levels: less is noise


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges along the rays of one candidate: strength[ray, step] in grey levels, and the least that counts as an edge."""

    strength: np.ndarray
    threshold: float


def measure_outlines(
    pixels: np.ndarray, candidates: np.ndarray, by_extent: bool = False
) -> list[Circle]:
    """The outline of each candidate in an RGB picture that has one, all still called alone.

    candidates: float32 (n, 3) of x, y, radius in pixels, each right to a third of its radius. Those that turn out far off their outline
    are measured a second time, from nearer. by_extent: the radius is halfway between that of the edges and that of all that stands out
    from the belt.
    """
    if not len(candidates):
        return []
    circles = [
        _measure(*candidate, samples, by_extent)
        for candidate, samples in zip(candidates.tolist(), _sample(pixels, candidates))
    ]
    off = [
        i
        for i, (circle, candidate) in enumerate(zip(circles, candidates))
        if circle and not _settled(circle, *candidate)
    ]
    if off:
        nearer = np.array(
            [(circles[i].x_px, circles[i].y_px, circles[i].radius_px) for i in off], np.float32
        )
        for i, candidate, samples in zip(off, nearer.tolist(), _sample(pixels, nearer)):
            circles[i] = _measure(*candidate, samples, by_extent) or circles[i]
    return [circle for circle in circles if circle]


def _sample(pixels: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The picture along the rays of each candidate: uint8 (n, RAYS, steps, 3)."""
    x, y, radius = candidates.T[:, :, None, None]
    map_x, map_y = (
        (x + radius * _RAY_X).reshape(-1, len(_REACH)),
        (y + radius * _RAY_Y).reshape(-1, len(_REACH)),
    )
    rays = cv2.remap(pixels, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.blur(rays, (3, 1)).reshape(len(candidates), RAYS, len(_REACH), 3)


def _settled(circle: Circle, x: float, y: float, radius: float) -> bool:
    near = hypot(circle.x_px - x, circle.y_px - y) < SETTLED_SHIFT * radius
    return near and 1 / SETTLED_RATIO < circle.radius_px / radius < SETTLED_RATIO


def _measure(
    x: float, y: float, radius: float, samples: np.ndarray, by_extent: bool
) -> Circle | None:
    """The outline of one candidate, or None where no circle fits its edges."""
    edges = _edges(samples)
    outline = _first_outline(edges)
    if outline is None:
        return None
    outline, ellipse, strength, hits = _refine(edges, outline)
    if not outline.min() > 0:  # the edges lie so that no circle is around the rays' centre
        return None
    centre, outline_radius = _centroid(outline)
    surround = _surround(samples)
    if by_extent:
        outline_radius = (outline_radius * _centroid(_extent(samples, outline, surround))[1]) ** 0.5
    return Circle(
        x_px=x + centre.real * radius,
        y_px=y + centre.imag * radius,
        radius_px=outline_radius * radius,
        quality=int(np.count_nonzero(hits)) / RAYS,
        roundness=1 - 2 * hypot(ellipse[3], ellipse[4]) / float(ellipse[0]),
        sharpness=float(strength.sum()) / (RAYS * 2 * _STEP * radius),
        surround=surround,
        alone=True,
    )


def _edges(samples: np.ndarray) -> _Edges:
    difference = cv2.absdiff(samples[:, 2:], samples[:, :-2])
    strength = (
        cv2.reduce(difference.reshape(-1, 3), 1, cv2.REDUCE_MAX)
        .reshape(RAYS, _EDGES)
        .astype(np.float32)
    )
    return _Edges(strength, max(MIN_EDGE, EDGE_SHARE * float(_median(strength.max(axis=1)))))


def _first_outline(edges: _Edges) -> np.ndarray | None:
    """Roughly the outline, as r(angle) in units of the candidate's radius; None where there is none."""
    strength = edges.strength
    middle = strength[:, 1:-1]
    peaks = (middle >= edges.threshold) & (middle >= strength[:, :-2]) & (middle >= strength[:, 2:])
    outermost, strongest = _EDGES - 2 - peaks[:, ::-1].argmax(axis=1), strength.argmax(axis=1)
    reach = _FIRST + _STEP * np.array([outermost, strongest], np.float32)
    outline = _undisputed(reach[1], outermost == strongest)
    return _best_circle(edges, reach) if outline is None else outline


def _undisputed(strongest: np.ndarray, outermost: np.ndarray) -> np.ndarray | None:
    """The outline through each ray's strongest edge, if they lie on one and there is little beyond it: nothing else to choose."""
    if np.count_nonzero(outermost) < NOTHING_BEYOND * RAYS:
        return None
    outline = _HARMONICS @ _fitted(strongest, _EVENLY)
    return (
        outline
        if np.count_nonzero(np.abs(strongest - outline) < 1.5 * _STEP) >= UNDISPUTED * RAYS
        else None
    )


def _best_circle(edges: _Edges, reach: np.ndarray) -> np.ndarray | None:
    """The largest of the best supported circles through three edges, as r(angle); reach: of each ray's outermost and strongest edge."""
    centre, radius = _through_triples(reach * _RAY)
    sane = (radius > 0.6) & (radius < 1.4) & (np.abs(centre) < 0.45)
    centre, radius = centre[sane, None], radius[sane]
    if not len(radius):
        return None
    off = (
        centre * _RAY_BACK
    )  # the centre as seen from each ray: how far along it, and how far aside
    outlines = off.real + np.sqrt(np.maximum(radius[:, None] ** 2 - off.imag**2, 0))
    weight = np.minimum(
        cv2.dilate(edges.strength, _NEIGHBOURS) * (1 / (STRONG_EDGE * edges.threshold)), 1
    )
    support = (weight * weight).ravel().take(_ROWS + _steps(outlines)).sum(axis=1)
    equals = np.flatnonzero(support >= EQUAL_SUPPORT * support.max())
    return outlines[equals[radius[equals].argmax()]]


def _steps(reach: np.ndarray) -> np.ndarray:
    """The nearest step of each distance from the rays' centre."""
    steps = ((reach - (_FIRST - _STEP / 2)) * (1 / _STEP)).astype(np.intp)
    return np.minimum(np.maximum(steps, 0), _EDGES - 1)


def _through_triples(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and radius of the circles through the points at each triple of rays; points: complex (sets, RAYS)."""
    first, second, third = points[:, _TRIPLES].swapaxes(0, 1).reshape(3, -1)
    u, v = second - first, third - first
    twice_area = 2 * (u.conj() * v).imag
    twice_area[np.abs(twice_area) < 1e-6] = 1e-6
    centre = 1j * ((v * v.conj()).real * u - (u * u.conj()).real * v) / twice_area
    return centre + first, np.abs(centre)


def _refine(
    edges: _Edges, outline: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The outline moved onto the edges near it, its harmonics, the edges' strength per ray, and the rays that agree."""
    for band in _BANDS:
        step, strength = _nearest_edges(edges.strength, outline, band)
        reach = _FIRST + _STEP * step
        miss = (reach - outline) / _STEP
        found = strength >= edges.threshold
        weight = np.minimum(strength * (1 / edges.threshold), 2) * found / (1 + miss * miss)
        ellipse = _fitted(reach, weight)
        before, outline = outline, _HARMONICS @ ellipse
        if np.abs(outline - before).max() < SETTLED_STEPS * _STEP:
            break
    hits = found & (np.abs(reach - outline) < 1.5 * _STEP)
    return outline, ellipse, strength, hits


def _fitted(reach: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The harmonics of the outline nearest to one point on each ray, by weighted least squares: (5,)."""
    weighted = _HARMONICS * weight[:, None]
    return cv2.solve(
        weighted.T @ _HARMONICS + _HOLD_BACK, weighted.T @ reach, flags=cv2.DECOMP_CHOLESKY
    )[1][:, 0]


def _nearest_edges(
    strength: np.ndarray, outline: np.ndarray, band: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per ray the strongest edge within the steps of `band` from the outline: its step, to a fraction by a parabola, and strength."""
    flat, reach = strength.ravel(), (len(band) - 1) // 2
    first = np.minimum(np.maximum(_steps(outline) - reach, 1), _EDGES - 2 - 2 * reach)
    peak = first + flat.take((_ROWS + first)[:, None] + band).argmax(axis=1)
    at_peak = _ROWS + peak
    before, at, after = flat.take(at_peak - 1), flat.take(at_peak), flat.take(at_peak + 1)
    shift = 0.5 * (after - before) / np.maximum(2 * at - before - after, 1e-3)
    return peak + np.minimum(np.maximum(shift, -0.5), 0.5), at


def _centroid(outline: np.ndarray) -> tuple[complex, float]:
    """Centre of the outline's area, and the radius of the circle of that area (the polygon's shortfall made good)."""
    corners = outline * _RAY
    following = corners[_NEXT]
    cross = (corners.conj() * following).imag
    area = float(cross.sum()) / 2
    return complex(((corners + following) * cross).sum()) / (6 * area), area**0.5 / _POLYGON


def _extent(
    samples: np.ndarray, outline: np.ndarray, surround: tuple[float, float, float]
) -> np.ndarray:
    """How far along each ray what stands out from the belt reaches without a gap, to a fraction of a step by interpolation."""
    difference = cv2.absdiff(samples, (*surround, 0.0))
    contrast = (
        cv2.reduce(difference.reshape(-1, 3), 1, cv2.REDUCE_MAX)
        .reshape(RAYS, -1)
        .astype(np.float32)
    )
    nearest = EXTENT_FROM * outline[:, None]
    on_coin = contrast[
        nearest > _REACH
    ]  # none, where the candidate was so much too large that the rays begin outside the coin
    least = (
        max(MIN_CONTRAST, EXTENT_SHARE * float(_median(on_coin))) if len(on_coin) else MIN_CONTRAST
    )
    belt = (contrast <= least) & (nearest <= _REACH)
    belt[:, -1] = True
    first = np.maximum(belt.argmax(axis=1), 1)
    rays = np.arange(RAYS)
    last, beyond = contrast[rays, first - 1], contrast[rays, first]
    share = np.minimum(np.maximum((last - least) / np.maximum(last - beyond, 1e-3), 0), 1)
    extent = _REACH[first - 1] + _STEP * share
    low, high = (limit * float(_median(extent)) for limit in EXTENT_RANGE)
    return np.minimum(np.maximum(extent, low), high)


def _surround(samples: np.ndarray) -> tuple[float, float, float]:
    """Median colour of the outer ends of the rays."""
    return tuple(_median(samples[::2, _SURROUND:].reshape(-1, 3)).tolist())


def _median(values: np.ndarray) -> np.ndarray:
    """Of each column (the upper one of the middle two): np.median takes several times as long."""
    middle = len(values) // 2
    return np.partition(values, middle, axis=0)[middle]
