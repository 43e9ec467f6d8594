"""Figures of measures and of what a forest makes of them: uint8 (h, w, 3) RGB."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coinsorter.training.evaluation.figures import (
    BLUE,
    FULL_WIDTH,
    GREY,
    INK,
    create_figure,
    render,
)

#: Panels beside each other on the page.
MAX_COLUMNS = 3
#: Single measures that the figure of importances shows.
MAX_IMPORTANCES = 12
#: Look of the values beyond the whiskers of a box plot.
FLIERS = {"marker": ".", "markersize": 2, "alpha": 0.35, "markeredgecolor": GREY}


@render
def plot_distributions(measures: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Box plots of each measure, label by label; by measure and label, float (n,)."""
    columns = min(MAX_COLUMNS, max(1, len(measures)))
    rows = -(-len(measures) // columns)
    labels = list(next(iter(measures.values())))
    panel_height = max(1.9, min(8.0, 0.75 + 0.24 * len(labels)))
    figure = create_figure(FULL_WIDTH, rows * panel_height)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(measures) :]:
        axes.set_axis_off()
    font_size = max(4.5, min(8.5, 260 / len(labels)))
    rows_of_boxes = range(1, len(labels) + 1)
    for number, (name, by_label) in enumerate(measures.items()):
        axes = grid.flat[number]
        _draw_boxes(axes, by_label)
        axes.set_title(name, fontsize=8.5)
        is_leftmost = number % columns == 0
        names = labels if is_leftmost else [""] * len(labels)
        axes.set_yticks(rows_of_boxes, names, fontsize=font_size)
        axes.invert_yaxis()
    return figure


def _draw_boxes(axes: Axes, by_label: Mapping[str, np.ndarray]) -> None:
    """One box a label: its middle half, the median, and whiskers to the 5th and 95th percentile."""
    axes.boxplot(
        [values[~np.isnan(values)] for values in by_label.values()],
        orientation="horizontal",
        whis=(5, 95),
        widths=0.62,
        patch_artist=True,
        showcaps=False,
        boxprops={"facecolor": BLUE, "alpha": 0.45, "linewidth": 0},
        medianprops={"color": INK, "linewidth": 1.4},
        whiskerprops={"color": BLUE},
        flierprops=FLIERS,
    )


@render
def plot_importances(families: Mapping[str, float], measures: Mapping[str, float]) -> Figure:
    """Balanced accuracy lost by shuffling whole families, and the most important measures.

    Both come with the largest loss first. Measures that lose nothing are left out.
    """
    costly = [(name, loss) for name, loss in measures.items() if loss > 0]
    most = dict(costly[:MAX_IMPORTANCES])
    figure = create_figure(FULL_WIDTH, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    _draw_losses(left, families, "A whole family shuffled")
    _draw_losses(right, most, "One measure shuffled")
    return figure


def _draw_losses(axes: Axes, losses: Mapping[str, float], title: str) -> None:
    rows = range(len(losses))
    points = [100 * loss for loss in losses.values()]
    axes.barh(rows, points, color=BLUE, alpha=0.75, height=0.62)
    axes.set_yticks(rows, list(losses), fontsize=8)
    axes.set(title=title, xlabel="balanced accuracy lost (points)")
    axes.invert_yaxis()
    axes.grid(False, axis="y")
