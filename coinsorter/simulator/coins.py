"""What lies on the belt: genuine coins, damaged ones, and objects that are no coins at all.

An item is one connected object made of one disc, or of two that touch or overlap. How it looks is
drawn by `sprites`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coinsorter.simulator import currency
from coinsorter.simulator.masks import RELIEF_PX

#: The kind of an item that is a genuine coin lying alone.
GENUINE = "coin"
#: The kinds of items that have to be rejected.
FOREIGN_KINDS = ("washer", "button", "blank", "token", "bent", "clipped", "touching", "overlapping")
#: Relative standard deviation of a genuine coin's diameter: an assumed minting tolerance.
MINTING_STD = 0.0015
#: Washers and buttons have diameters between these, mm: those of coins.
FOREIGN_DIAMETERS_MM = (17.5, 28.0)
#: An item may have no more scratches than this.
MAX_SCRATCHES = 9
#: An item may have no more specks of dirt than this.
MAX_SPECKS = 6


@dataclass(frozen=True, eq=False)
class Disc:
    """One round piece and its condition; drawing it needs no further random numbers.

    relief: float32 height map; reflectance: float32 reflectance map (see `currency`). gloss: how
    strongly it shines, 0..1. turn_deg: how it lies. wear: 0..1, flattens the relief. tarnish: 0..1,
    darkens the metal; blotches: float32 (n, n), 0..1, says where. scratches: rows (x, y, degrees,
    length); dirt: rows (x, y, radius, depth 0..1); holes: rows (x, y, radius); all in radii.
    stretch: its shorter over its longer diameter, along bend_deg. clip_depth: height of the missing
    segment in radii.
    """

    diameter_mm: float
    relief: np.ndarray
    reflectance: np.ndarray
    gloss: float
    turn_deg: float
    wear: float
    tarnish: float
    blotches: np.ndarray
    scratches: np.ndarray
    dirt: np.ndarray
    holes: tuple[tuple[float, float, float], ...] = ()
    stretch: float = 1.0
    bend_deg: float = 0.0
    clip_depth: float = 0.0


PlacedDisc = tuple[Disc, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Item:
    """One connected object on the belt.

    kind: GENUINE or one of FOREIGN_KINDS. label: what a genuine lone coin is; None for all else.
    discs: each with its offset (x, y) in mm from the object's middle, the lowest first.
    """

    kind: str
    label: str | None
    discs: tuple[PlacedDisc, ...] = field(repr=False)

    @property
    def half_length_mm(self) -> float:
        """Half of what it takes up along the belt."""
        return max(abs(x) + disc.diameter_mm / 2 for disc, (x, _) in self.discs)


def make_genuine_coin(
    rng: np.random.Generator,
    label: str | None = None,
) -> Item:
    """A genuine coin lying alone; of any denomination, unless `label` names one."""
    if not label:
        label = _choose_label(rng)
    disc = _make_coin_disc(rng, label)
    return _make_item(GENUINE, label, disc)


def make_foreign_object(
    rng: np.random.Generator,
    kind: str,
    motifs: tuple[str, ...],
) -> Item:
    """An item to be rejected, of one of FOREIGN_KINDS; `motifs` is what tokens may bear."""
    if kind in ("touching", "overlapping"):
        discs = _make_pair(rng, overlap=kind == "overlapping")
        return Item(kind, None, discs)
    disc = _MAKERS[kind](rng, motifs)
    return _make_item(kind, None, disc)


def _make_item(
    kind: str,
    label: str | None,
    disc: Disc,
) -> Item:
    """An item of one disc."""
    placed = (disc, (0.0, 0.0))
    return Item(kind, label, (placed,))


def _make_coin_disc(rng: np.random.Generator, label: str, **changes: Any) -> Disc:
    """A disc of a denomination, either face up; `changes` replace what makes it a genuine one."""
    coin = currency.DENOMINATION_BY_LABEL[label]
    face = str(rng.choice(["obverse", "reverse"]))
    size = rng.normal(1.0, MINTING_STD)
    fields: dict[str, Any] = {
        "diameter_mm": coin.diameter_mm * size,
        "relief": currency.draw_face(label, face),
        "reflectance": currency.make_reflectance_map(coin.alloy, coin.core, coin.core_radius),
        "gloss": 0.5,
    }
    fields.update(_choose_condition(rng))
    fields.update(changes)
    return Disc(**fields)


def _choose_condition(rng: np.random.Generator) -> dict[str, Any]:
    """The fields of a disc that tell how it has lived: most are clean, some worn or dirty."""
    scratches = _choose_scratches(rng)
    dirt = _choose_dirt(rng)
    return {
        "turn_deg": float(rng.uniform(0, 360)),
        "wear": float(rng.beta(1.5, 3.0)),
        "tarnish": float(rng.beta(1.3, 3.0)),
        "blotches": rng.random((7, 7), np.float32),
        "scratches": scratches[: int(rng.integers(0, MAX_SCRATCHES + 1))],
        "dirt": dirt[: rng.binomial(MAX_SPECKS, 0.25)],
    }


def _choose_scratches(rng: np.random.Generator) -> np.ndarray:
    """Rows (x, y, degrees, length), as many as there may be."""
    places = rng.uniform(-0.9, 0.9, (MAX_SCRATCHES, 2))
    turns_deg = rng.uniform(0, 360, MAX_SCRATCHES)
    lengths = rng.uniform(0.1, 0.7, MAX_SCRATCHES)
    return np.column_stack([places, turns_deg, lengths])


def _choose_dirt(rng: np.random.Generator) -> np.ndarray:
    """Rows (x, y, radius, depth), as many as there may be."""
    places = rng.uniform(-0.8, 0.8, (MAX_SPECKS, 2))
    radii = rng.uniform(0.02, 0.16, MAX_SPECKS)
    depths = rng.uniform(0.2, 0.8, MAX_SPECKS)
    return np.column_stack([places, radii, depths])


def _choose_label(rng: np.random.Generator) -> str:
    labels = [coin.label for coin in currency.DENOMINATIONS]
    return str(rng.choice(labels))


def _make_washer(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    hole_radius = float(rng.uniform(0.3, 0.6))
    alloy = str(rng.choice(["steel", "zinc", "brass"]))
    diameter_mm = float(rng.uniform(*FOREIGN_DIAMETERS_MM))
    return Disc(
        diameter_mm=diameter_mm,
        relief=currency.draw_plain_disc(),
        reflectance=currency.make_reflectance_map(alloy),
        gloss=0.5,
        holes=((0.0, 0.0, hole_radius),),
        **_choose_condition(rng),
    )


def _make_button(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    """A plastic button of any colour, with two or four holes."""
    reflectance = np.empty((RELIEF_PX, RELIEF_PX, 3), np.float32)
    reflectance[:] = rng.uniform(0.08, 0.8, 3)
    holes = _choose_button_holes(rng)
    diameter_mm = float(rng.uniform(*FOREIGN_DIAMETERS_MM))
    return Disc(
        diameter_mm=diameter_mm,
        relief=currency.draw_blank(),
        reflectance=reflectance,
        gloss=0.15,
        holes=holes,
        **_choose_condition(rng),
    )


def _choose_button_holes(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    distance = rng.uniform(0.16, 0.26)
    radius = rng.uniform(0.06, 0.1)
    corners = [(1, 1), (-1, -1)]
    if rng.random() < 0.7:
        corners += [(1, -1), (-1, 1)]
    return tuple((x * distance, y * distance, radius) for x, y in corners)


def _make_blank(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    """A blank of a known coin's size and metal."""
    has_rim = rng.random() < 0.6
    relief = currency.draw_blank() if has_rim else currency.draw_plain_disc()
    label = _choose_label(rng)
    return _make_coin_disc(rng, label, relief=relief)


def _make_token(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    """A token of a known coin's size and metal, with a design of its own."""
    label = _choose_label(rng)
    relief = currency.draw_token(rng, motifs)
    return _make_coin_disc(rng, label, relief=relief)


def _make_bent_coin(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    label = _choose_label(rng)
    stretch = float(rng.uniform(0.78, 0.92))
    bend_deg = float(rng.uniform(0, 180))
    return _make_coin_disc(rng, label, stretch=stretch, bend_deg=bend_deg)


def _make_clipped_coin(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    label = _choose_label(rng)
    clip_depth = float(rng.uniform(0.16, 0.5))
    bend_deg = float(rng.uniform(0, 360))
    return _make_coin_disc(rng, label, clip_depth=clip_depth, bend_deg=bend_deg)


_MAKERS: dict[str, Callable[[np.random.Generator, tuple[str, ...]], Disc]] = {
    "washer": _make_washer,
    "button": _make_button,
    "blank": _make_blank,
    "token": _make_token,
    "bent": _make_bent_coin,
    "clipped": _make_clipped_coin,
}


def _make_pair(
    rng: np.random.Generator,
    overlap: bool,
) -> tuple[PlacedDisc, PlacedDisc]:
    """Two coins that touch, or of which the second lies partly on the first."""
    first = _make_coin_disc(rng, _choose_label(rng))
    second = _make_coin_disc(rng, _choose_label(rng))
    touching_mm = (first.diameter_mm + second.diameter_mm) / 2
    closeness = rng.uniform(0.55, 0.92) if overlap else rng.uniform(1.0, 1.015)
    distance_mm = touching_mm * closeness
    angle = rng.uniform(0, 2 * np.pi)
    x = distance_mm / 2 * float(np.cos(angle))
    y = distance_mm / 2 * float(np.sin(angle))
    return (first, (-x, -y)), (second, (x, y))
