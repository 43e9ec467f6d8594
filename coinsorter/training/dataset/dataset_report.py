"""A data set's report: how many images of what, what was left out and why, and how they look."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.images.image_io import read_image
from coinsorter.training import html_report
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.dataset import Row
from coinsorter.training.dataset.ingest import read_bytes
from coinsorter.training.dataset.quality import Rejection
from coinsorter.training.dataset.source_image import SourceImage
from coinsorter.training.progress import OpenProgress

#: Images per reason.
MAX_EXAMPLES = 6
#: Images of one label, at most and at least, and of all labels together, about.
MAX_PER_LABEL, MIN_PER_LABEL, MAX_ON_SHEETS = 26, 4, 800
#: Height of the small images, pixels.
THUMB_PX = 112


def render_page(
    out: Path,
    manifest: Mapping[str, Any],
    rows: Sequence[Row],
    sources: Mapping[str, SourceImage],
    command: str,
    progress: OpenProgress,
) -> str:
    """The report as HTML.

    sources: by the name that rows give as their source. command: what made the data set.
    """
    counts = manifest["counts"]
    steps = len(counts["left_out"]) + len(manifest["labels"])
    with progress("drawing the report", steps) as report:
        reasons = []
        for reason in counts["left_out"]:
            own_rows = [row for row in rows if row.reason == reason]
            reasons.append(_describe_reason(reason, own_rows, sources))
            report(len(reasons))
        sheets = []
        for label in manifest["labels"]:
            own_rows = [row for row in rows if row.image_file and row.label == label]
            sheets.append(_describe_sheet(out, label, own_rows, len(manifest["labels"])))
            report(len(reasons) + len(sheets))
    settings = manifest["settings"].items()
    return html_report.render_template(
        "dataset.html",
        name=out.resolve().name,
        counts=counts,
        splits=[name for name, share in manifest["splits"].items() if share],
        largest=max(own["pictures"] for own in counts["labels"].values()),
        warnings=manifest["warnings"],
        reasons=reasons,
        sheets=sheets,
        settings={name.replace("_", " "): _format(value) for name, value in settings},
        command=command,
    )


def _describe_reason(
    reason: str, rows: Sequence[Row], sources: Mapping[str, SourceImage]
) -> dict[str, Any]:
    """What the template needs of a reason: how often, what it means, and examples."""
    selected = _select_evenly(rows, MAX_EXAMPLES)
    examples = []
    for row in selected:
        pixels = _read_source(sources.get(row.source))
        if pixels is not None:
            uri = html_report.jpeg_uri(pixels, THUMB_PX)
            examples.append({"uri": uri, "title": f"{row.source}: {row.detail}"})
    return {
        "name": reason,
        "count": len(rows),
        "meaning": quality.REASONS[reason],
        "examples": examples,
        "sources": [Path(row.source).name for row in selected],
    }


def _read_source(source: SourceImage | None) -> np.ndarray | None:
    content = read_bytes(source) if source else ""
    if source is None or isinstance(content, str):
        return None
    pixels = quality.decode_or_reject(content, source.page)
    return None if isinstance(pixels, Rejection) else pixels


def _describe_sheet(out: Path, label: str, rows: Sequence[Row], labels: int) -> dict[str, Any]:
    """What the template needs of a label: a contact sheet of its coins."""
    count = min(MAX_PER_LABEL, max(MIN_PER_LABEL, MAX_ON_SHEETS // labels))
    images = []
    for row in _select_evenly(rows, count):
        pixels = read_image(out / row.image_file)
        if pixels is not None:
            images.append(
                {
                    "uri": html_report.jpeg_uri(pixels, THUMB_PX),
                    "split": row.split,
                    "title": f"{row.source} (group {row.group}, {row.split})",
                }
            )
    return {"label": label, "count": len(rows), "images": images}


def _select_evenly(rows: Sequence[Row], count: int) -> list[Row]:
    """At most so many of the rows, from all over."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    return [rows[place] for place in places]


def _format(value: Any) -> str:
    """A setting as the report shows it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value}"
