"""The invented currency: eight denominations with two faces each, as relief height maps.

Everything is drawn from polygons and letters; no photograph is used. A relief is float32, shape (RELIEF_PX, RELIEF_PX), height 0..1 over
the coin's field, with the coin's outline as the circle of radius RELIEF_RADIUS_PX about its centre.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

RELIEF_PX = 288
RELIEF_RADIUS_PX = 140.0
_CENTRE = (RELIEF_PX - 1) / 2

# Linear reflectance, RGB 0..1, of clean metal under white light: eyed against photographs of coins, not measured.
ALLOYS = {
    "copper": (0.72, 0.40, 0.27),
    "brass": (0.78, 0.62, 0.30),
    "nickel": (0.66, 0.66, 0.64),
    "steel": (0.55, 0.57, 0.60),
    "zinc": (0.48, 0.50, 0.53),
}


@dataclass(frozen=True)
class Denomination:
    """One kind of coin. `core` is the alloy of the middle of a bimetal coin, up to `core_radius` of the radius; None for one alloy."""

    label: str
    value: float
    diameter_mm: float
    alloy: str
    core: str | None
    numeral: str
    unit: str
    motif: str
    beads: int
    details: str
    core_radius: float = 0.68


# Pairs that only size tells apart in a bad light (bit_50 and crown_1, crown_2 and crown_5), pairs that only colour does
# (bit_20 and bit_50, crown_1 and crown_2), and two bimetal coins with the metals exchanged.
DENOMINATIONS = (
    Denomination("bit_10", 0.10, 18.0, "copper", None, "10", "BITS", "leaf", 48, "copper, a leaf"),
    Denomination("bit_20", 0.20, 20.5, "copper", None, "20", "BITS", "fish", 0, "copper, a fish"),
    Denomination("bit_50", 0.50, 21.0, "brass", None, "50", "BITS", "sun", 56, "brass, a sun"),
    Denomination("crown_1", 1.0, 22.5, "brass", None, "1", "CROWN", "tree", 0, "brass, a tree"),
    Denomination("crown_2", 2.0, 23.0, "nickel", None, "2", "CROWNS", "ship", 60, "nickel, a ship"),
    Denomination(
        "crown_5", 5.0, 25.0, "nickel", None, "5", "CROWNS", "tower", 0, "nickel, a tower"
    ),
    Denomination(
        "crown_10",
        10.0,
        25.5,
        "nickel",
        "brass",
        "10",
        "CROWNS",
        "crown",
        64,
        "nickel ring, brass core, a crown",
    ),
    Denomination(
        "crown_20",
        20.0,
        27.5,
        "brass",
        "nickel",
        "20",
        "CROWNS",
        "star",
        72,
        "brass ring, nickel core, a star",
    ),
)
DENOMINATION_BY_LABEL = {denomination.label: denomination for denomination in DENOMINATIONS}
CURRENCY_CODE = "CRN"


@cache
def draw_face(label: str, face: str) -> np.ndarray:
    """The height map of one face ("obverse" shows the numeral, "reverse" the motif) of a denomination."""
    coin = DENOMINATION_BY_LABEL[label]
    if face == "obverse":
        middle = _numeral(coin.numeral, 0.52 if len(coin.numeral) == 1 else 0.42)
        top, bottom = "* AURELIA *", coin.unit
    else:
        middle = MOTIFS[coin.motif]()
        top, bottom = "REPUBLIC", str(2001 + 3 * DENOMINATIONS.index(coin))
    letters = np.maximum(_legend(top, -90, 0.76), _legend(bottom, 90, 0.76, upright=True))
    return _finish([_field(coin.beads), 0.9 * _raised(middle, 8), 0.6 * _raised(letters, 3)])


def draw_token(rng: np.random.Generator, motifs: tuple[str, ...]) -> np.ndarray:
    """The height map of a token: a design of its own, out of `motifs`, that no coin of the currency bears."""
    layers = [_field(int(rng.choice([0, 24, 36, 90])))]
    layers.append(0.9 * _raised(FOREIGN_MOTIFS[str(rng.choice(motifs))](rng), 8))
    word = "".join(rng.choice(list("ABDFGHKLMNPSTVWXZ"), int(rng.integers(4, 9))))
    if rng.random() < 0.7:
        layers.append(0.6 * _raised(_legend(word, float(rng.uniform(-180, 180)), 0.76), 3))
    return _finish(layers)


def draw_blank() -> np.ndarray:
    """The height map of a blank: a rim and nothing else."""
    return _finish([_field(0)])


def draw_plain_disc() -> np.ndarray:
    """The height map of a plain disc without a rim."""
    return _finish([np.full((RELIEF_PX, RELIEF_PX), 0.2, np.float32)])


def make_reflectance_map(
    alloy: str, core: str | None = None, core_radius: float = 0.68
) -> np.ndarray:
    """Linear reflectance of a disc, float32, shape (RELIEF_PX, RELIEF_PX, 3)."""
    colours = np.empty((RELIEF_PX, RELIEF_PX, 3), np.float32)
    colours[:] = ALLOYS[alloy]
    if core is not None:
        colours[_radius() <= core_radius] = ALLOYS[core]
    return colours


def _radius() -> np.ndarray:
    """Distance of each pixel from the centre, in coin radii."""
    steps = (np.arange(RELIEF_PX, dtype=np.float32) - _CENTRE) / RELIEF_RADIUS_PX
    return np.hypot(*np.meshgrid(steps, steps))


def _field(beads: int) -> np.ndarray:
    radius = _radius()
    height = 0.75 * _smooth_step(radius, 0.915, 0.945)
    mask = np.zeros((RELIEF_PX, RELIEF_PX), np.uint8)
    for angle in np.arange(beads) * (2 * np.pi / beads) if beads else ():
        cv2.circle(mask, _point(0.875, angle), 2, 255, -1, cv2.LINE_AA)
    return height + 0.5 * cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32) / 255


def _finish(layers: list[np.ndarray]) -> np.ndarray:
    """The layers as one surface, with the coin's edge rounded off."""
    height = np.maximum.reduce(layers)
    return (
        cv2.GaussianBlur(height, (0, 0), 0.9) * (1 - _smooth_step(_radius(), 0.97, 1.0))
    ).astype(np.float32)


def _smooth_step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _raised(mask: np.ndarray, bevel_px: float) -> np.ndarray:
    """A flat mask as rounded relief: the height grows with the distance from the mask's edge."""
    distance = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    return 1 - np.exp(-distance * (2.5 / bevel_px))


def _point(radius: float, angle: float) -> tuple[int, int]:
    scale = radius * RELIEF_RADIUS_PX
    return round(_CENTRE + scale * np.cos(angle)), round(_CENTRE + scale * np.sin(angle))


def _polygon(mask: np.ndarray, points: list[tuple[float, float]], value: int = 255) -> None:
    """Fills a polygon given in coin radii, x right and y down from the centre."""
    corners = np.array(points, np.float32) * RELIEF_RADIUS_PX + _CENTRE
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], value, cv2.LINE_AA)


def _ellipse(
    mask: np.ndarray,
    x: float,
    y: float,
    half_width: float,
    half_height: float,
    turn_deg: float = 0,
    value: int = 255,
) -> None:
    centre = (round(x * RELIEF_RADIUS_PX + _CENTRE), round(y * RELIEF_RADIUS_PX + _CENTRE))
    axes = (
        max(1, round(half_width * RELIEF_RADIUS_PX)),
        max(1, round(half_height * RELIEF_RADIUS_PX)),
    )
    cv2.ellipse(mask, centre, axes, turn_deg, 0, 360, value, -1, cv2.LINE_AA)


def _canvas() -> np.ndarray:
    return np.zeros((RELIEF_PX, RELIEF_PX), np.uint8)


def _numeral(text: str, scale: float) -> np.ndarray:
    mask = _canvas()
    size = scale * RELIEF_RADIUS_PX / 14
    thickness = round(size * 3.6)
    (width, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thickness)
    origin = (round(_CENTRE - width / 2), round(_CENTRE + tall / 2 - 0.08 * RELIEF_RADIUS_PX))
    cv2.putText(mask, text, origin, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thickness, cv2.LINE_AA)
    return mask


def _legend(text: str, middle_deg: float, radius: float, upright: bool = False) -> np.ndarray:
    """Letters along a circle about its `middle_deg` (0 right, 90 bottom); `upright` ones have their feet outwards."""
    mask = _canvas()
    step = 0.155 / radius * (1 if not upright else -1)
    start = np.deg2rad(middle_deg) - step * (len(text) - 1) / 2
    for index, letter in enumerate(text):
        angle = start + step * index
        turn = np.rad2deg(angle) + (90 if not upright else -90)
        mask = np.maximum(mask, _letter(letter, radius, angle, turn))
    return mask


def _letter(letter: str, radius: float, angle: float, turn_deg: float) -> np.ndarray:
    (width, tall), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_DUPLEX, 0.75, 2)
    tile = np.zeros((41, 41), np.uint8)
    cv2.putText(
        tile,
        letter,
        (round(20 - width / 2), round(20 + tall / 2)),
        cv2.FONT_HERSHEY_DUPLEX,
        0.75,
        255,
        2,
        cv2.LINE_AA,
    )
    x, y = (
        _CENTRE + radius * RELIEF_RADIUS_PX * np.cos(angle),
        _CENTRE + radius * RELIEF_RADIUS_PX * np.sin(angle),
    )
    turn = cv2.getRotationMatrix2D((20, 20), -turn_deg, 1.0)
    turn[:, 2] += (x - 20, y - 20)
    return cv2.warpAffine(tile, turn, (RELIEF_PX, RELIEF_PX))


def _rays(count: int, inner: float, outer: float, width: float, phase: float = 0.0) -> np.ndarray:
    mask = _canvas()
    for angle in phase + np.arange(count) * 2 * np.pi / count:
        along, across = (
            np.array([np.cos(angle), np.sin(angle)]),
            np.array([-np.sin(angle), np.cos(angle)]),
        )
        _polygon(
            mask,
            [
                tuple(inner * along + width * across),
                tuple(outer * along),
                tuple(inner * along - width * across),
            ],
        )
    return mask


def _leaf() -> np.ndarray:
    mask = _canvas()
    for turn, reach in ((-90, 0.34), (-150, 0.28), (-30, 0.28), (150, 0.2), (30, 0.2)):
        angle = np.deg2rad(turn)
        _ellipse(mask, 0.27 * np.cos(angle), 0.05 + 0.27 * np.sin(angle), reach, 0.12, turn)
    _polygon(mask, [(-0.025, 0.05), (0.025, 0.05), (0.05, 0.55), (-0.05, 0.55)])
    return mask


def _fish() -> np.ndarray:
    mask = _canvas()
    _ellipse(mask, -0.08, 0, 0.42, 0.22)
    _polygon(mask, [(0.22, 0), (0.55, -0.26), (0.48, 0), (0.55, 0.26)])
    _polygon(mask, [(-0.15, -0.18), (0.12, -0.36), (0.18, -0.12)])
    _ellipse(mask, -0.32, -0.05, 0.04, 0.04, value=0)
    for x in (-0.12, 0.02, 0.15):
        cv2.ellipse(
            mask,
            (round(_CENTRE + x * RELIEF_RADIUS_PX), round(_CENTRE)),
            (8, 20),
            0,
            -70,
            70,
            0,
            2,
            cv2.LINE_AA,
        )
    return mask


def _sun() -> np.ndarray:
    mask = _rays(12, 0.3, 0.6, 0.065)
    _ellipse(mask, 0, 0, 0.25, 0.25)
    return mask


def _tree() -> np.ndarray:
    mask = _canvas()
    for x, y, size in (
        (0, -0.32, 0.2),
        (-0.2, -0.15, 0.2),
        (0.2, -0.15, 0.2),
        (-0.1, 0.0, 0.17),
        (0.12, 0.0, 0.17),
    ):
        _ellipse(mask, x, y, size, size * 0.85)
    _polygon(
        mask, [(-0.05, 0.0), (0.05, 0.0), (0.08, 0.5), (0.22, 0.56), (-0.22, 0.56), (-0.08, 0.5)]
    )
    for x, y in ((-0.15, -0.2), (0.1, -0.3), (0.2, -0.08), (-0.04, -0.04)):
        _ellipse(mask, x, y, 0.035, 0.05, value=0)
    return mask


def _ship() -> np.ndarray:
    mask = _canvas()
    _polygon(mask, [(-0.5, 0.22), (0.5, 0.22), (0.36, 0.46), (-0.36, 0.46)])
    _polygon(mask, [(-0.02, -0.52), (0.03, -0.52), (0.03, 0.2), (-0.02, 0.2)])
    _polygon(mask, [(0.07, -0.45), (0.42, 0.12), (0.07, 0.12)])
    _polygon(mask, [(-0.06, -0.35), (-0.06, 0.12), (-0.36, 0.12)])
    return mask


def _tower() -> np.ndarray:
    mask = _canvas()
    _polygon(mask, [(-0.26, -0.3), (0.26, -0.3), (0.32, 0.5), (-0.32, 0.5)])
    for x in (-0.31, -0.09, 0.13):
        _polygon(mask, [(x, -0.5), (x + 0.17, -0.5), (x + 0.17, -0.26), (x, -0.26)])
    _ellipse(mask, 0, 0.38, 0.1, 0.2, value=0)
    for x in (-0.13, 0.13):
        _polygon(
            mask, [(x - 0.035, -0.12), (x + 0.035, -0.12), (x + 0.035, 0.04), (x - 0.035, 0.04)], 0
        )
    return mask


def _crown() -> np.ndarray:
    mask = _canvas()
    _polygon(
        mask,
        [
            (-0.5, -0.3),
            (-0.26, 0.02),
            (0, -0.42),
            (0.26, 0.02),
            (0.5, -0.3),
            (0.4, 0.3),
            (-0.4, 0.3),
        ],
    )
    _polygon(mask, [(-0.4, 0.36), (0.4, 0.36), (0.4, 0.46), (-0.4, 0.46)])
    for x, y in ((-0.5, -0.36), (0, -0.48), (0.5, -0.36)):
        _ellipse(mask, x, y, 0.065, 0.065)
    return mask


def _star() -> np.ndarray:
    mask = _canvas()
    _polygon(mask, _star_points(5, 0.58, 0.23, -np.pi / 2))
    _ellipse(mask, 0, 0, 0.12, 0.12, value=0)
    _ellipse(mask, 0, 0, 0.07, 0.07)
    return mask


def _star_points(tips: int, outer: float, inner: float, phase: float) -> list[tuple[float, float]]:
    angles = phase + np.arange(2 * tips) * np.pi / tips
    return [(r * np.cos(a), r * np.sin(a)) for a, r in zip(angles, [outer, inner] * tips)]


MOTIFS = {
    "leaf": _leaf,
    "fish": _fish,
    "sun": _sun,
    "tree": _tree,
    "ship": _ship,
    "tower": _tower,
    "crown": _crown,
    "star": _star,
}


def _foreign_ring(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    for radius in np.sort(rng.uniform(0.12, 0.6, int(rng.integers(2, 4))))[::-1]:
        _ellipse(mask, 0, 0, radius, radius)
        _ellipse(mask, 0, 0, radius - 0.08, radius - 0.08, value=0)
    return mask


def _foreign_letters(rng: np.random.Generator) -> np.ndarray:
    return _numeral(
        "".join(rng.choice(list("ABGKMPQRTWXYZ&#?"), int(rng.integers(1, 3)))),
        float(rng.uniform(0.42, 0.62)),
    )


def _foreign_gear(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    _polygon(
        mask,
        _star_points(
            int(rng.integers(7, 15)),
            rng.uniform(0.5, 0.6),
            rng.uniform(0.38, 0.46),
            rng.uniform(0, 3),
        ),
    )
    _ellipse(mask, 0, 0, *[rng.uniform(0.1, 0.25)] * 2, value=0)
    return mask


def _foreign_cross(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    wide, long = rng.uniform(0.06, 0.16), rng.uniform(0.4, 0.6)
    _polygon(mask, [(-wide, -long), (wide, -long), (wide, long), (-wide, long)])
    _polygon(mask, [(-long, -wide), (long, -wide), (long, wide), (-long, wide)])
    return mask


def _foreign_bars(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    for y in np.linspace(-0.5, 0.5, int(rng.integers(3, 7))):
        _polygon(mask, [(-0.5, y - 0.05), (0.5, y - 0.05), (0.5, y + 0.05), (-0.5, y + 0.05)])
    return mask


def _foreign_head(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    _ellipse(mask, 0.02, -0.18, rng.uniform(0.2, 0.28), rng.uniform(0.26, 0.34))
    _polygon(mask, [(-0.1, 0.05), (0.18, 0.05), (0.34, 0.5), (-0.34, 0.5)])
    _polygon(mask, [(-0.2, -0.2), (-0.36, -0.08), (-0.2, -0.04)])
    return mask


def _foreign_heart(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    size = rng.uniform(0.2, 0.27)
    _ellipse(mask, -size * 0.85, -0.15, size, size)
    _ellipse(mask, size * 0.85, -0.15, size, size)
    _polygon(mask, [(-1.75 * size, -0.02), (1.75 * size, -0.02), (0, 0.55)])
    return mask


def _foreign_diamond(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    wide, tall = rng.uniform(0.25, 0.55, 2)
    _polygon(mask, [(0, -tall), (wide, 0), (0, tall), (-wide, 0)])
    _polygon(mask, [(0, -tall / 2), (wide / 2, 0), (0, tall / 2), (-wide / 2, 0)], 0)
    return mask


def _foreign_polygon(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    _polygon(
        mask,
        [(r * np.cos(a), r * np.sin(a)) for a, r in zip(angles, rng.uniform(0.2, 0.62, corners))],
    )
    if rng.random() < 0.5:
        _ellipse(mask, 0, 0, *rng.uniform(0.05, 0.2, 2), value=0)
    return mask


def _foreign_blob(rng: np.random.Generator) -> np.ndarray:
    cloud = cv2.resize(
        rng.random((7, 7), np.float32), (RELIEF_PX, RELIEF_PX), interpolation=cv2.INTER_CUBIC
    )
    return np.where((cloud > rng.uniform(0.45, 0.65)) & (_radius() < 0.62), 255, 0).astype(np.uint8)


def _foreign_strokes(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    for _ in range(int(rng.integers(3, 9))):
        points = np.rint(rng.uniform(-0.45, 0.45, (2, 2)) * RELIEF_RADIUS_PX + _CENTRE).astype(int)
        cv2.line(
            mask, points[0].tolist(), points[1].tolist(), 255, int(rng.integers(5, 18)), cv2.LINE_AA
        )
    return mask


def _foreign_dots(rng: np.random.Generator) -> np.ndarray:
    mask = _canvas()
    for _ in range(int(rng.integers(2, 12))):
        _ellipse(
            mask,
            *rng.uniform(-0.4, 0.4, 2),
            *rng.uniform(0.05, 0.17, 2),
            float(rng.uniform(0, 180)),
        )
    return mask


FOREIGN_MOTIFS = {
    "ring": _foreign_ring,
    "letters": _foreign_letters,
    "gear": _foreign_gear,
    "cross": _foreign_cross,
    "bars": _foreign_bars,
    "head": _foreign_head,
    "heart": _foreign_heart,
    "diamond": _foreign_diamond,
    "polygon": _foreign_polygon,
    "blob": _foreign_blob,
    "strokes": _foreign_strokes,
    "dots": _foreign_dots,
}
