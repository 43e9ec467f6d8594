"""Many items in one image, each with its truth: what the training set of `crowns` is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera

#: Side of a cell of the grid, mm: it holds the largest coin with room to spare.
CELL_MM = 36.0
#: Items lie this far off their cell's middle at most, mm.
MAX_SHIFT_MM = 2.5
#: Images under the same lamp and on the same belt.
IMAGES_PER_LAMP = 10


@dataclass(frozen=True, eq=False)
class StillScene:
    """One image and its truth.

    pixels: uint8 (h, w, 3) RGB. items: what lies where, as (item, x_px, y_px) of its middle.
    """

    pixels: np.ndarray
    items: tuple[tuple[coins.Item, float, float], ...]


def render_stills(
    items: Iterator[coins.Item],
    optics: Optics,
    rng: np.random.Generator,
    cell_mm: float = CELL_MM,
) -> Iterator[StillScene]:
    """Images of the items laid out on a grid; lamp and belt change every few images."""
    cells = _list_cells(optics, cell_mm)
    number = 0
    while batch := list(islice(items, len(cells))):
        if number % IMAGES_PER_LAMP == 0:
            camera = SimulatedCamera(optics, rng)
        number += 1
        yield _render_still(batch, cells, camera, rng)


def _list_cells(optics: Optics, cell_mm: float) -> list[tuple[float, float]]:
    """The middles (x, y) of the grid's cells, mm from the view's centre, row by row."""
    columns = max(1, int(optics.width_px / optics.px_per_mm / cell_mm))
    rows = max(1, int(optics.height_px / optics.px_per_mm / cell_mm))
    cells = []
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        x_mm = (column - (columns - 1) / 2) * cell_mm
        y_mm = (row - (rows - 1) / 2) * cell_mm
        cells.append((x_mm, y_mm))
    return cells


def _render_still(
    batch: list[coins.Item],
    cells: list[tuple[float, float]],
    camera: SimulatedCamera,
    rng: np.random.Generator,
) -> StillScene:
    sprites = []
    items = []
    for item, cell in zip(batch, cells):
        x_mm, y_mm = cell + rng.uniform(-MAX_SHIFT_MM, MAX_SHIFT_MM, 2)
        sprite = camera.draw_item(item)
        sprites.append((sprite, x_mm, y_mm))
        x_px, y_px = camera.optics.to_pixel(x_mm, y_mm)
        items.append((item, x_px, y_px))
    belt_mm = rng.uniform(0, 1000)
    pixels = camera.render_frame(sprites, belt_mm)
    return StillScene(pixels, tuple(items))
