"""Replayed images in numbers: counts, a confusion matrix, a row for each image, a table."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from math import isinf
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from coinsorter.escape import as_markup
from coinsorter.recognition.bundle import Bundle
from coinsorter.tools.image_replay import ReplayedImage

#: Where a coin went, in the confusion matrix, if it was not accepted.
REJECTED = "rejected"
#: What is counted for each label.
CLASS_COUNTS = ("seen", "accepted", "correct", "wrong")


def summarize(
    replayed: Iterable[ReplayedImage],
    bundle: Bundle,
    unreadable: list[Path],
) -> dict[str, Any]:
    """All images in numbers, with the keys that `coinsorter replay --json` prints.

    unreadable: what could not be read; it counts as images, and for nothing else.
    """
    results = list(replayed)
    genuine = [result for result in results if result.label in bundle.labels]
    foreign = [result for result in results if _is_foreign(result, bundle)]
    rejected = [result for result in results if not result.accepted]
    genuine_counts = _count(genuine)
    return {
        "pictures": len(results) + len(unreadable),
        "unreadable": [str(path) for path in unreadable],
        "one_coin": sum(result.circles == 1 for result in results),
        "seen": _count(results)["seen"],
        "accepted": len(results) - len(rejected),
        "correct": genuine_counts["correct"],
        "wrong": genuine_counts["wrong"],
        "rejected": _count_reasons(rejected),
        "foreign": len(foreign),
        "foreign_accepted": _count(foreign)["accepted"],
        "per_class": _count_by_label(genuine, bundle),
        "confusion": _build_confusion(results),
        "ms_per_coin": _summarize_times(results),
    }


def _is_foreign(result: ReplayedImage, bundle: Bundle) -> bool:
    return result.label is not None and result.label not in bundle.labels


def _count(results: list[ReplayedImage]) -> dict[str, int]:
    """CLASS_COUNTS of some images."""
    accepted = [result for result in results if result.accepted]
    correct = [result for result in accepted if result.correct]
    return {
        "seen": sum(result.coin is not None for result in results),
        "accepted": len(accepted),
        "correct": len(correct),
        "wrong": len(accepted) - len(correct),
    }


def _count_reasons(results: list[ReplayedImage]) -> dict[str, int]:
    reasons = Counter(result.decision.reason for result in results)
    return dict(reasons)


def _count_by_label(genuine: list[ReplayedImage], bundle: Bundle) -> dict[str, dict[str, int]]:
    counts = {}
    for name in bundle.labels:
        its_results = [result for result in genuine if result.label == name]
        counts[name] = _count(its_results)
    return counts


def _build_confusion(results: list[ReplayedImage]) -> dict[str, dict[str, int]]:
    """By the label of the folder: how many went to which label, or were "rejected"."""
    rows: dict[str, Counter[str]] = {}
    for result in results:
        if result.label is not None:
            row = rows.setdefault(result.label, Counter())
            row[_find_target(result)] += 1
    return {label: dict(sorted(rows[label].items())) for label in sorted(rows)}


def _find_target(result: ReplayedImage) -> str:
    if result.accepted and result.verdict:
        return result.verdict.label
    return REJECTED


def _summarize_times(results: list[ReplayedImage]) -> dict[str, float | None]:
    """Median and 99th percentile, ms, of the images with a coin; None where there is none."""
    times_ms = [1000 * result.took_s for result in results if result.coin is not None]
    return {
        "median": _find_percentile(times_ms, 50),
        "p99": _find_percentile(times_ms, 99),
    }


def _find_percentile(values: list[float], percent: float) -> float | None:
    if not values:
        return None
    percentile = float(np.percentile(values, percent))
    return round(percentile, 3)


def make_event(result: ReplayedImage) -> dict[str, Any]:
    """One image as a row of the events file."""
    verdict = asdict(result.verdict) if result.verdict else {}
    return {
        "path": str(result.path),
        "label": result.label,
        "predicted": verdict.get("label"),
        "confidence": verdict.get("confidence"),
        "by_picture": verdict.get("image_confidence"),
        "anomaly": verdict.get("anomaly"),
        "membership": _none_if_infinite(verdict.get("membership")),
        "margin": _none_if_infinite(verdict.get("margin")),
        "diameter_mm": verdict.get("diameter_mm"),
        "accepted": result.accepted,
        "reason": result.decision.reason,
    }


def _none_if_infinite(value: float | None) -> float | None:
    """JSON has no infinity; a bundle without a gate has no membership."""
    return None if value is None or isinf(value) else value


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """Print the numbers as a person reads them."""
    console.print(_build_table(summary))
    unreadable = len(summary["unreadable"])
    console.print(
        f"{summary['pictures']} images, {summary['one_coin']} with exactly one coin found, "
        f"{unreadable} unreadable"
    )
    reasons = [f"{reason} {count}" for reason, count in summary["rejected"].items()]
    rejected = as_markup(", ".join(reasons) or "none")
    console.print(f"accepted {summary['accepted']}, wrong {summary['wrong']}, rejected: {rejected}")
    if summary["foreign"]:
        accepted = summary["foreign_accepted"]
        console.print(f"foreign {summary['foreign']}, of which accepted {accepted}")
    median_ms = summary["ms_per_coin"]["median"]
    p99_ms = summary["ms_per_coin"]["p99"]
    if median_ms is not None:
        console.print(f"{median_ms:.2f} ms a coin (median), {p99_ms:.2f} ms (99 %)")


def _build_table(summary: dict[str, Any]) -> Table:
    table = Table(
        "label",
        "images with a coin",
        "accepted",
        "correct",
        "wrong",
        title="What became of the coins",
        title_justify="left",
    )
    for name, counts in summary["per_class"].items():
        cells = [str(counts[key]) for key in CLASS_COUNTS]
        table.add_row(as_markup(name), *cells)
    return table
