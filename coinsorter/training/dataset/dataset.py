"""A data set on disk, as `coinsorter-train prepare` leaves it.

It holds images of one coin each, a table of all images that were handed in, and what was left out
and why.
"""

import csv
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from coinsorter.config.yaml_lines import format_option
from coinsorter.errors import InputError
from coinsorter.escape import as_cell, read_cell
from coinsorter.files.atomic import write_file
from coinsorter.files.bounded import open_plain, read_bounded
from coinsorter.files.ownership import Claim, recognize_start
from coinsorter.files.strict_yaml import load_yaml
from coinsorter.images.image_io import read_image
from coinsorter.records import Circle

FORMAT = 1
#: Files and folders of a data set.
MANIFEST, TABLE, IMAGES, REPORT = "dataset.yaml", "table.csv", "pictures", "report.html"
#: Bytes that are read of dataset.yaml: it names labels and counts, and has a few kB.
MAX_MANIFEST_BYTES = 1_000_000
#: Bytes of a file of a data set, at most: a table of 400,000 images has as many; an image, fewer.
MAX_HASHED_BYTES = 200_000_000
MAKE_AGAIN = "make the data set again with `coinsorter-train prepare --force`"

#: What a table may take the place of: one of this or another version.
TABLE_CLAIM = Claim(recognize_start(b"picture,label,"), "name another folder with --out")

Cell = str | float | bool


@dataclass(frozen=True)
class Row:
    """One image that was handed in, as the table has it.

    image_file: its file in the data set (column `picture`); "" where it was left out, and then
    reason says why (see quality.REASONS) and detail more.
    label: "" where there is none. side: "obverse", "reverse", "both" (two faces side by side) or
    "". coin_id: as in the source, or "".
    group: images of one photograph, burst or coin share it, from 1; 0 where left out.
    split: "train", "validation", "test" or "".
    sha256: of the file in the data set. phash: of the coin's face, 256 bits in hexadecimal; images
    that look alike differ in few.
    source: where it came from; of two faces joined by " + ".
    width_px, height_px: of the original; frame_x_px, frame_y_px: the coin's centre in it.
    x_px to alone: the coin's circle in the data set's image, as records.Circle has it; zeros where
    left out.
    """

    image_file: str = ""
    label: str = ""
    side: str = ""
    coin_id: str = ""
    group: int = 0
    split: str = ""
    reason: str = ""
    detail: str = ""
    sha256: str = ""
    phash: str = ""
    source: str = ""
    width_px: int = 0
    height_px: int = 0
    frame_x_px: float = 0.0
    frame_y_px: float = 0.0
    x_px: float = 0.0
    y_px: float = 0.0
    radius_px: float = 0.0
    quality: float = 0.0
    roundness: float = 0.0
    sharpness: float = 0.0
    surround_r: float = 0.0
    surround_g: float = 0.0
    surround_b: float = 0.0
    off_patch: float = 0.0
    alone: bool = False

    def leave_out(self, reason: str, detail: str) -> Self:
        """The row of an image that is left out: what it is and why, without its measurements."""
        return type(self)(
            reason=reason,
            detail=detail,
            label=self.label,
            side=self.side,
            coin_id=self.coin_id,
            phash=self.phash,
            source=self.source,
            width_px=self.width_px,
            height_px=self.height_px,
        )

    def to_columns(self) -> dict[str, Cell]:
        """The row's values by the names of the table's columns."""
        return {_column_of(name): value for name, value in asdict(self).items()}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Self:
        """A row from values by the names of the table's columns."""
        return cls(**{field.name: columns[_column_of(field.name)] for field in fields(cls)})


def _column_of(field_name: str) -> str:
    return "picture" if field_name == "image_file" else field_name


#: The table's columns, in order, and the type of each.
COLUMNS = {_column_of(field.name): field.type for field in fields(Row)}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A finished data set.

    manifest: what dataset.yaml says. rows: of every image, in the order they were handed in.
    """

    folder: Path
    manifest: dict[str, Any]
    rows: tuple[Row, ...]

    @classmethod
    def load(
        cls, folder: Path, check: bool = True, report: Callable[[int], None] = lambda done: None
    ) -> Self:
        """The data set in a folder.

        check: every image's hash is compared; report is called with the number that is done.
        Raises InputError where there is none, where it is unfinished, and naming the file that has
        changed since it was made.
        """
        manifest = _load_manifest(folder)
        if hash_file(folder / TABLE) != manifest["sha256"]:
            raise InputError(f"{folder / TABLE}: is not as it was made; {MAKE_AGAIN}")
        dataset = cls(folder, manifest, tuple(read_table(folder / TABLE)))
        for number, row in enumerate(dataset.kept_rows() if check else ()):
            dataset.check_image(row)
            report(number + 1)
        return dataset

    @property
    def labels(self) -> list[str]:
        """Names, sorted."""
        return list(self.manifest["labels"])

    @property
    def frame(self) -> tuple[int, int] | None:
        """Width and height of the originals in pixels, or None where they differ in size."""
        frame = self.manifest["frame"]
        return (frame["width_px"], frame["height_px"]) if frame else None

    def kept_rows(self, split: str | None = None) -> list[Row]:
        """Rows with an image; of one split, or of all."""
        return [row for row in self.rows if row.image_file and split in (None, row.split)]

    def read_image(self, row: Row) -> np.ndarray:
        """A row's image, uint8 (h, w, 3) RGB; raises InputError where it is missing or damaged."""
        pixels = read_image(self.folder / row.image_file) if row.image_file else None
        if pixels is None:
            raise InputError(f"{self.folder / row.image_file}: cannot be read; {MAKE_AGAIN}")
        return pixels

    def check_image(self, row: Row) -> None:
        """Raises InputError where a row's image is not the one that was prepared."""
        path = self.folder / row.image_file
        if hash_file(path) != row.sha256:
            raise InputError(f"{path}: is not as it was made; {MAKE_AGAIN}")

    def __iter__(self) -> Iterator[tuple[Row, np.ndarray]]:
        """Every kept row with its image, read one by one."""
        for row in self.kept_rows():
            yield row, self.read_image(row)

    @staticmethod
    def circle_of(row: Row) -> Circle:
        """The coin in a row's image, as `coinsorter.vision.crop` takes it."""
        return Circle(
            x_px=row.x_px,
            y_px=row.y_px,
            radius_px=row.radius_px,
            quality=row.quality,
            roundness=row.roundness,
            sharpness=row.sharpness,
            surround=(row.surround_r, row.surround_g, row.surround_b),
            alone=row.alone,
            off_patch=row.off_patch,
        )


def circle_fields(circle: Circle) -> dict[str, float | bool]:
    """A circle as fields of a row, to a ten-thousandth."""
    values = asdict(circle)
    values |= zip(("surround_r", "surround_g", "surround_b"), values.pop("surround"))
    return {
        name: value if isinstance(value, bool) else round(float(value), 4)
        for name, value in values.items()
    }


def _load_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = load_yaml(read_bounded(path, MAX_MANIFEST_BYTES))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: holds no finished data set; make it with `coinsorter-train prepare`"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; {MAKE_AGAIN}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read; {MAKE_AGAIN}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path}: is not of format {FORMAT}; {MAKE_AGAIN}")
    _check_manifest(path, manifest)
    return manifest


def _check_manifest(path: Path, manifest: dict[str, Any]) -> None:
    try:
        _ManifestHead.model_validate(manifest)
    except ValidationError as error:
        key = format_option(error.errors()[0]["loc"])
        raise InputError(f"{path}: {key} is not as it was made; {MAKE_AGAIN}") from error


class _Size(BaseModel):
    """A frame's size."""

    model_config = ConfigDict(strict=True)
    width_px: int
    height_px: int


class _ManifestHead(BaseModel):
    """What is read of dataset.yaml; the rest is for people."""

    model_config = ConfigDict(strict=True)
    labels: list[str]
    frame: _Size | None
    sha256: str
    crops: bool


def join_name(name: str) -> str:
    """The file that joins an image with its coin's other face."""
    return name.removesuffix(".png") + "-both.png"


def hash_bytes(content: bytes) -> str:
    """The SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def hash_file(path: Path) -> str:
    """The SHA-256 of a plain file in hexadecimal; "" where it cannot be read or is too large."""
    try:
        with open_plain(path) as file:
            if os.fstat(file.fileno()).st_size > MAX_HASHED_BYTES:
                return ""
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: a name with a NUL in it
        return ""


def read_table(path: Path) -> Iterator[Row]:
    """The rows of a table; raises InputError where it is not one."""
    try:
        with open_plain(path) as content, TextIOWrapper(content, "utf-8", newline="") as file:
            lines = csv.DictReader(file)
            if lines.fieldnames != list(COLUMNS):
                raise InputError(
                    f"{path}: has other columns than this version writes; {MAKE_AGAIN}"
                )
            yield from (parse_row(line) for line in lines)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}; {MAKE_AGAIN}") from error


def parse_row(words: dict[str, str]) -> Row:
    """A row from what its columns say; an empty number is 0.

    Raises ValueError where a number is none.
    """
    return Row.from_columns({name: _parse(kind, words[name]) for name, kind in COLUMNS.items()})


def _parse(kind: Any, word: str) -> Any:
    if kind is bool:
        return word == "1"
    return read_cell(word) if kind is str else kind(word or 0)


def write_table(path: Path, rows: list[Row]) -> None:
    """Writes the rows; numbers of images that are left out stay empty."""
    with write_file(path, TABLE_CLAIM) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in rows:
            cells = row.to_columns().values()
            table.writerow([_format(row, cell) for cell in cells])


def _format(row: Row, value: Cell) -> str:
    if isinstance(value, str):
        return str(as_cell(value))
    if not row.image_file and not value:
        return ""
    return str(int(value) if isinstance(value, bool) else value)
