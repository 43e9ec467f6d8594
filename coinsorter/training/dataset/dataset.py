"""A data set on disk, as `coinsorter-train prepare` leaves it: pictures of one coin each, a table of them, and what was left out and why."""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from coinsorter.errors import InputError
from coinsorter.hardware.camera.open_camera import read_picture
from coinsorter.records import Circle

FORMAT = 1
MANIFEST, TABLE, IMAGES, REPORT = "dataset.yaml", "table.csv", "pictures", "report.html"
MAKE_AGAIN = "make the data set again with `coinsorter-train prepare --force`"


@dataclass(frozen=True)
class Row:
    """One picture that was handed in, as the table has it.

    picture: its file in the data set; "" where it was left out, and then reason says why (see clean.REASONS) and detail more.
    label: "" where none was given. side: "obverse", "reverse", "both" (two faces side by side) or "". coin_id: as given, or "".
    group: pictures of one photograph, burst or coin share it, from 1; 0 where left out. split: "train", "validation", "test" or "".
    sha256: of the file in the data set. phash: of the coin's face, 256 bits in hexadecimal; pictures that look alike differ in few.
    source: where it came from; of two faces joined by " + ".
    width_px, height_px: of the original; frame_x_px, frame_y_px: the coin's centre in it.
    x_px to alone: the coin's circle in the data set's picture, as records.Circle has it; zeros where left out.
    """

    picture: str = ""
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

    def left_out(self, reason: str, detail: str) -> Self:
        """The row of a picture that is left out: what it is and why, and nothing of what was measured in it."""
        kept = {
            name: getattr(self, name)
            for name in ("label", "side", "coin_id", "phash", "source", "width_px", "height_px")
        }
        return type(self)(reason=reason, detail=detail, **kept)


COLUMNS = {field.name: field.type for field in fields(Row)}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A finished data set. facts: what dataset.yaml says. rows: of every picture, in the order they were handed in."""

    folder: Path
    manifest: dict[str, Any]
    rows: tuple[Row, ...]

    @classmethod
    def load(
        cls, folder: Path, check: bool = True, tell: Callable[[int], None] = lambda done: None
    ) -> Self:
        """The data set in a folder. check: every picture's hash is compared; tell hears how many are done.

        Raises InputError where there is none, where it is unfinished, and naming the file that has changed since it was made.
        """
        manifest = _facts(folder)
        if hash_file(folder / TABLE) != manifest["sha256"]:
            raise InputError(f"{folder / TABLE}: is not as it was made; {MAKE_AGAIN}")
        found = cls(folder, manifest, tuple(read_table(folder / TABLE)))
        for number, row in enumerate(found.kept_rows() if check else ()):
            found.check_image(row)
            tell(number + 1)
        return found

    @property
    def labels(self) -> list[str]:
        """Names, sorted."""
        return list(self.manifest["labels"])

    @property
    def frame(self) -> tuple[int, int] | None:
        """Width and height of the originals in pixels, or None where they are not of one size."""
        frame = self.manifest["frame"]
        return frame and (frame["width_px"], frame["height_px"])

    def kept_rows(self, split: str | None = None) -> list[Row]:
        """Rows with a picture; of one split, or of all."""
        return [row for row in self.rows if row.picture and split in (None, row.split)]

    def read_image(self, row: Row) -> np.ndarray:
        """A row's picture, uint8 (h, w, 3) RGB. Raises InputError where it is missing or damaged."""
        pixels = read_picture(self.folder / row.picture) if row.picture else None
        if pixels is None:
            raise InputError(f"{self.folder / row.picture}: cannot be read; {MAKE_AGAIN}")
        return pixels

    def check_image(self, row: Row) -> None:
        """Raises InputError where a row's picture is not the one that was prepared."""
        if hash_file(self.folder / row.picture) != row.sha256:
            raise InputError(f"{self.folder / row.picture}: is not as it was made; {MAKE_AGAIN}")

    def __iter__(self) -> Iterator[tuple[Row, np.ndarray]]:
        """Every kept row with its picture, read one by one."""
        for row in self.kept_rows():
            yield row, self.read_image(row)

    @staticmethod
    def circle_of(row: Row) -> Circle:
        """The coin in a row's picture, as `coinsorter.vision.crop.cut` takes it."""
        surround = (row.surround_r, row.surround_g, row.surround_b)
        return Circle(
            row.x_px,
            row.y_px,
            row.radius_px,
            row.quality,
            row.roundness,
            row.sharpness,
            surround,
            row.alone,
            row.off_patch,
        )


def to_columns(circle: Circle) -> dict[str, float | bool]:
    """A circle as a row's columns, to a ten-thousandth."""
    columns = asdict(circle)
    columns |= zip(("surround_r", "surround_g", "surround_b"), columns.pop("surround"))
    return {
        name: value if isinstance(value, bool) else round(float(value), 4)
        for name, value in columns.items()
    }


def _facts(folder: Path) -> dict[str, Any]:
    try:
        manifest = yaml.safe_load((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: holds no finished data set; make it with `coinsorter-train prepare`"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{folder / MANIFEST}: cannot be read; {MAKE_AGAIN}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{folder / MANIFEST}: is not of format {FORMAT}; {MAKE_AGAIN}")
    if not {"labels", "frame", "sha256"} <= set(manifest):
        raise InputError(f"{folder / MANIFEST}: is not as it was made; {MAKE_AGAIN}")
    return manifest


def hash_file(path: Path) -> str:
    """The hash of a file, or "" where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def read_table(path: Path) -> Iterator[Row]:
    """The rows of a table. Raises InputError where it is not one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.DictReader(file)
            if lines.fieldnames != list(COLUMNS):
                raise InputError(
                    f"{path}: has other columns than this version writes; {MAKE_AGAIN}"
                )
            yield from (parse_row(line) for line in lines)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read: {error}; {MAKE_AGAIN}") from error


def parse_row(words: dict[str, str]) -> Row:
    """A row from what its columns say; an empty number is 0. Raises ValueError where one is no number."""
    return Row(**{name: _value(kind, words[name]) for name, kind in COLUMNS.items()})


def _value(kind: Any, word: str) -> str | float | bool:
    if kind is bool:
        return word == "1"
    return word if kind is str else kind(word or 0)


def write_table(path: Path, rows: list[Row]) -> None:
    """Writes the rows; numbers of pictures left out stay empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows([_word(row, value) for value in asdict(row).values()] for row in rows)


def _word(row: Row, value: str | float | bool) -> str:
    if isinstance(value, str):
        return value
    if not row.picture and not value:
        return ""
    return str(int(value) if isinstance(value, bool) else value)
