"""Figures -> pictures, all of one make: for a report 1000 px wide, drawn twice as fine as it shows them.

Every function gives uint8 (h, w, 3) RGB, without touching matplotlib's global state.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy import ndimage

from coinsorter.training.evaluation.metrics import (
    AnomalyMetrics,
    ClosedSetMetrics,
    ConfusionMatrix,
    Reliability,
    ReliabilityBin,
    RiskCoverage,
)
from coinsorter.training.evaluation.rotation import RotationStudy
from coinsorter.vision.crop import FILL

PAPER, INK, FAINT = "#ffffff", "#26262b", "#d9d8d2"
BLUE, GOOD, BAD, GOLD, GREY = "#2f6690", "#247c3c", "#b0342c", "#c98a1b", "#8b8a85"
DPI = 200  # of a figure's inches, each 100 px wide on the page
HALF, FULL = 4.8, 10.0  # inches: half of the page's width, and all of it
NUMBERED = 32  # a confusion matrix with more rows or columns shows its counts by colour alone
HALF_COLUMNS = 12  # a confusion matrix with more columns is as wide as the page
LEGIBLE_SHARE = 0.12  # the faintest shade that a cell with a single coin gets
MOST_ANOMALOUS = 1000.0  # what is drawn: stranger things are put there
STYLE = {
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
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}


def picture(draw: Callable[..., Figure]) -> Callable[..., np.ndarray]:
    """Makes a function that builds a figure give its pixels."""

    @wraps(draw)
    def drawn(*arguments, **named) -> np.ndarray:
        with matplotlib.rc_context(STYLE):
            canvas = FigureCanvasAgg(draw(*arguments, **named))
            canvas.draw()
            return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    return drawn


def figure(width: float, height: float) -> Figure:
    made = Figure((width, height), dpi=DPI, layout="constrained")
    made.get_layout_engine().set(w_pad=0.07, h_pad=0.07)
    return made


@dataclass(frozen=True, eq=False)
class Tile:
    """A coin on a contact sheet: its crop, uint8 (n, n, 3), and what the lines under it say."""

    crop: np.ndarray
    lines: tuple[str, ...]


@picture
def confusion(table: ConfusionMatrix, title: str) -> Figure:
    """Rows are the truth. Blue is right and red is wrong; the darker, the larger the share of its row, and no mistake is ever blank."""
    rows, columns = len(table.rows), len(table.columns)
    width, cell, names = _matrix_size(table)
    upright = names < cell
    fig = figure(width, cell * rows + (0.2 if upright else names) + 1.0)
    axes = fig.add_subplot()
    axes.imshow(_shades(table), aspect="equal")
    size = max(4.5, min(8.5, 42 * cell))
    axes.set_xticks(range(columns), table.columns, rotation=0 if upright else 90, fontsize=size)
    axes.set_yticks(range(rows), table.rows, fontsize=size)
    axes.set(title=title, xlabel="called", ylabel="true")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(True, which="minor", color=FAINT, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    if max(rows, columns) <= NUMBERED:
        _write_counts(axes, table, size)
    return fig


def _matrix_size(table: ConfusionMatrix) -> tuple[float, float, float]:
    """The figure's width, a cell's edge, and the longest name's length, all in inches."""
    names, columns = (
        0.055 * max(len(name) for name in (*table.rows, *table.columns)),
        len(table.columns),
    )
    width = HALF if columns <= HALF_COLUMNS else FULL
    cell = min(0.72, max(0.16, (width - names - 0.65) / columns))
    return max(width, cell * columns + names + 0.65), cell, names


def _shades(table: ConfusionMatrix) -> np.ndarray:
    counts = np.array(table.counts, float).reshape(len(table.rows), len(table.columns))
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    strength = np.where(counts > 0, LEGIBLE_SHARE + (1 - LEGIBLE_SHARE) * share**0.7, 0)[..., None]
    right = np.array([[_is_right(row, column) for column in table.columns] for row in table.rows])[
        ..., None
    ]
    return 1 + strength * (np.where(right, to_rgb(BLUE), to_rgb(BAD)) - 1)


def _is_right(row: str, column: str) -> bool:
    """What is foreign belongs into no bin."""
    return row == column or (row == "(foreign)" and column == "(rejected)")


def _write_counts(axes, table: ConfusionMatrix, size: float) -> None:
    for y, line in enumerate(table.counts):
        for x, count in enumerate(line):
            if count:
                light = count > 0.45 * sum(line)
                axes.text(
                    x,
                    y,
                    f"{count}",
                    ha="center",
                    va="center",
                    fontsize=size,
                    color=PAPER if light else INK,
                )


@picture
def per_label(answers: ClosedSetMetrics, title: str) -> Figure:
    """Precision and recall of every label that has coins, worst F1 first."""
    scores = sorted(
        ((name, s) for name, s in answers.per_label.items() if s.coins),
        key=lambda item: -(item[1].f1 or 0),
    )
    size = max(5.0, min(8.5, 260 / max(1, len(scores))))
    fig = figure(HALF, min(12.0, 1.3 + max(0.09, min(0.3, 8 / max(1, len(scores)))) * len(scores)))
    axes = fig.add_subplot()
    for y, (_, s) in enumerate(scores):
        if s.precision is not None:
            axes.plot([s.precision, s.recall], [y, y], color=FAINT, linewidth=2, zorder=1)
    precision = [np.nan if s.precision is None else s.precision for _, s in scores]
    axes.scatter(precision, range(len(scores)), color=GOLD, s=26, label="precision", zorder=3)
    axes.scatter(
        [s.recall for _, s in scores],
        range(len(scores)),
        color=BLUE,
        s=26,
        marker="D",
        label="recall",
        zorder=2,
    )
    axes.set_yticks(
        range(len(scores)), [f"{name} ({s.coins})" for name, s in scores], fontsize=size
    )
    lowest = min([1.0, *(v for _, s in scores for v in (s.precision, s.recall) if v is not None)])
    axes.set(
        title=title,
        xlim=(max(-0.03, lowest - 0.05 - 0.1 * (1 - lowest)), 1.01),
        ylim=(-0.7, len(scores) - 0.3),
    )
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.08 if len(scores) < 12 else -0.05), ncols=2
    )
    return fig


@picture
def risk_coverage(found: RiskCoverage, machine: tuple[float, float] | None) -> Figure:
    """machine: the share of genuine coins that its limits accept, and the share of those that is wrong."""
    fig = figure(HALF, 3.8)
    axes = fig.add_subplot()
    coverage, risk = np.array(found.curve.x), 100 * np.array(found.curve.y)
    axes.step(
        100 * coverage, risk, where="post", color=BLUE, linewidth=1.8, label="by confidence alone"
    )
    axes.fill_between(100 * coverage, risk, step="post", color=BLUE, alpha=0.1, linewidth=0)
    if machine:
        axes.plot(
            100 * machine[0],
            100 * machine[1],
            "o",
            color=BAD,
            markersize=8,
            clip_on=False,
            label="the machine's limits",
            zorder=5,
        )
    axes.set(
        title="Risk and coverage",
        xlabel="genuine coins answered, the surest first (%)",
        ylabel="of those wrong (%)",
        xlim=(0, 101),
    )
    top = max(0.5, 1.12 * max([*risk, 100 * machine[1] if machine else 0]))
    axes.set_ylim(-0.02 * top, top)
    axes.legend(loc="upper left")
    return fig


@picture
def reliability(found: Reliability) -> Figure:
    """Share right over confidence, with its 95 % interval; below, where the coins are."""
    fig = figure(HALF, 3.8)
    upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as sure as right")
    middle = [b.confidence for b in found.bins]
    shares = [b.right.share for b in found.bins]
    upper.vlines(
        middle,
        [b.right.low_95 for b in found.bins],
        [b.right.high_95 for b in found.bins],
        color=BLUE,
        linewidth=1.4,
        alpha=0.5,
    )
    upper.plot(
        middle,
        shares,
        "o",
        color=BLUE,
        markersize=6,
        clip_on=False,
        label="coins, by tenths of confidence",
    )
    error = (
        ""
        if found.expected_error is None
        else f": off by {100 * found.expected_error:.2g} % on average"
    )
    upper.set(
        title=f"Reliability{error}", ylabel="share right", ylim=(-0.02, 1.02), xlim=(-0.02, 1.02)
    )
    upper.legend(loc="upper left")
    _bars(lower, found.bins)
    return fig


def _bars(axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.bar(
        [(b.low + b.high) / 2 for b in bins],
        [b.right.of for b in bins],
        width=[0.94 * (b.high - b.low) for b in bins],
        color=BLUE,
        alpha=0.55,
    )
    axes.set(xlabel="confidence", ylabel="coins", yscale="log")
    axes.set_ylim(0.7, 2.5 * max([1, *(b.right.of for b in bins)]))


@picture
def roc(found: AnomalyMetrics) -> Figure:
    """Foreign caught over genuine lost, by the anomaly score and, to compare, by low confidence."""
    fig = figure(HALF, 4.2)
    axes = fig.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    other, own = (
        f"low confidence, AUROC {_short(found.auroc_confidence)}",
        f"anomaly score, AUROC {_short(found.auroc)}",
    )
    axes.plot(
        found.roc_confidence.x, found.roc_confidence.y, color=GOLD, linewidth=1.5, label=other
    )
    axes.plot(found.roc.x, found.roc.y, color=BLUE, linewidth=2, label=own)
    if found.tpr.share is not None and found.tnr.share is not None:
        axes.plot(
            1 - found.tpr.share,
            found.tnr.share,
            "o",
            color=BAD,
            markersize=8,
            clip_on=False,
            label="the bundle's anomaly limits",
            zorder=5,
        )
    axes.set(
        title="ROC: foreign things caught",
        xlabel="genuine coins lost",
        ylabel="foreign things caught",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )
    axes.legend(loc="lower right")
    return fig


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


@picture
def anomaly_scores(
    genuine: Sequence[float], foreign: Sequence[float], limits: Sequence[float]
) -> Figure:
    """How the scores lie: linear between -2 and 2, logarithmic beyond."""
    fig = figure(HALF, 4.2)
    axes = fig.add_subplot()
    seen = np.clip([*genuine, *foreign, *limits, 0.0, 1.0], -MOST_ANOMALOUS, MOST_ANOMALOUS)
    edges = 2 * np.sinh(
        np.linspace(*np.arcsinh(1.05 * np.array([seen.min(), seen.max()]) / 2), 45)
    )  # equally wide on the axis below
    for scores, colour, name in ((genuine, BLUE, "genuine"), (foreign, BAD, "foreign")):
        if len(scores):
            weights = np.full(len(scores), 100 / len(scores))
            axes.hist(
                np.clip(scores, edges[0], edges[-1]),
                edges,
                weights=weights,
                color=colour,
                alpha=0.55,
                label=f"{name} ({len(scores)})",
            )
    for number, limit in enumerate(sorted({round(limit, 2) for limit in limits})):
        axes.axvline(
            limit, color=GOLD, linewidth=1.5, label=None if number else "the labels' limits"
        )
    axes.set_xscale("asinh", linear_width=2)
    axes.set(
        title="Anomaly scores",
        xlabel="anomaly, in units of the genuine coins' spread",
        ylabel="share of them (%)",
        xlim=(edges[0], edges[-1]),
    )
    axes.set_xticks(
        [
            tick
            for tick in (-50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50, 100, 1000)
            if edges[0] <= tick <= edges[-1]
        ],
        minor=False,
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend()
    return fig


@picture
def rotations(found: RotationStudy) -> Figure:
    fig = figure(FULL, 3.0)
    axes = fig.add_subplot()
    angles = [*found.angles_deg, 360.0]
    for shares, colour, name in (
        (found.by_picture, GOLD, "by picture alone"),
        (found.accuracy, BLUE, "as the machine judges"),
    ):
        axes.plot(
            angles,
            100 * np.array([*shares, shares[0]]),
            ".-",
            color=colour,
            linewidth=1.6,
            markersize=7,
            label=name,
        )
    axes.set(xlabel="turned by (degrees)", ylabel="right (%)")
    axes.set_title(
        f"Called rightly, by how the coin lies: {100 * found.lowest:.2f} to {100 * found.highest:.2f} %"
    )
    axes.set_xticks(range(0, 361, 45))
    axes.set_xlim(0, 360)
    axes.margins(y=0.25)
    axes.legend(loc="lower right", ncols=2)
    return fig


@picture
def damage(
    aurocs: dict[str, float | None],
    rejected: dict[str, float | None],
    intact_rejected: float | None,
) -> Figure:
    """AUROC of the anomaly score and share rejected, by kind of damage."""
    fig = figure(FULL, 0.36 * len(aurocs) + 1.4)
    left, right = fig.subplots(1, 2, sharey=True)
    names = list(aurocs)[::-1]
    _lollipops(left, names, aurocs, 0.5)
    lowest = min([0.5, *(value for value in aurocs.values() if value is not None)])
    left.set(title="AUROC of the anomaly score (0.5: blind)", xlim=(lowest - 0.05, 1.1))
    _lollipops(right, names, rejected, 0.0)
    if intact_rejected is not None:
        right.axvline(intact_rejected, color=GOLD, linewidth=1.5, linestyle="--")
    right.set(title="Rejected by the machine (dashed: intact coins)", xlim=(-0.02, 1.15))
    return fig


def _lollipops(axes, names: Sequence[str], values: dict[str, float | None], base: float) -> None:
    axes.axvline(base, color=GREY, linewidth=1)
    for y, name in enumerate(names):
        value = values[name]
        if value is not None:
            axes.hlines(y, base, value, color=BLUE, linewidth=3)
            axes.plot(value, y, "o", color=BLUE, markersize=7)
            note = {
                "textcoords": "offset points",
                "va": "center",
                "fontsize": 8.5,
                "bbox": {"facecolor": PAPER, "edgecolor": "none", "pad": 1},
            }
            axes.annotate(f"{value:.3f}", (max(base, value), y), (9, 0), **note)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(False, axis="y")


@picture
def contact_sheet(tiles: Sequence[Tile], title: str, columns: int = 6) -> Figure:
    """Coins in rows, each above its lines; all outside of them is left white."""
    rows = max(1, -(-len(tiles) // columns))
    lines = max([1, *(len(_wrapped(tile)) for tile in tiles)])
    fig = figure(FULL, 0.6 + rows * (FULL / columns * 0.88 + 0.14 * lines))
    grid = fig.subplots(rows, columns, squeeze=False)
    fig.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10.5)
    for axes, tile in zip(grid.flat, [*tiles, *[None] * (rows * columns - len(tiles))]):
        axes.set_axis_off()
        if tile:
            axes.set_anchor("N")
            axes.imshow(on_paper(tile.crop), interpolation="bicubic")
            place = {"transform": axes.transAxes, "ha": "center", "va": "top"}
            axes.text(0.5, -0.03, "\n".join(_wrapped(tile)), fontsize=6.8, linespacing=1.3, **place)
    return fig


def on_paper(crop: np.ndarray) -> np.ndarray:
    """The crop with the grey outside of its coin made white."""
    white = crop.copy()
    outside = (crop == FILL).all(axis=2)
    white[outside & ~_enclosed(outside)] = 255
    return white


def _enclosed(outside: np.ndarray) -> np.ndarray:
    """Of a mask, what does not hang together with the picture's corners: single grey pixels on the coin."""
    parts, _ = ndimage.label(outside)
    corners = {parts[y, x] for y in (0, -1) for x in (0, -1)} - {0}
    return outside & ~np.isin(parts, list(corners))


def _wrapped(tile: Tile) -> list[str]:
    return [
        line
        for text in tile.lines
        for line in textwrap.wrap(text, 28, break_on_hyphens=False) or [""]
    ]


@picture
def damage_examples(examples: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """One row of crops as they were, and one per kind of damage."""
    first = next(iter(examples.values()))[0]
    rows = [("as they were", first), *((kind, crops) for kind, (_, crops) in examples.items())]
    fig = figure(FULL, 0.1 + len(rows) * (FULL - 1.0) / max(4, len(first)) * 0.97)
    grid = fig.subplots(len(rows), max(4, len(first)), squeeze=False)
    for line, (name, crops) in zip(grid, rows):
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for axes, crop in zip(line, crops):
            axes.imshow(on_paper(crop), interpolation="bicubic")
    return fig


@picture
def distributions(measures: dict[str, dict[str, np.ndarray]]) -> Figure:
    """How each measure lies, label by label; by measure and label, float (n,)."""
    columns, labels = min(3, max(1, len(measures))), len(next(iter(measures.values())))
    rows = -(-len(measures) // columns)
    fig = figure(FULL, rows * max(1.9, min(8.0, 0.75 + 0.24 * labels)))
    grid = fig.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(measures) :]:
        axes.set_axis_off()
    for number, (axes, (name, by_label)) in enumerate(zip(grid.flat, measures.items())):
        _boxes(axes, by_label)
        axes.set_title(name, fontsize=8.5)
        axes.set_yticks(
            range(1, labels + 1),
            by_label if number % columns == 0 else [""] * labels,
            fontsize=max(4.5, min(8.5, 260 / labels)),
        )
        axes.invert_yaxis()
    return fig


def _boxes(axes, by_label: dict[str, np.ndarray]) -> None:
    known = [values[~np.isnan(values)] for values in by_label.values()]
    look = {
        "boxprops": {"facecolor": BLUE, "alpha": 0.45, "linewidth": 0},
        "medianprops": {"color": INK, "linewidth": 1.4},
        "whiskerprops": {"color": BLUE},
        "flierprops": {"marker": ".", "markersize": 2, "alpha": 0.35, "markeredgecolor": GREY},
    }
    axes.boxplot(
        known,
        orientation="horizontal",
        whis=(5, 95),
        widths=0.62,
        patch_artist=True,
        showcaps=False,
        **look,
    )


@picture
def importances(families: dict[str, float], single: dict[str, float]) -> Figure:
    """Whole families beside the dozen measures that matter most by themselves, in points of balanced accuracy; what costs nothing is left out."""
    dozen = dict([(name, loss) for name, loss in single.items() if loss > 0][:12])
    fig = figure(FULL, 3.6)
    left, right = fig.subplots(1, 2, width_ratios=(2, 3))
    for axes, values, title in (
        (left, families, "A whole family shuffled"),
        (right, dozen, "One measure shuffled"),
    ):
        axes.barh(
            range(len(values)),
            [100 * v for v in values.values()],
            color=BLUE,
            alpha=0.75,
            height=0.62,
        )
        axes.set_yticks(range(len(values)), values, fontsize=8)
        axes.set(title=title, xlabel="balanced accuracy lost (points)")
        axes.invert_yaxis()
        axes.grid(False, axis="y")
    return fig


@picture
def plot_training_curves(histories: dict[str, list[dict[str, float]]]) -> Figure:
    """How each network's training went: its figures epoch by epoch, those on held-back crops ("val_") beside them."""
    measures = [
        (name, measure)
        for name, history in histories.items()
        for measure in ("loss", "accuracy")
        if history and measure in history[0]
    ]
    fig = figure(3.4 * len(measures), 3.0)
    for place, (name, measure) in enumerate(measures, 1):
        axes, history = fig.add_subplot(1, len(measures), place), histories[name]
        for key, colour, what in (
            (measure, BLUE, "trained on"),
            (f"val_{measure}", BAD, "held back"),
        ):
            if key in history[0]:
                axes.plot(
                    range(1, len(history) + 1),
                    [figures[key] for figures in history],
                    color=colour,
                    label=what,
                )
        axes.set(
            title=f"{name}: {measure}",
            xlabel="epoch",
            ylim=(0, 1.02) if measure == "accuracy" else (0, None),
        )
        axes.legend()
    return fig
