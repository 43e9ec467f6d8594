"""What lies on the belt: items made of discs, and the genuine coins among them.

An item is one connected object made of one disc, or of two that touch or overlap. How it looks is
drawn by `sprites`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coinsorter.simulator import currency

#: The kind of an item that is a genuine coin lying alone.
GENUINE = "coin"
#: Relative standard deviation of a genuine coin's diameter: an assumed minting tolerance.
MINTING_STD = 0.0015
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

    kind: GENUINE or one of `foreign_objects.FOREIGN_KINDS`. label: what a genuine lone coin is;
    None for all else. discs: each with its offset (x, y) in mm from the object's middle, the lowest
    first.
    """

    kind: str
    label: str | None
    discs: tuple[PlacedDisc, ...] = field(repr=False)

    @property
    def half_length_mm(self) -> float:
        """Half of what it takes up along the belt."""
        return max(abs(x) + disc.diameter_mm / 2 for disc, (x, _) in self.discs)


@dataclass(frozen=True, eq=False)
class ItemOutline:
    """What is kept of an item: its maps take a megabyte, and are made again when it is drawn.

    kind, label, half_length_mm: as those of the item. remake: makes the same item again.
    """

    kind: str
    label: str | None
    half_length_mm: float
    remake: Callable[[], Item] = field(repr=False)


def make_genuine_coin(
    rng: np.random.Generator,
    label: str | None = None,
) -> Item:
    """A genuine coin lying alone; of any denomination, unless `label` names one."""
    if not label:
        label = choose_label(rng)
    disc = make_coin_disc(rng, label)
    return make_item(GENUINE, label, disc)


def make_item(
    kind: str,
    label: str | None,
    disc: Disc,
) -> Item:
    """An item of one disc."""
    placed = (disc, (0.0, 0.0))
    return Item(kind, label, (placed,))


def make_coin_disc(rng: np.random.Generator, label: str, **changes: Any) -> Disc:
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
    fields.update(choose_condition(rng))
    fields.update(changes)
    return Disc(**fields)


def choose_condition(rng: np.random.Generator) -> dict[str, Any]:
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


def choose_label(rng: np.random.Generator) -> str:
    """Any denomination's label, each as often."""
    labels = [coin.label for coin in currency.DENOMINATIONS]
    return str(rng.choice(labels))
