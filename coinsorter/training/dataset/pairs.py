"""Two faces of one coin -> one image."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from coinsorter.errors import InputError
from coinsorter.images.image_io import read_image
from coinsorter.images.label_folders import OBVERSE, REVERSE
from coinsorter.training.dataset.dataset import Row, join_name
from coinsorter.training.dataset.image_files import write_png
from coinsorter.training.dataset.source_image import SourceImage

_Faces = dict[str, list[int]]


def match_faces(sources: Sequence[SourceImage], indices: Iterable[int]) -> dict[int, int]:
    """The index of the reverse that belongs to each obverse, by the obverse's index.

    Several of one coin are matched in their order. Raises InputError where no coin has both faces.
    """
    coins: dict[tuple[str, str], _Faces] = defaultdict(lambda: {OBVERSE: [], REVERSE: []})
    for index in indices:
        source = sources[index]
        if source.coin_id and source.side:
            coins[source.table, source.coin_id][source.side].append(index)
    matches: dict[int, int] = {}
    for faces in coins.values():
        matches |= zip(faces[OBVERSE], faces[REVERSE])
    if not matches:
        raise InputError(
            "--join-sides: no coin has both faces; "
            "name them in a CSV with the columns path,label,side,coin_id"
        )
    return matches


def join_faces(
    rows: Sequence[Row],
    sources: Sequence[SourceImage],
    out: Path,
    report: Callable[[int], None],
) -> list[Row]:
    """The rows with both faces of each coin as one image.

    Single faces are left out; rows that are left out already stay. sources: the image of each row.
    report: called with the number of rows that are done. Raises InputError where no coin has both
    faces left.
    """
    usable = [index for index, row in enumerate(rows) if row.image_file]
    reverse_of = match_faces(sources, usable)
    reverses = set(reverse_of.values())
    joined_rows = []
    for index, row in enumerate(rows):
        if index in reverse_of:
            joined_rows.append(_join_side_by_side(row, rows[reverse_of[index]], out))
        elif index not in reverses:
            joined_rows.append(_leave_out_single(row))
        report(index + 1)
    return joined_rows


def _leave_out_single(row: Row) -> Row:
    if not row.image_file:
        return row
    return row.leave_out("one-side", _describe_missing_face(row))


def _describe_missing_face(row: Row) -> str:
    if not (row.coin_id and row.side):
        return "no coin_id or side is given"
    missing = REVERSE if row.side == OBVERSE else OBVERSE
    return f"no {missing} of coin {row.coin_id} is left for it"


def _join_side_by_side(obverse: Row, reverse: Row, out: Path) -> Row:
    """Obverse left, as it was; reverse right, scaled to the same height."""
    left = read_image(out / obverse.image_file)
    right = read_image(out / reverse.image_file)
    if left is None or right is None:
        raise InputError(f"{out / obverse.image_file}: was damaged meanwhile; start again")
    height = left.shape[0]
    width = round(right.shape[1] * height / right.shape[0])
    scaled = cv2.resize(right, (width, height), interpolation=cv2.INTER_AREA)
    name = join_name(obverse.image_file)
    return replace(
        obverse,
        image_file=name,
        side="both",
        source=f"{obverse.source} + {reverse.source}",
        sha256=write_png(out, name, np.hstack([left, scaled])),
    )
