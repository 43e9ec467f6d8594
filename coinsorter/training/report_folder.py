"""A report's folder: what is in it, and that it never takes the place of something else."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.errors import InputError
from coinsorter.training import html_report

PAGE = "report.html"
MARK = "metrics.json"  # what tells a report of ours from any other folder


@dataclass(frozen=True, eq=False)
class Plate:
    """One picture of the report. name: of its file, without .png. pixels: uint8 (h, w, 3) RGB. says: the line under it."""

    name: str
    pixels: np.ndarray
    says: str

    @property
    def width(self) -> int:
        """Of the picture on the page; it is drawn twice as fine."""
        return self.pixels.shape[1] // 2


def fill(folder: Path, html: str, plates: list[Plate], result: dict[str, Any]) -> None:
    """Writes the page, its pictures and metrics.json."""
    for plate in plates:
        (folder / f"{plate.name}.png").write_bytes(html_report.encode_png(plate.pixels))
    (folder / PAGE).write_text(html, encoding="utf-8")
    (folder / MARK).write_text(
        json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )


def check(out: Path, *inputs: Path) -> None:
    """Raises InputError where a report in `out` would replace something that is none, or be mixed with what it is made from."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder with --out")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise InputError(
            f"{out}: holds something that is no report (no {MARK}) and is not replaced; name another folder with --out"
        )
    for path in inputs:
        if path.resolve().is_relative_to(out.resolve()) or (
            path.is_dir() and out.resolve().is_relative_to(path.resolve())
        ):
            raise InputError(f"{out}: lies in {path} or around it; name another folder with --out")
