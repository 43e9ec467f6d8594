"""What has to be rejected: washers, buttons, blanks, tokens, damaged coins, and coins that touch.

How they look is drawn by `sprites`.
"""

from collections.abc import Callable

import numpy as np

from coinsorter.simulator import currency
from coinsorter.simulator.coins import (
    Disc,
    Item,
    PlacedDisc,
    choose_condition,
    choose_label,
    make_coin_disc,
    make_item,
)
from coinsorter.simulator.masks import RELIEF_PX

#: The kinds of items that have to be rejected.
FOREIGN_KINDS = ("washer", "button", "blank", "token", "bent", "clipped", "touching", "overlapping")
#: Washers and buttons have diameters between these, mm: those of coins.
FOREIGN_DIAMETERS_MM = (17.5, 28.0)


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
    return make_item(kind, None, disc)


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
        **choose_condition(rng),
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
        **choose_condition(rng),
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
    label = choose_label(rng)
    return make_coin_disc(rng, label, relief=relief)


def _make_token(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    """A token of a known coin's size and metal, with a design of its own."""
    label = choose_label(rng)
    relief = currency.draw_token(rng, motifs)
    return make_coin_disc(rng, label, relief=relief)


def _make_bent_coin(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    label = choose_label(rng)
    stretch = float(rng.uniform(0.78, 0.92))
    bend_deg = float(rng.uniform(0, 180))
    return make_coin_disc(rng, label, stretch=stretch, bend_deg=bend_deg)


def _make_clipped_coin(
    rng: np.random.Generator,
    motifs: tuple[str, ...],
) -> Disc:
    label = choose_label(rng)
    clip_depth = float(rng.uniform(0.16, 0.5))
    bend_deg = float(rng.uniform(0, 360))
    return make_coin_disc(rng, label, clip_depth=clip_depth, bend_deg=bend_deg)


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
    first = make_coin_disc(rng, choose_label(rng))
    second = make_coin_disc(rng, choose_label(rng))
    touching_mm = (first.diameter_mm + second.diameter_mm) / 2
    closeness = rng.uniform(0.55, 0.92) if overlap else rng.uniform(1.0, 1.015)
    distance_mm = touching_mm * closeness
    angle = rng.uniform(0, 2 * np.pi)
    x = distance_mm / 2 * float(np.cos(angle))
    y = distance_mm / 2 * float(np.sin(angle))
    return (first, (-x, -y)), (second, (x, y))
