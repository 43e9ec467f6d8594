"""A report's folder: what is in it, and what it may take the place of."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.files.ownership import Claim
from coinsorter.training import html_report

PAGE = "report.html"
#: The report's figures as numbers, for programs.
METRICS = "metrics.json"


@dataclass(frozen=True, eq=False)
class ReportFigure:
    """One figure of a report.

    name: of its file, without .png. pixels: uint8, shape (h, w, 3), RGB. caption: the line below.
    """

    name: str
    pixels: np.ndarray
    caption: str

    @property
    def width(self) -> int:
        """Pixels on the page; the figure is drawn twice as fine."""
        return int(self.pixels.shape[1]) // 2


def write_report(
    folder: Path, html: str, figures: Iterable[ReportFigure], metrics: dict[str, Any]
) -> None:
    """Writes the page, its figures as PNGs and metrics.json."""
    for figure in figures:
        content = html_report.encode_png(figure.pixels)
        (folder / f"{figure.name}.png").write_bytes(content)
    (folder / PAGE).write_text(html, encoding="utf-8")
    text = json.dumps(metrics, indent=1, allow_nan=False) + "\n"
    (folder / METRICS).write_text(text, encoding="utf-8")


def make_claim(force: bool, *inputs: Path | None) -> Claim:
    """What a report may take the place of: earlier ones. inputs: what it is made from."""
    return Claim(remedy="name another folder with --out", force=force).spare(*inputs)
