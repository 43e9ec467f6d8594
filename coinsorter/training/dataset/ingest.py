"""Each image that was handed in -> its row and its image in the data set.

What an earlier run finished is not done again.
"""

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from coinsorter.images.image_formats import RAW_SUFFIXES, describe_unread
from coinsorter.images.image_io import encode_image
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.dataset import IMAGES, Row, circle_fields, hash_bytes, hash_file
from coinsorter.training.dataset.image_files import list_files, remove_files, write_content
from coinsorter.training.dataset.quality import CoinImage, ExpectedCoins, Rejection
from coinsorter.training.dataset.resume_log import ResumeLog
from coinsorter.training.dataset.source_image import SourceImage
from coinsorter.training.parallel import HERE, IMAGES_PER_PROCESS, Workers

#: Characters of an image's own name that its file in the data set keeps.
MAX_STEM_LENGTH = 40


@dataclass(frozen=True)
class IngestedImage:
    """What became of one image.

    row: all of it but group and split. content_sha256: of the file's bytes.
    pixels_sha256: of its pixels where it is kept, else "".
    """

    row: Row
    content_sha256: str
    pixels_sha256: str = ""

    def to_entry(self) -> dict[str, Any]:
        """What the resume log holds of it."""
        return {
            "row": self.row.to_columns(),
            "content": self.content_sha256,
            "pixels": self.pixels_sha256,
        }

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Self:
        """What `to_entry` wrote."""
        return cls(Row.from_columns(entry["row"]), entry["content"], entry["pixels"])


@dataclass(frozen=True)
class _Job:
    """An image to look at, as another process may do it."""

    number: int
    source: SourceImage
    expected: ExpectedCoins


def ingest_images(
    sources: Sequence[SourceImage],
    expected: ExpectedCoins,
    out: Path,
    log: ResumeLog,
    report: Callable[[int], None],
    workers: Workers = HERE,
) -> tuple[list[IngestedImage], int]:
    """What became of every image, and how many of them were processed just now.

    The others are in the log. report: called with the number of images that are done.
    """
    images: dict[str, IngestedImage] = {}
    jobs: dict[str, _Job] = {}
    keys = [_log_key(number, source) for number, source in enumerate(sources, start=1)]
    logged = list_files(log.entries)
    for number, (key, source) in enumerate(zip(keys, sources), start=1):
        image = _recall(log.get(key), out)
        if image is None:
            remove_files(out, logged & {_file_name(number, source)})
            jobs[key] = _Job(number, source, expected)
        else:
            images[key] = image
            report(len(images))
    ingested = workers.run(_ingest, list(jobs.values()), IMAGES_PER_PROCESS)
    for key, (image, content) in zip(jobs, ingested):
        images[key] = _keep(image, content, out)
        log.add(key, images[key].to_entry())
        report(len(images))
    return [images[key] for key in keys], len(jobs)


def _keep(image: IngestedImage, content: bytes, out: Path) -> IngestedImage:
    """The image after its file is written, if it has one."""
    name = image.row.image_file
    if not name:
        return image
    return replace(image, row=replace(image.row, sha256=write_content(out, name, content)))


def _log_key(number: int, source: SourceImage) -> str:
    names = f"{source.name} {source.label} {source.side} {source.coin_id}"
    return f"{number} {names} {source.fingerprint()}"


def _recall(entry: Any | None, out: Path) -> IngestedImage | None:
    """What the log says of an image, if its file is still there: a power cut may spare only one."""
    if not entry:
        return None
    image = IngestedImage.from_entry(entry)
    name = image.row.image_file
    if name and hash_file(out / name) != image.row.sha256:
        return None
    return image


def _ingest(job: _Job) -> tuple[IngestedImage, bytes]:
    """What becomes of an image, and its file's content where it is kept."""
    source = job.source
    row = Row(label=source.label, side=source.side, coin_id=source.coin_id, source=source.name)
    content = read_bytes(source)
    digest = hash_content(content)
    pixels = _decode(source, content)
    del content  # tens of megabytes, and finding the coin takes memory too
    if isinstance(pixels, Rejection):
        return IngestedImage(row.leave_out(pixels.reason, pixels.detail), digest), b""
    row = replace(row, width_px=pixels.shape[1], height_px=pixels.shape[0])
    coin = _extract_labelled(row.label, pixels, job.expected)
    if isinstance(coin, Rejection):
        return IngestedImage(row.leave_out(coin.reason, coin.detail), digest), b""
    row = _describe_coin(row, coin, _file_name(job.number, source))
    shape_and_pixels = repr(pixels.shape).encode() + pixels.tobytes()
    image = IngestedImage(row, digest, hash_bytes(shape_and_pixels))
    return image, encode_image(coin.pixels, ".png")


def _extract_labelled(
    label: str, pixels: np.ndarray, expected: ExpectedCoins
) -> CoinImage | Rejection:
    if not label:
        return Rejection("no-label", "its folder or its line in the CSV names none")
    return quality.extract_coin(pixels, expected)


def _describe_coin(row: Row, coin: CoinImage, name: str) -> Row:
    """The row with where the coin is and what it looks like."""
    measured: dict[str, Any] = dict(circle_fields(coin.circle))
    return replace(
        row,
        image_file=name,
        phash=quality.hash_face(coin.pixels, coin.circle),
        frame_x_px=round(coin.x_px, 4),
        frame_y_px=round(coin.y_px, 4),
        **measured,
    )


def _decode(source: SourceImage, content: bytes | str) -> np.ndarray | Rejection:
    if isinstance(content, str):
        return Rejection("unreadable", content)
    if source.path.suffix.lower() in RAW_SUFFIXES:
        return Rejection("unreadable", describe_unread("raw"))
    return quality.decode_or_reject(content, source.page)


def read_bytes(source: SourceImage) -> bytes | str:
    """The bytes of an image's file, or why they cannot be read."""
    if source.problem:
        return source.problem
    try:
        return source.read_content()
    except OSError as error:
        return error.strerror or str(error)
    except zipfile.BadZipFile as error:
        return f"damaged in the ZIP: {error}"


def _file_name(number: int, source: SourceImage) -> str:
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", source.path.stem)[:MAX_STEM_LENGTH]
    return f"{IMAGES}/{source.label}/{number:06d}-{safe}.png"


def hash_content(content: bytes | str) -> str:
    """The SHA-256 of a file's bytes in hexadecimal; of none, where it is only known why."""
    return hash_bytes(b"" if isinstance(content, str) else content)
