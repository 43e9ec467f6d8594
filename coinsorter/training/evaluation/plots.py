"""Figures of an evaluation and of a training, as pixels for a report: uint8 (h, w, 3) RGB."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from coinsorter.training.evaluation.figures import (
    BAD,
    BLUE,
    FAINT,
    FULL_WIDTH,
    GOLD,
    GREY,
    HALF_WIDTH,
    INK,
    PAPER,
    create_figure,
    render,
    whiten_surround,
)
from coinsorter.training.evaluation.metrics import (
    FOREIGN_TRUTH,
    REJECT_ANSWER,
    AnomalyMetrics,
    ClosedSetMetrics,
    ConfusionMatrix,
    Curve,
    LabelScore,
    Reliability,
    ReliabilityBin,
    RiskCoverage,
)
from coinsorter.training.evaluation.rotation import RotationStudy

#: A confusion matrix with more rows or columns shows its counts by colour alone.
MAX_NUMBERED = 32
#: A confusion matrix with more columns is as wide as the page.
MAX_HALF_WIDTH_COLUMNS = 12
#: The faintest shade of a cell with any coin in it, so that no mistake is invisible.
MIN_SHADE = 0.12
#: Inches that a character of a name takes up.
CHARACTER_WIDTH = 0.055
#: Anomaly scores beyond are drawn here; a coin this far off is rejected anyway.
MAX_ANOMALY = 1000.0
#: Ticks of the axis of anomaly scores, as far as it reaches.
ANOMALY_TICKS = (-50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50, 100, 1000)


@render
def plot_confusion_matrix(matrix: ConfusionMatrix, title: str) -> Figure:
    """A confusion matrix: rows are the truth, blue is right and red is wrong.

    The larger a cell's share of its row, the darker it is.
    """
    width, cell, names = _size_matrix(matrix)
    is_upright = names < cell
    names_height = 0.2 if is_upright else names
    height = cell * len(matrix.rows) + names_height + 1.0
    figure = create_figure(width, height)
    axes = figure.add_subplot()
    axes.imshow(_shade_cells(matrix), aspect="equal")
    font_size = max(4.5, min(8.5, 42 * cell))
    _label_matrix(axes, matrix, title, font_size, is_upright)
    if max(len(matrix.rows), len(matrix.columns)) <= MAX_NUMBERED:
        _write_counts(axes, matrix, font_size)
    return figure


def _size_matrix(matrix: ConfusionMatrix) -> tuple[float, float, float]:
    """The figure's width, a cell's edge, and the longest name's length, all in inches."""
    lengths = [len(name) for name in (*matrix.rows, *matrix.columns)]
    names = CHARACTER_WIDTH * max(lengths)
    columns = len(matrix.columns)
    width = HALF_WIDTH if columns <= MAX_HALF_WIDTH_COLUMNS else FULL_WIDTH
    free = width - names - 0.65
    cell = min(0.72, max(0.16, free / columns))
    return max(width, cell * columns + names + 0.65), cell, names


def _shade_cells(matrix: ConfusionMatrix) -> np.ndarray:
    """A colour for every cell: float (rows, columns, 3), 0..1."""
    size = len(matrix.rows), len(matrix.columns)
    counts = np.array(matrix.counts, float).reshape(size)
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(1, totals)
    shade = MIN_SHADE + (1 - MIN_SHADE) * share**0.7
    strength = np.where(counts > 0, shade, 0)
    is_right = np.array(
        [[_is_right(row, column) for column in matrix.columns] for row in matrix.rows]
    )
    colours = np.where(is_right[..., None], to_rgb(BLUE), to_rgb(BAD))
    shades: np.ndarray = 1 + strength[..., None] * (colours - 1)
    return shades


def _is_right(row: str, column: str) -> bool:
    """Whether an answer is right; foreign objects belong into the reject bin."""
    return row == column or (row == FOREIGN_TRUTH and column == REJECT_ANSWER)


def _label_matrix(
    axes: Axes, matrix: ConfusionMatrix, title: str, font_size: float, is_upright: bool
) -> None:
    rows, columns = len(matrix.rows), len(matrix.columns)
    rotation = 0 if is_upright else 90
    axes.set_xticks(range(columns), matrix.columns, rotation=rotation, fontsize=font_size)
    axes.set_yticks(range(rows), matrix.rows, fontsize=font_size)
    axes.set(title=title, xlabel="called", ylabel="true")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(True, which="minor", color=FAINT, linewidth=0.5)
    axes.tick_params(which="both", length=0)


def _write_counts(axes: Axes, matrix: ConfusionMatrix, font_size: float) -> None:
    for y, line in enumerate(matrix.counts):
        for x, count in enumerate(line):
            if not count:
                continue
            colour = PAPER if count > 0.45 * sum(line) else INK
            axes.text(
                x,
                y,
                f"{count}",
                ha="center",
                va="center",
                fontsize=font_size,
                color=colour,
            )


@render
def plot_label_scores(metrics: ClosedSetMetrics, title: str) -> Figure:
    """Precision and recall of every label that has coins, the best F1 at the bottom."""
    scores = [(name, score) for name, score in metrics.per_label.items() if score.coins]
    scores.sort(key=lambda item: -(item[1].f1 or 0))
    count = max(1, len(scores))
    row_height = max(0.09, min(0.3, 8 / count))
    height = 1.3 + row_height * len(scores)
    figure = create_figure(HALF_WIDTH, min(12.0, height))
    axes = figure.add_subplot()
    _draw_scores(axes, [score for _, score in scores])
    names = [f"{name} ({score.coins})" for name, score in scores]
    font_size = max(5.0, min(8.5, 260 / count))
    axes.set_yticks(range(len(scores)), names, fontsize=font_size)
    axes.set(title=title, ylim=(-0.7, len(scores) - 0.3))
    legend_y = -0.08 if len(scores) < 12 else -0.05
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, legend_y), ncols=2)
    return figure


def _draw_scores(axes: Axes, scores: Sequence[LabelScore]) -> None:
    rows = range(len(scores))
    precision = [_nan_if_none(score.precision) for score in scores]
    recall = [_nan_if_none(score.recall) for score in scores]
    for y, score in enumerate(scores):
        if score.precision is not None:
            axes.plot([precision[y], recall[y]], [y, y], color=FAINT, linewidth=2, zorder=1)
    axes.scatter(
        precision,
        rows,
        color=GOLD,
        s=26,
        label="precision",
        zorder=3,
    )
    axes.scatter(
        recall,
        rows,
        color=BLUE,
        s=26,
        marker="D",
        label="recall",
        zorder=2,
    )
    known = [value for value in (*precision, *recall) if not np.isnan(value)]
    lowest = min([1.0, *known])
    left = lowest - 0.05 - 0.1 * (1 - lowest)
    axes.set_xlim(max(-0.03, left), 1.01)


@render
def plot_risk_coverage(risk_coverage: RiskCoverage, machine: tuple[float, float] | None) -> Figure:
    """The risk-coverage curve.

    machine: the share of genuine coins that its thresholds accept, and the share of those that is
    wrong; None where either is not known.
    """
    figure = create_figure(HALF_WIDTH, 3.8)
    axes = figure.add_subplot()
    highest = _draw_risk(axes, risk_coverage.curve)
    if machine:
        x, y = 100 * machine[0], 100 * machine[1]
        _mark_point(axes, x, y, "the machine's thresholds")
        highest = max(highest, y)
    axes.set(
        title="Risk and coverage",
        xlabel="genuine coins answered, the surest first (%)",
        ylabel="of those wrong (%)",
        xlim=(0, 101),
    )
    top = max(0.5, 1.12 * highest)
    axes.set_ylim(-0.02 * top, top)
    axes.legend(loc="upper left")
    return figure


def _draw_risk(axes: Axes, curve: Curve) -> float:
    """The curve in per cent; returns the highest risk."""
    coverage = 100 * np.array(curve.x)
    risk = 100 * np.array(curve.y)
    axes.step(
        coverage,
        risk,
        where="post",
        color=BLUE,
        linewidth=1.8,
        label="by confidence alone",
    )
    axes.fill_between(
        coverage,
        risk,
        step="post",
        color=BLUE,
        alpha=0.1,
        linewidth=0,
    )
    return float(max([0.0, *risk]))


def _mark_point(axes: Axes, x: float, y: float, label: str) -> None:
    """Marks where the machine works on a curve."""
    axes.plot(
        x,
        y,
        "o",
        color=BAD,
        markersize=8,
        clip_on=False,
        label=label,
        zorder=5,
    )


@render
def plot_reliability(reliability: Reliability) -> Figure:
    """Accuracy over confidence with its 95 % interval; below, how many coins each bin has."""
    figure = create_figure(HALF_WIDTH, 3.8)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_accuracies(upper, reliability.bins)
    title = "Reliability"
    if reliability.expected_error is not None:
        title += f": off by {100 * reliability.expected_error:.2g} % on average"
    upper.set(
        title=title,
        ylabel="share right",
        ylim=(-0.02, 1.02),
        xlim=(-0.02, 1.02),
    )
    upper.legend(loc="upper left")
    _draw_bin_counts(lower, reliability.bins)
    return figure


def _draw_accuracies(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.plot(
        [0, 1],
        [0, 1],
        color=GREY,
        linestyle="--",
        linewidth=1,
        label="as sure as right",
    )
    confidence = [b.confidence for b in bins]
    low = [_nan_if_none(b.right.low_95) for b in bins]
    high = [_nan_if_none(b.right.high_95) for b in bins]
    accuracy = [_nan_if_none(b.right.share) for b in bins]
    axes.vlines(confidence, low, high, color=BLUE, linewidth=1.4, alpha=0.5)
    axes.plot(
        confidence,
        accuracy,
        "o",
        color=BLUE,
        markersize=6,
        clip_on=False,
        label="coins, by tenths of confidence",
    )


def _nan_if_none(value: float | None) -> float:
    return np.nan if value is None else value


def _draw_bin_counts(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    counts = [b.right.of for b in bins]
    middles = [(b.low + b.high) / 2 for b in bins]
    widths = [0.94 * (b.high - b.low) for b in bins]
    axes.bar(middles, counts, width=widths, color=BLUE, alpha=0.55)
    axes.set(xlabel="confidence", ylabel="coins", yscale="log")
    axes.set_ylim(0.7, 2.5 * max([1, *counts]))


@render
def plot_roc(anomaly: AnomalyMetrics) -> Figure:
    """ROC curves of the anomaly score and, to compare, of low confidence."""
    figure = create_figure(HALF_WIDTH, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    by_confidence, by_score = anomaly.roc_confidence, anomaly.roc
    label = f"low confidence, AUROC {_format_area(anomaly.auroc_confidence)}"
    axes.plot(by_confidence.x, by_confidence.y, color=GOLD, linewidth=1.5, label=label)
    label = f"anomaly score, AUROC {_format_area(anomaly.auroc)}"
    axes.plot(by_score.x, by_score.y, color=BLUE, linewidth=2, label=label)
    if anomaly.tpr.share is not None and anomaly.tnr.share is not None:
        lost, caught = 1 - anomaly.tpr.share, anomaly.tnr.share
        _mark_point(axes, lost, caught, "the bundle's anomaly thresholds")
    axes.set(
        title="ROC: foreign objects caught",
        xlabel="genuine coins lost",
        ylabel="foreign objects caught",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )
    axes.legend(loc="lower right")
    return figure


def _format_area(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


@render
def plot_anomaly_scores(
    genuine: Sequence[float], foreign: Sequence[float], thresholds: Sequence[float]
) -> Figure:
    """Histogram of the anomaly scores, on an axis linear between -2 and 2, logarithmic beyond."""
    figure = create_figure(HALF_WIDTH, 4.2)
    axes = figure.add_subplot()
    edges = _space_bins([*genuine, *foreign, *thresholds, 0.0, 1.0])
    _draw_histogram(axes, genuine, edges, BLUE, "genuine")
    _draw_histogram(axes, foreign, edges, BAD, "foreign")
    distinct = {round(value, 2) for value in thresholds}
    for number, threshold in enumerate(sorted(distinct)):
        label = None if number else "the labels' thresholds"
        axes.axvline(threshold, color=GOLD, linewidth=1.5, label=label)
    axes.set_xscale("asinh", linear_width=2)
    axes.set(
        title="Anomaly scores",
        xlabel="anomaly, in standard deviations of genuine coins",
        ylabel="share of them (%)",
        xlim=(edges[0], edges[-1]),
    )
    ticks = [tick for tick in ANOMALY_TICKS if edges[0] <= tick <= edges[-1]]
    axes.set_xticks(ticks, minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend()
    return figure


def _space_bins(values: Sequence[float]) -> np.ndarray:
    """Edges of 44 bins that are equally wide on the asinh axis."""
    within = np.clip(values, -MAX_ANOMALY, MAX_ANOMALY)
    ends = 1.05 * np.array([within.min(), within.max()])
    lowest, highest = np.arcsinh(ends / 2).tolist()
    equally_spaced = np.linspace(lowest, highest, 45)
    edges: np.ndarray = 2 * np.sinh(equally_spaced)
    return edges


def _draw_histogram(
    axes: Axes, scores: Sequence[float], edges: np.ndarray, colour: str, name: str
) -> None:
    if not len(scores):
        return
    axes.hist(
        np.clip(scores, edges[0], edges[-1]),
        edges.tolist(),
        weights=np.full(len(scores), 100 / len(scores)),
        color=colour,
        alpha=0.55,
        label=f"{name} ({len(scores)})",
    )


@render
def plot_rotation(study: RotationStudy) -> Figure:
    """Accuracy over the angle at which coins lie."""
    figure = create_figure(FULL_WIDTH, 3.0)
    axes = figure.add_subplot()
    _draw_accuracy_by_angle(axes, study, study.image_accuracy, GOLD, "by image alone")
    _draw_accuracy_by_angle(axes, study, study.accuracy, BLUE, "as the machine classifies")
    axes.set(xlabel="rotated by (degrees)", ylabel="right (%)")
    lowest, highest = 100 * study.lowest, 100 * study.highest
    axes.set_title(f"Called rightly, by how the coin lies: {lowest:.2f} to {highest:.2f} %")
    axes.set_xticks(range(0, 361, 45))
    axes.set_xlim(0, 360)
    axes.margins(y=0.25)
    axes.legend(loc="lower right", ncols=2)
    return figure


def _draw_accuracy_by_angle(
    axes: Axes, study: RotationStudy, accuracy: Sequence[float], colour: str, name: str
) -> None:
    """One curve, closed: at 360 degrees it is as at 0."""
    angles_deg = [*study.angles_deg, 360.0]
    percent = 100 * np.array([*accuracy, accuracy[0]])
    axes.plot(
        angles_deg,
        percent,
        ".-",
        color=colour,
        linewidth=1.6,
        markersize=7,
        label=name,
    )


@render
def plot_damage(
    aurocs: Mapping[str, float | None],
    rejected: Mapping[str, float | None],
    intact_rejected: float | None,
) -> Figure:
    """AUROC of the anomaly score and share rejected, by kind of damage."""
    figure = create_figure(FULL_WIDTH, 0.36 * len(aurocs) + 1.4)
    left, right = figure.subplots(1, 2, sharey=True)
    names = list(aurocs)[::-1]
    _draw_lollipops(left, names, aurocs, 0.5)
    known = [value for value in aurocs.values() if value is not None]
    lowest = min([0.5, *known])
    left.set(title="AUROC of the anomaly score (0.5: blind)", xlim=(lowest - 0.05, 1.1))
    _draw_lollipops(right, names, rejected, 0.0)
    if intact_rejected is not None:
        right.axvline(intact_rejected, color=GOLD, linewidth=1.5, linestyle="--")
    right.set(title="Rejected by the machine (dashed: intact coins)", xlim=(-0.02, 1.15))
    return figure


def _draw_lollipops(
    axes: Axes, names: Sequence[str], values: Mapping[str, float | None], base: float
) -> None:
    axes.axvline(base, color=GREY, linewidth=1)
    for y, name in enumerate(names):
        value = values[name]
        if value is not None:
            _draw_lollipop(axes, y, value, base)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(False, axis="y")


def _draw_lollipop(axes: Axes, y: int, value: float, base: float) -> None:
    axes.hlines(y, base, value, color=BLUE, linewidth=3)
    axes.plot(value, y, "o", color=BLUE, markersize=7)
    axes.annotate(
        f"{value:.3f}",
        (max(base, value), y),
        (9, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
    )


@render
def plot_damage_examples(examples: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """One row of intact crops, and below it a row for each kind of damage."""
    intact = next(iter(examples.values()))[0]
    rows = {"intact": intact}
    for kind, (_, damaged) in examples.items():
        rows[kind] = damaged
    columns = max(4, len(intact))
    row_height = (FULL_WIDTH - 1.0) / columns * 0.97
    figure = create_figure(FULL_WIDTH, 0.1 + len(rows) * row_height)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for line, (name, crops) in zip(grid, rows.items()):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for axes, crop in zip(line, crops):
            axes.imshow(whiten_surround(crop), interpolation="bicubic")
    return figure


@render
def plot_training_curves(histories: Mapping[str, list[dict[str, float]]]) -> Figure:
    """Loss and accuracy of each network, epoch by epoch.

    histories: by network, the figures of each epoch by name; a name that begins with `val_` is
    that of held-out crops.
    """
    panels = [
        (name, measure)
        for name, history in histories.items()
        for measure in ("loss", "accuracy")
        if history and measure in history[0]
    ]
    figure = create_figure(3.4 * len(panels), 3.0)
    for number, (name, measure) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        _draw_history(axes, histories[name], measure, BLUE, "trained on")
        _draw_history(axes, histories[name], f"val_{measure}", BAD, "held out")
        top = 1.02 if measure == "accuracy" else None
        axes.set(title=f"{name}: {measure}", xlabel="epoch", ylim=(0, top))
        axes.legend()
    return figure


def _draw_history(
    axes: Axes, history: list[dict[str, float]], key: str, colour: str, label: str
) -> None:
    if key not in history[0]:
        return
    epochs = range(1, len(history) + 1)
    values = [figures[key] for figures in history]
    axes.plot(epochs, values, color=colour, label=label)
