"""The invented currency: eight denominations with two faces each, as relief height maps.

A relief is float32, shape (RELIEF_PX, RELIEF_PX), height 0..1 over the coin's field. The coin's
outline is the circle of radius RELIEF_RADIUS_PX about its centre.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np

from coinsorter.simulator.masks import (
    CENTRE_PX,
    RELIEF_PX,
    RELIEF_RADIUS_PX,
    draw_legend,
    draw_numeral,
    empty_mask,
    measure_radii,
)
from coinsorter.simulator.motifs import FOREIGN_MOTIFS, MOTIFS

#: What stands for the invented currency in a bundle, as EUR does for the euro.
CURRENCY_CODE = "CRN"

#: Linear reflectance, RGB 0..1, of clean metal under white light: set by eye against photographs
#: of coins, not measured.
ALLOYS = {
    "copper": (0.72, 0.40, 0.27),
    "brass": (0.78, 0.62, 0.30),
    "nickel": (0.66, 0.66, 0.64),
    "steel": (0.55, 0.57, 0.60),
    "zinc": (0.48, 0.50, 0.53),
}

#: Letters run along a circle of this radius, in coin radii: between the motif and the rim.
LEGEND_RADIUS = 0.76
#: Beads stand on a circle of this radius, in coin radii: just inside the rim.
BEAD_RADIUS = 0.875
#: Letters that a token's made-up word is drawn from.
TOKEN_LETTERS = "ABDFGHKLMNPSTVWXZ"


@dataclass(frozen=True)
class Denomination:
    """One kind of coin.

    alloy, core: keys of ALLOYS; `core` is the alloy of a bimetal coin's middle, up to `core_radius`
    of the radius; None for one alloy. numeral, unit, motif, beads: what its faces bear.
    """

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


#: Pairs that only size tells apart in a bad light (bit_50 and crown_1, crown_2 and crown_5), pairs
#: that only colour does (bit_20 and bit_50, crown_1 and crown_2), and two bimetal coins with the
#: metals exchanged.
DENOMINATIONS = (
    Denomination(
        label="bit_10",
        value=0.10,
        diameter_mm=18.0,
        alloy="copper",
        core=None,
        numeral="10",
        unit="BITS",
        motif="leaf",
        beads=48,
        details="copper, a leaf",
    ),
    Denomination(
        label="bit_20",
        value=0.20,
        diameter_mm=20.5,
        alloy="copper",
        core=None,
        numeral="20",
        unit="BITS",
        motif="fish",
        beads=0,
        details="copper, a fish",
    ),
    Denomination(
        label="bit_50",
        value=0.50,
        diameter_mm=21.0,
        alloy="brass",
        core=None,
        numeral="50",
        unit="BITS",
        motif="sun",
        beads=56,
        details="brass, a sun",
    ),
    Denomination(
        label="crown_1",
        value=1.0,
        diameter_mm=22.5,
        alloy="brass",
        core=None,
        numeral="1",
        unit="CROWN",
        motif="tree",
        beads=0,
        details="brass, a tree",
    ),
    Denomination(
        label="crown_2",
        value=2.0,
        diameter_mm=23.0,
        alloy="nickel",
        core=None,
        numeral="2",
        unit="CROWNS",
        motif="ship",
        beads=60,
        details="nickel, a ship",
    ),
    Denomination(
        label="crown_5",
        value=5.0,
        diameter_mm=25.0,
        alloy="nickel",
        core=None,
        numeral="5",
        unit="CROWNS",
        motif="tower",
        beads=0,
        details="nickel, a tower",
    ),
    Denomination(
        label="crown_10",
        value=10.0,
        diameter_mm=25.5,
        alloy="nickel",
        core="brass",
        numeral="10",
        unit="CROWNS",
        motif="crown",
        beads=64,
        details="nickel ring, brass core, a crown",
    ),
    Denomination(
        label="crown_20",
        value=20.0,
        diameter_mm=27.5,
        alloy="brass",
        core="nickel",
        numeral="20",
        unit="CROWNS",
        motif="star",
        beads=72,
        details="brass ring, nickel core, a star",
    ),
)
#: The denominations by label.
DENOMINATION_BY_LABEL = {denomination.label: denomination for denomination in DENOMINATIONS}


@cache
def draw_face(label: str, face: str) -> np.ndarray:
    """The relief of a face of a denomination: "obverse" shows the numeral, "reverse" the motif."""
    coin = DENOMINATION_BY_LABEL[label]
    design = _design_obverse(coin) if face == "obverse" else _design_reverse(coin)
    top = draw_legend(design.top, -90, LEGEND_RADIUS)
    bottom = draw_legend(design.bottom, 90, LEGEND_RADIUS, upright=True)
    letters = np.maximum(top, bottom)
    layers = [
        _draw_field(coin.beads),
        0.9 * _raise_mask(design.middle, 8),
        0.6 * _raise_mask(letters, 3),
    ]
    return _merge_layers(layers)


class _Design(NamedTuple):
    """What a face bears: a mask for its middle, and two texts along its rim."""

    middle: np.ndarray
    top: str
    bottom: str


def _design_obverse(coin: Denomination) -> _Design:
    height = 0.52 if len(coin.numeral) == 1 else 0.42
    numeral = draw_numeral(coin.numeral, height)
    return _Design(numeral, "* AURELIA *", coin.unit)


def _design_reverse(coin: Denomination) -> _Design:
    motif = MOTIFS[coin.motif]()
    year = 2001 + 3 * DENOMINATIONS.index(coin)
    return _Design(motif, "REPUBLIC", str(year))


def draw_token(rng: np.random.Generator, motifs: tuple[str, ...]) -> np.ndarray:
    """The relief of a token: a design of its own out of FOREIGN_MOTIFS that no coin bears.

    motifs: the names of those that may be drawn.
    """
    beads = int(rng.choice([0, 24, 36, 90]))
    layers = [_draw_field(beads)]
    name = str(rng.choice(motifs))
    motif = FOREIGN_MOTIFS[name](rng)
    layers.append(0.9 * _raise_mask(motif, 8))
    length = int(rng.integers(4, 9))
    word = "".join(rng.choice(list(TOKEN_LETTERS), length))
    if rng.random() < 0.7:
        middle_deg = float(rng.uniform(-180, 180))
        legend = draw_legend(word, middle_deg, LEGEND_RADIUS)
        layers.append(0.6 * _raise_mask(legend, 3))
    return _merge_layers(layers)


def draw_blank() -> np.ndarray:
    """The relief of a blank: a rim and nothing else."""
    field = _draw_field(0)
    return _merge_layers([field])


def draw_plain_disc() -> np.ndarray:
    """The relief of a plain disc without a rim."""
    level = np.full((RELIEF_PX, RELIEF_PX), 0.2, np.float32)
    return _merge_layers([level])


def make_reflectance_map(
    alloy: str,
    core: str | None = None,
    core_radius: float = 0.68,
) -> np.ndarray:
    """Linear reflectance of a disc, float32, shape (RELIEF_PX, RELIEF_PX, 3), RGB."""
    reflectance = np.empty((RELIEF_PX, RELIEF_PX, 3), np.float32)
    reflectance[:] = ALLOYS[alloy]
    if core is not None:
        is_core = measure_radii() <= core_radius
        reflectance[is_core] = ALLOYS[core]
    return reflectance


def _draw_field(beads: int) -> np.ndarray:
    """A flat field with a rim, and a circle of beads inside it."""
    rim = 0.75 * _smooth_step(measure_radii(), 0.915, 0.945)
    mask = empty_mask()
    _fill_beads(mask, beads)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.8)
    return rim + 0.5 * soft.astype(np.float32) / 255


def _fill_beads(mask: np.ndarray, beads: int) -> None:
    if not beads:
        return
    radius_px = BEAD_RADIUS * RELIEF_RADIUS_PX
    angles = np.arange(beads) * (2 * np.pi / beads)
    for angle in angles:
        x = CENTRE_PX + radius_px * np.cos(angle)
        y = CENTRE_PX + radius_px * np.sin(angle)
        centre = (round(x), round(y))
        cv2.circle(mask, centre, 2, 255, -1, cv2.LINE_AA)


def _raise_mask(mask: np.ndarray, bevel_px: float) -> np.ndarray:
    """A flat mask as rounded relief: the height grows with the distance from the mask's edge."""
    inside = (mask > 127).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    relief: np.ndarray = 1 - np.exp(-distance * (2.5 / bevel_px))
    return relief


def _merge_layers(layers: list[np.ndarray]) -> np.ndarray:
    """The layers as one surface, with the coin's edge rounded off."""
    height = np.maximum.reduce(layers)
    soft = cv2.GaussianBlur(height, (0, 0), 0.9)
    edge = 1 - _smooth_step(measure_radii(), 0.97, 1.0)
    relief: np.ndarray = (soft * edge).astype(np.float32)
    return relief


def _smooth_step(
    values: np.ndarray,
    low: float,
    high: float,
) -> np.ndarray:
    """0 below `low`, 1 above `high`, and a cubic Hermite step between them."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def list_labels() -> list[dict[str, Any]]:
    """The currency's labels with the keys of a recipe's label list."""
    return [
        {
            "name": coin.label,
            "value": coin.value,
            "currency": CURRENCY_CODE,
            "diameter_mm": coin.diameter_mm,
            "details": coin.details,
        }
        for coin in DENOMINATIONS
    ]
