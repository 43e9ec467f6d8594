"""A report's folder: what is in it, and that it never takes the place of something else."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.errors import InputError
from coinsorter.training import html_report

PAGE = "report.html"
#: The file by which a report of ours is known.
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


def check_report_folder(out: Path, *inputs: Path) -> None:
    """Raises InputError where a report in `out` would replace something else, or one of its inputs.

    inputs: what the report is made from.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder with --out")
    if out.is_dir() and any(out.iterdir()) and not (out / METRICS).is_file():
        raise InputError(
            f"{out}: holds something that is no report (no {METRICS}) and is not replaced; "
            "name another folder with --out"
        )
    for path in inputs:
        if _overlaps(out.resolve(), path.resolve()):
            raise InputError(f"{out}: lies in {path} or around it; name another folder with --out")


def _overlaps(out: Path, source: Path) -> bool:
    return source.is_relative_to(out) or (source.is_dir() and out.is_relative_to(source))
