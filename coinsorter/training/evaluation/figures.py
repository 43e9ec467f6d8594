"""How all figures of reports are drawn: one style, one size of page, and sheets of coins.

Figures are for a page 1000 px wide and are drawn twice as fine as it shows them.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from coinsorter.escape import clean
from coinsorter.vision.crop import FILL

# Colours, those of the reports' style sheet.
PAPER = "#ffffff"
INK = "#26262b"
FAINT = "#d9d8d2"
BLUE = "#2f6690"
BAD = "#b0342c"
GOLD = "#c98a1b"
GREY = "#8b8a85"
#: Pixels an inch; the page shows 100 of them.
DPI = 200
#: Inches: half of the page's width, with a gap between two such figures.
HALF_WIDTH = 4.8
#: Inches: the page's whole width.
FULL_WIDTH = 10.0
#: Inches between a figure's edge and what is drawn.
PADDING = 0.07
#: Characters of a line under a tile of a contact sheet, at its font size.
TILE_LINE_LENGTH = 28
#: Matplotlib's settings for every figure.
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#ecebe6",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.parse_math": False,  # a label may have dollars in it
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}


def render(draw: Callable[..., Figure]) -> Callable[..., np.ndarray]:
    """A decorator: the function that built a figure returns its pixels, uint8 (h, w, 3) RGB.

    Matplotlib's global state is not touched.
    """

    @wraps(draw)
    def draw_pixels(*arguments: Any, **options: Any) -> np.ndarray:
        with matplotlib.rc_context(STYLE):
            canvas = FigureCanvasAgg(draw(*arguments, **options))
            canvas.draw()
            return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    return draw_pixels


def create_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    layout = ConstrainedLayoutEngine(w_pad=PADDING, h_pad=PADDING)
    return Figure((width, height), dpi=DPI, layout=layout)


@dataclass(frozen=True, eq=False)
class Tile:
    """A coin on a contact sheet: its crop, uint8 (n, n, 3), and the lines of text under it."""

    crop: np.ndarray
    lines: tuple[str, ...]

    def wrap_lines(self) -> list[str]:
        """The lines, broken where they are too long for the tile."""
        wrapped: list[str] = []
        for line in map(clean, self.lines):
            wrapped += textwrap.wrap(line, TILE_LINE_LENGTH, break_on_hyphens=False) or [""]
        return wrapped


@render
def draw_contact_sheet(tiles: Sequence[Tile], title: str, columns: int = 6) -> Figure:
    """Coins in rows, each above its lines of text."""
    rows = max(1, -(-len(tiles) // columns))
    line_count = max([1, *(len(tile.wrap_lines()) for tile in tiles)])
    row_height = FULL_WIDTH / columns * 0.88 + 0.14 * line_count
    figure = create_figure(FULL_WIDTH, 0.6 + rows * row_height)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(
        title,
        x=0.01,
        ha="left",
        fontweight="bold",
        fontsize=10.5,
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, tile in zip(grid.flat, tiles):
        _draw_tile(axes, tile)
    return figure


def _draw_tile(axes: Axes, tile: Tile) -> None:
    axes.set_anchor("N")
    axes.imshow(whiten_surround(tile.crop), interpolation="bicubic")
    axes.text(
        0.5,
        -0.03,
        "\n".join(tile.wrap_lines()),
        fontsize=6.8,
        linespacing=1.3,
        transform=axes.transAxes,
        ha="center",
        va="top",
    )


def whiten_surround(crop: np.ndarray) -> np.ndarray:
    """The crop, uint8 (n, n, 3), with the grey outside of its coin made white."""
    white = crop.copy()
    grey = (crop == FILL).all(axis=2)
    white[grey & ~_select_enclosed(grey)] = 255
    return white


def _select_enclosed(grey: np.ndarray) -> np.ndarray:
    """The part of a mask that is not connected to a corner: single grey pixels on the coin."""
    _, parts = cv2.connectedComponents(grey.astype(np.uint8), connectivity=4)
    corners = {parts[0, 0], parts[0, -1], parts[-1, 0], parts[-1, -1]} - {0}
    return grey & ~np.isin(parts, list(corners))
