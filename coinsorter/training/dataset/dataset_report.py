"""A data set's report: how many pictures of what, what was left out and why, and what they look like."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.hardware.camera.open_camera import read_picture
from coinsorter.training import html_report
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.dataset import Row
from coinsorter.training.dataset.ingest import read_bytes
from coinsorter.training.dataset.quality import Rejection
from coinsorter.training.dataset.sources import SourceImage
from coinsorter.training.progress import OpenProgress

EXAMPLES = 6  # pictures shown of a reason
SHEET, SHEETS, LEAST = (
    26,
    800,
    4,
)  # pictures shown of a label at most, of all labels about, and of a label at least
THUMB_PX = 112


def render_page(
    out: Path,
    manifest: Mapping[str, Any],
    rows: Sequence[Row],
    originals: Mapping[str, SourceImage],
    command: str,
    bar: OpenProgress,
) -> str:
    """The report as HTML. originals: by the name that rows give as their source. command: what made it."""
    counts = manifest["counts"]
    with bar("drawing the report", len(counts["left_out"]) + len(manifest["labels"])) as tell:
        reasons = []
        for reason, count in counts["left_out"].items():
            reasons.append(
                _reason(reason, count, [row for row in rows if row.reason == reason], originals)
            )
            tell(len(reasons))
        sheets = []
        for label in manifest["labels"]:
            sheets.append(
                _sheet(
                    out,
                    label,
                    [row for row in rows if row.picture and row.label == label],
                    len(manifest["labels"]),
                )
            )
            tell(len(reasons) + len(sheets))
    return html_report.render_template(
        "dataset.html",
        name=out.resolve().name,
        counts=counts,
        splits=[name for name, share in manifest["splits"].items() if share],
        largest=max(own["pictures"] for own in counts["labels"].values()),
        warnings=manifest["warnings"],
        reasons=reasons,
        sheets=sheets,
        settings={
            name.replace("_", " "): _words(value) for name, value in manifest["settings"].items()
        },
        command=command,
    )


def _reason(
    reason: str, count: int, rows: Sequence[Row], originals: Mapping[str, SourceImage]
) -> dict[str, Any]:
    pictures = [(row, _original(originals.get(row.source))) for row in _spread(rows, EXAMPLES)]
    shown = [
        {
            "uri": html_report.jpeg_uri(pixels, THUMB_PX),
            "title": f"{row.source}: {row.detail}",
        }
        for row, pixels in pictures
        if pixels is not None
    ]
    return {
        "name": reason,
        "count": count,
        "meaning": quality.REASONS[reason],
        "examples": shown,
        "sources": [Path(row.source).name for row, _ in pictures],
    }


def _original(original: SourceImage | None) -> np.ndarray | None:
    content = read_bytes(original) if original else None
    pixels = quality.read(content) if content else None
    return None if isinstance(pixels, Rejection) else pixels


def _sheet(out: Path, label: str, rows: Sequence[Row], labels: int) -> dict[str, Any]:
    pictures = []
    for row in _spread(rows, min(SHEET, max(LEAST, SHEETS // labels))):
        pixels = read_picture(out / row.picture)
        if pixels is not None:
            pictures.append(
                {
                    "uri": html_report.jpeg_uri(pixels, THUMB_PX),
                    "split": row.split,
                    "title": f"{row.source} (group {row.group}, {row.split})",
                }
            )
    return {"label": label, "count": len(rows), "pictures": pictures}


def _spread(rows: Sequence[Row], count: int) -> list[Row]:
    """So many of the rows, from all over."""
    return [rows[i] for i in np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def _words(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value}"
