"""A CSV that lists images, whatever program wrote it: its lines as images with labels.

Spreadsheets differ in separators, encodings and line ends, and Windows in its paths.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from coinsorter.errors import InputError
from coinsorter.images.image_folder import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from coinsorter.images.label_folders import OBVERSE, REVERSE, find_side
from coinsorter.training.dataset.source_image import SourceImage

#: A CSV's columns: those it needs, and those it may have.
NEEDED_COLUMNS = ("path", "label")
OPTIONAL_COLUMNS = ("side", "coin_id", "group")
SIDES = OBVERSE, REVERSE
#: Bytes of a CSV, at most, and lines that list an image.
MAX_TABLE_BYTES = 16_000_000
MAX_IMAGES = 100_000
#: What separates a line's values: CSV's own, spreadsheets' where the comma is a decimal's, tabs.
SEPARATORS = ",;\t|"
#: Characters of a value in a message.
_MAX_SHOWN = 200


class ImageFiles(Protocol):
    """What finds an image's file by a path in a table."""

    def locate(self, where: str, path: str) -> tuple[PurePath, str] | None:
        """Its path and, in an archive, its member's name; None where there is none."""


@dataclass(frozen=True)
class _Table:
    """A CSV's columns, and the values of each of its lines with the line's number."""

    columns: list[str]
    lines: Iterator[tuple[int, list[str]]]


def list_table(table: PurePath, content: bytes, files: ImageFiles) -> list[SourceImage]:
    """The images that a CSV lists; its paths are relative to it.

    Raises InputError naming the line where it is not such a CSV.
    """
    try:
        return list(_list_lines(table, _parse_table(table, content), files))
    except csv.Error as error:
        raise InputError(f"{table}: is no CSV: {error}; save it again") from error


def check_some_exist(images: Sequence[SourceImage]) -> None:
    """Raises InputError for a CSV of which no image is there: its paths are of another place."""
    existing = {image.table for image in images if not image.problem}
    missing = [image for image in images if image.table not in existing]
    if missing:
        first = missing[0]
        count = sum(image.table == first.table for image in missing) - 1
        others = f", nor those of {count} other lines" if count else ""
        raise InputError(f"{first.table}: {first.problem}{others}; paths are relative to the CSV")


def _list_lines(table: PurePath, parsed: _Table, files: ImageFiles) -> Iterator[SourceImage]:
    count = 0
    for number, values in parsed.lines:
        count += 1
        if count > MAX_IMAGES:
            raise InputError(f"{table}: lists more than {MAX_IMAGES} images; split it")
        yield _read_line(table, number, dict(zip(parsed.columns, values)), files)
    if not count:
        raise InputError(
            f"{table}: lists no images; "
            f"below its first line, {','.join(parsed.columns)}, each line names one"
        )


def _parse_table(table: PurePath, content: bytes) -> _Table:
    encoding = _find_encoding(table, content)
    first, separator, skipped = _read_first(content, encoding)
    text = io.TextIOWrapper(io.BytesIO(content), encoding, newline="")
    for _ in range(skipped):
        text.readline()
    reader = csv.reader(text, delimiter=separator, strict=True)
    if _has_no_header(first):
        return _Table(list(NEEDED_COLUMNS), _check_lines(table, reader, 2, skipped))
    columns = _check_columns(table, next(reader, []))
    return _Table(columns, _check_lines(table, reader, len(columns), skipped))


def _find_encoding(table: PurePath, content: bytes) -> str:
    """By the mark at its begin, else UTF-8, else that of Western Windows."""
    candidates = (
        ["utf-16"] if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "cp1252"]
    )
    for encoding in candidates:
        try:
            content.decode(encoding)
        except UnicodeDecodeError as error:
            reason = str(error)
        else:
            return encoding
    raise InputError(f"{table}: is no CSV in UTF-8: {reason}; save it as such")


def _read_first(content: bytes, encoding: str) -> tuple[list[str], str, int]:
    """The first line's values, what separates them, and how many lines stand before it."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding, newline=None)
    line, skipped = text.readline(), 0
    if line.lower().startswith("sep="):
        return _split(text.readline(), line[4:5]), line[4:5], 1
    splits = {separator: _split(line, separator) for separator in SEPARATORS}
    for separator, values in splits.items():
        if set(NEEDED_COLUMNS) <= {value.strip().lower() for value in values}:
            return values, separator, skipped
    separator = max(SEPARATORS, key=lambda each: len(splits[each]) == 2)
    return splits[separator], separator, skipped


def _split(line: str, separator: str) -> list[str]:
    if len(separator) != 1 or separator in '\r\n"':
        raise csv.Error(f"its values cannot be separated by {separator!r}")
    return next(csv.reader([line], delimiter=separator), [])


def _has_no_header(values: Sequence[str]) -> bool:
    """Whether a first line is an image and its label already."""
    filled = [value for value in values if value.strip()]
    suffix = PurePath(values[0].strip().replace("\\", "/")).suffix.lower() if values else ""
    return len(filled) == 2 and suffix in IMAGE_SUFFIXES | UNREAD_SUFFIXES


def _check_columns(table: PurePath, names: Sequence[str]) -> list[str]:
    columns = [name.strip().lower() for name in names]
    while columns and not columns[-1]:
        columns.pop()
    known = set(NEEDED_COLUMNS + OPTIONAL_COLUMNS)
    is_complete = set(NEEDED_COLUMNS) <= set(columns) <= known
    if not is_complete or len(set(columns)) < len(columns):
        raise InputError(
            f"{table}: line 1: the columns are {_show(','.join(columns)) or 'missing'}; "
            f"they must be path,label and may be {','.join(OPTIONAL_COLUMNS)}"
        )
    return columns


def _show(text: str) -> str:
    short = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return short if short.isprintable() else repr(short)


def _check_lines(
    table: PurePath, reader: Iterator[list[str]], count: int, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """The lines that say anything. Raises InputError for one with too few or too many values."""
    lines = getattr(reader, "line_num", 0)
    for values in reader:
        lines = getattr(reader, "line_num", lines + 1)
        if not any(value.strip() for value in values):
            continue
        if len(values) < count or any(value.strip() for value in values[count:]):
            raise InputError(
                f"{table}: line {lines + skipped}: not {count} values; each line needs as many as "
                "there are columns"
            )
        yield lines + skipped, values


def _read_line(
    table: PurePath, number: int, row: Mapping[str, str], files: ImageFiles
) -> SourceImage:
    where = f"{table}: line {number}"
    path = row["path"].strip()
    if not path:
        raise InputError(f"{where}: no path")
    place = files.locate(where, path)
    problem = "" if place else f"line {number}: no such image: {_show(path)}"
    return SourceImage(
        path=place[0] if place else table.parent / path,
        member=place[1] if place else "",
        label=row["label"],
        side=_read_side(where, row.get("side", "").strip()),
        coin_id=row.get("coin_id", "").strip(),
        group=row.get("group", "").strip(),
        table=str(table),
        problem=problem,
    )


def _read_side(where: str, text: str) -> str:
    side = find_side(text) if text else ""
    if side is None or (text and not side):
        raise InputError(
            f"{where}: side is {_show(text)!r}; it must be {', '.join(SIDES)} or empty"
        )
    return side
