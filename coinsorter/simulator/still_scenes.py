"""Many things in one picture, each with its truth: how the invented currency's training set is photographed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera

# One cell of the grid holds the largest coin with room to spare.
CELL_MM = 36.0
PICTURES_PER_LAMP = 10


@dataclass(frozen=True, eq=False)
class StillScene:
    """pixels: uint8 (h, w, 3) RGB. things: what lies where, as (thing, x_px, y_px) of its middle."""

    pixels: np.ndarray
    items: tuple[tuple[coins.Item, float, float], ...]


def render_stills(
    things: Iterator[coins.Item],
    optics: Optics,
    rng: np.random.Generator,
    cell_mm: float = CELL_MM,
) -> Iterator[StillScene]:
    """Lays the things out on a grid, a picture after the other, under lamps and belts that change every few pictures."""
    columns, rows = (
        max(1, int(size / optics.px_per_mm / cell_mm))
        for size in (optics.width_px, optics.height_px)
    )
    places = [
        ((i % columns - (columns - 1) / 2) * cell_mm, (i // columns - (rows - 1) / 2) * cell_mm)
        for i in range(columns * rows)
    ]
    number = 0
    while batch := [thing for _, thing in zip(places, things)]:
        if number % PICTURES_PER_LAMP == 0:
            camera = SimulatedCamera(optics, rng)
        number += 1
        yield _still(batch, places, camera, rng)


def _still(
    batch: list[coins.Item],
    places: list[tuple[float, float]],
    camera: SimulatedCamera,
    rng: np.random.Generator,
) -> StillScene:
    optics = camera.optics
    placed, sprites = [], []
    for thing, place in zip(batch, places):
        x_mm, y_mm = place + rng.uniform(-2.5, 2.5, 2)
        sprites.append((camera.draw_item(thing), x_mm, y_mm))
        x_px, y_px = (
            (optics.width_px - 1) / 2 + x_mm * optics.px_per_mm,
            (optics.height_px - 1) / 2 + y_mm * optics.px_per_mm,
        )
        placed.append((thing, x_px, y_px))
    return StillScene(camera.render_frame(sprites, rng.uniform(0, 1000)), tuple(placed))
