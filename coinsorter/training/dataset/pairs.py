"""Two faces of one coin -> one picture."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from coinsorter.errors import InputError
from coinsorter.hardware.camera.open_camera import read_picture
from coinsorter.training.dataset.dataset import Row
from coinsorter.training.dataset.ingest import write_png
from coinsorter.training.dataset.sources import OBVERSE, REVERSE, SourceImage


def pairs(originals: Sequence[SourceImage], among: Iterable[int]) -> dict[int, int]:
    """The reverse to go with each obverse of the same coin, by index; several of each in their order.

    Raises InputError where no coin has both faces.
    """
    faces: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(
        lambda: {OBVERSE: [], REVERSE: []}
    )
    for i in among:
        original = originals[i]
        if original.coin_id and original.side:
            faces[original.table, original.coin_id][original.side].append(i)
    found = {i: j for own in faces.values() for i, j in zip(own[OBVERSE], own[REVERSE])}
    if not found:
        raise InputError(
            "--join-sides: no coin has both faces; name them in a CSV with the columns path,label,side,coin_id"
        )
    return found


def joined(
    rows: Sequence[Row], originals: Sequence[SourceImage], out: Path, tell: Callable[[int], None]
) -> list[Row]:
    """The rows with both faces of each coin as one; single ones are left out, and those that are left out already stay.

    originals: what each row is of. Raises InputError where no coin has both faces left.
    """
    reverse_of = pairs(originals, [i for i, row in enumerate(rows) if row.picture])
    whole, reverses = [], set(reverse_of.values())
    for i, row in enumerate(rows):
        if i in reverse_of:
            whole.append(_side_by_side(row, rows[reverse_of[i]], out))
        elif i not in reverses:
            whole.append(row.left_out("one-side", _missing_face(row)) if row.picture else row)
        tell(i + 1)
    return whole


def _missing_face(row: Row) -> str:
    if not (row.coin_id and row.side):
        return "no coin_id or side is given"
    return f"no {REVERSE if row.side == OBVERSE else OBVERSE} of coin {row.coin_id} is left for it"


def _side_by_side(obverse: Row, reverse: Row, out: Path) -> Row:
    """Obverse left, as it was; reverse right, made as high."""
    left, right = (read_picture(out / row.picture) for row in (obverse, reverse))
    if left is None or right is None:
        raise InputError(f"{out / obverse.picture}: was damaged meanwhile; start again")
    height = left.shape[0]
    width = round(right.shape[1] * height / right.shape[0])
    pixels = np.hstack([left, cv2.resize(right, (width, height), interpolation=cv2.INTER_AREA)])
    name = obverse.picture.removesuffix(".png") + "-both.png"
    return replace(
        obverse,
        picture=name,
        side="both",
        source=f"{obverse.source} + {reverse.source}",
        sha256=write_png(out / name, pixels),
    )
