"""Each picture that was handed in -> its row and its picture in the data set; what is finished already is not done again."""

import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from coinsorter.training.dataset import dataset, quality
from coinsorter.training.dataset.dataset import IMAGES, Row, hash_file
from coinsorter.training.dataset.quality import ExpectedCoins, Rejection
from coinsorter.training.dataset.resume_log import ResumeLog
from coinsorter.training.dataset.sources import UNSUPPORTED_SUFFIXES, SourceImage

STEM_LENGTH = 40  # of a picture's own name, in the data set


@dataclass(frozen=True)
class IngestedImage:
    """What one picture is. row: all of it but group and split. content, pixels: hashes of its bytes, and of its pixels where it is kept."""

    row: Row
    content: str
    pixels: str = ""

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        return cls(Row(**plain["row"]), plain["content"], plain["pixels"])


def ingest_images(
    originals: Sequence[SourceImage],
    looks: ExpectedCoins,
    out: Path,
    journal: ResumeLog,
    tell: Callable[[int], None],
) -> tuple[list[IngestedImage], int]:
    """What every picture is, and how many of them were looked at just now: the others are in the journal."""
    seen, looked_at = [], 0
    for number, original in enumerate(originals, start=1):
        key = f"{number} {original.path} {original.label} {original.side} {original.coin_id} {original.stamp()}"
        finished = _finished(journal.get(key), out)
        if finished is None:
            finished = _look_at(number, original, looks, out)
            journal.add(key, finished.plain())
            looked_at += 1
        seen.append(finished)
        tell(number)
    return seen, looked_at


def _finished(entry: Any | None, out: Path) -> IngestedImage | None:
    """What the journal says of a picture, if that is still on the disk: a power cut may have spared only the one."""
    seen = IngestedImage.of(entry) if entry else None
    if seen and seen.row.picture and hash_file(out / seen.row.picture) != seen.row.sha256:
        return None
    return seen


def _look_at(number: int, original: SourceImage, looks: ExpectedCoins, out: Path) -> IngestedImage:
    row = Row(
        label=original.label,
        side=original.side,
        coin_id=original.coin_id,
        source=str(original.path),
    )
    content = read_bytes(original)
    digest = sha256(content)
    pixels = _read(original, content)
    if isinstance(pixels, Rejection):
        return IngestedImage(row.left_out(pixels.reason, pixels.detail), digest)
    row = replace(row, width_px=pixels.shape[1], height_px=pixels.shape[0])
    kept = (
        quality.look(pixels, looks)
        if row.label
        else Rejection("no-label", "its folder or its line in the CSV names none")
    )
    if isinstance(kept, Rejection):
        return IngestedImage(row.left_out(kept.reason, kept.detail), digest)
    row = replace(
        row,
        picture=_file_name(number, row.label, original.path.stem),
        phash=quality.hash_face(kept.pixels, kept.circle),
    )
    row = replace(
        row,
        frame_x_px=round(kept.x_px, 4),
        frame_y_px=round(kept.y_px, 4),
        **dataset.to_columns(kept.circle),
    )
    row = replace(row, sha256=write_png(out / row.picture, kept.pixels))
    return IngestedImage(row, digest, sha256(repr(pixels.shape).encode() + pixels.tobytes()))


def _read(original: SourceImage, content: bytes | None) -> np.ndarray | Rejection:
    if content is None:
        return Rejection("unreadable", "there is none, or it cannot be opened")
    if original.path.suffix.lower() in UNSUPPORTED_SUFFIXES:
        return Rejection("unreadable", "neither JPEG, PNG, TIFF nor BMP; save it as one of them")
    return quality.read(content)


def read_bytes(original: SourceImage) -> bytes | None:
    """A picture's bytes, or None where they cannot be read."""
    try:
        return original.content()
    except (OSError, zipfile.BadZipFile):
        return None


def _file_name(number: int, label: str, stem: str) -> str:
    return (
        f"{IMAGES}/{label}/{number:06d}-{re.sub(r'[^A-Za-z0-9._-]', '_', stem)[:STEM_LENGTH]}.png"
    )


def sha256(content: bytes | None) -> str:
    return hashlib.sha256(content or b"").hexdigest()


def write_png(path: Path, pixels: np.ndarray) -> str:
    """Writes uint8 (h, w, 3) RGB as a PNG; returns the file's hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
    path.write_bytes(content)
    return sha256(content)
