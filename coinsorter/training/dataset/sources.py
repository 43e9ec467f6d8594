"""What a trainer hands in -> the images in it, one after the other.

A source is a folder with folders named as labels, a CSV, or a ZIP of either. A ZIP is read where
it lies and never unpacked; one that leads out of itself or swells beyond reason is refused.
"""

import csv
import io
import lzma
import posixpath
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath

from coinsorter.errors import InputError
from coinsorter.label_folders import OBVERSE, REVERSE, place_images

#: Suffixes of image files that are read.
SUPPORTED_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
#: Suffixes of image files that are not read; each is listed with that reason, not passed over.
UNSUPPORTED_SUFFIXES = {
    ".webp",
    ".heic",
    ".heif",
    ".avif",
    ".gif",
    ".jp2",
    ".dng",
    ".cr2",
    ".nef",
    ".arw",
}
#: A CSV's columns: those it needs, and those it may have.
NEEDED_COLUMNS = ("path", "label")
OPTIONAL_COLUMNS = ("side", "coin_id", "group")
SIDES = OBVERSE, REVERSE
#: Characters; a label names a folder.
MAX_LABEL_LENGTH = 80
#: Characters that no folder's name may have on some system.
FORBIDDEN_IN_LABELS = set('/\\:*?"<>|')
#: What reading a damaged or unusual member of a ZIP raises.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
)

# A ZIP bomb is a small file that swells. Photographs hardly shrink in a ZIP, drawn images as BMP a
# hundredfold, zeros a thousandfold.
MAX_MEMBERS = 1_000_000
#: Bytes unpacked; an image of 12 megapixels in 16 bits has 72 MB.
MAX_MEMBER_BYTES = 2**29
#: Bytes unpacked: 128 GiB.
MAX_TOTAL_BYTES = 2**37
#: Unpacked over packed size of the whole ZIP ...
MAX_RATIO = 200
#: ... where it has more bytes than this unpacked.
RATIO_FREE_BYTES = 2**26


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image as it was handed in.

    path: its file, or the path of a ZIP's member below the ZIP's own.
    label: as written, "" where there is none.
    side: OBVERSE, REVERSE or "" (not known). coin_id, group: as in the CSV, or "".
    table: the CSV whose coins and groups they are, or "".
    archive: the ZIP that it is a member of, or None; member: its name there.
    """

    path: PurePath
    label: str
    side: str = ""
    coin_id: str = ""
    group: str = ""
    table: str = ""
    archive: zipfile.ZipFile | None = None
    member: str = ""

    def read_content(self) -> bytes:
        """Its bytes; raises OSError or zipfile.BadZipFile where they cannot be read."""
        if self.archive is None:
            return Path(self.path).read_bytes()
        try:
            return self.archive.read(self.member)
        except KeyError as error:
            raise FileNotFoundError(2, "not in the ZIP", self.member) from error
        except ZIP_ERRORS as error:
            raise zipfile.BadZipFile(str(error)) from error

    def fingerprint(self) -> str:
        """Changes when the image does; "" where there is none.

        Size and time of a file, size and checksum of a ZIP's member.
        """
        try:
            if self.archive is not None:
                member = self.archive.getinfo(self.member)
                return f"{member.file_size}-{member.CRC:08x}"
            status = Path(self.path).stat()
        except (OSError, KeyError):
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}"


@contextmanager
def open_sources(
    sources: Sequence[Path], label_level: int | None = None
) -> Iterator[list[SourceImage]]:
    """Every image of the sources, in order: by source, then by folder and name, or as a CSV lists.

    label_level: of the folders that are named as labels, see `label_folders.place_images`. Raises
    InputError for a source that cannot be used, and for labels that cannot be told apart or make no
    data set.
    """
    with ExitStack() as archives:
        images = [
            image for source in sources for image in _list_source(source, archives, label_level)
        ]
        _check_labels([image.label for image in images])
        _check_coins(images)
        yield [replace(image, label=image.label.strip()) for image in images]


def _list_source(source: Path, archives: ExitStack, label_level: int | None) -> list[SourceImage]:
    if source.is_dir():
        paths = [path for path in source.rglob("*") if path.is_file()]
        return _list_folder(source, paths, source.resolve().name, label_level)
    if not source.is_file():
        raise InputError(f"{source}: no such file or folder")
    if source.suffix.lower() == ".csv":
        content = _read_table(SourceImage(source, ""))
        return list(_list_table(source, content, None))
    if source.suffix.lower() == ".zip":
        return _list_zip(source, archives, label_level)
    raise InputError(
        f"{source}: is no folder, CSV or ZIP; put images into folders named as their labels"
    )


# --- folders


def _list_folder(
    source: PurePath, paths: Sequence[PurePath], name: str, label_level: int | None
) -> list[SourceImage]:
    """Images labelled by the folders that each lies in.

    Those in the source itself have no label, unless there are no others.
    """
    images = [path for path in paths if _is_image(path.relative_to(source))]
    if not images:
        raise InputError(
            f"{source}: holds no images ({', '.join(sorted(SUPPORTED_SUFFIXES))}); "
            "they belong into folders named as their labels"
        )
    images.sort(key=lambda path: (str(path.parent), _natural_key(path.name)))
    if all(path.parent == source for path in images):
        return [SourceImage(path, name) for path in images]
    folders = [path.parent.relative_to(source).parts for path in images]
    placements = place_images(source, folders, label_level)
    return [
        SourceImage(path, placement.label, placement.side)
        for path, placement in zip(images, placements)
    ]


def _is_image(path: PurePath) -> bool:
    """Not what systems put beside images, such as __MACOSX/._coin.jpg."""
    if any(part.startswith((".", "__MACOSX")) for part in path.parts):
        return False
    return path.suffix.lower() in SUPPORTED_SUFFIXES | UNSUPPORTED_SUFFIXES


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts coin_9 before coin_10."""
    return [(int(number or 0), word) for word, number in re.findall(r"(\D*)(\d*)", name)]


# --- ZIPs


def _list_zip(source: Path, archives: ExitStack, label_level: int | None) -> list[SourceImage]:
    archive = _open_zip(source, archives)
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        _check_member(source, member)
    _check_size(source, members)
    names = {source / member.filename: member.filename for member in members}
    table = _find_table(source, list(names))
    if table is None:
        images = _list_folder(source, list(names), source.stem, label_level)
    else:
        content = _read_table(SourceImage(table, "", archive=archive, member=names[table]))
        images = list(_list_table(table, content, source))
    return [_place_in_zip(image, archive, names) for image in images]


def _find_table(source: Path, paths: Sequence[Path]) -> Path | None:
    """The CSV of a ZIP, or None; raises InputError where there are several."""
    tables = [path for path in paths if _is_table(path)]
    if len(tables) > 1:
        raise InputError(
            f"{source}: holds {len(tables)} CSV files; leave one that lists its images, or none"
        )
    return tables[0] if tables else None


def _is_table(path: Path) -> bool:
    is_hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() == ".csv" and not is_hidden


def _place_in_zip(
    image: SourceImage, archive: zipfile.ZipFile, names: Mapping[Path, str]
) -> SourceImage:
    member = names.get(Path(image.path), str(image.path))
    return replace(image, archive=archive, member=member)


def _open_zip(source: Path, archives: ExitStack) -> zipfile.ZipFile:
    try:
        return archives.enter_context(zipfile.ZipFile(source))
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise InputError(f"{source}: is no ZIP that can be read: {error}; pack it again") from error


def _check_member(source: Path, member: zipfile.ZipInfo) -> None:
    """Refuses what leads out of the ZIP, links, what is locked, and what is too large."""
    where = f"{source}: {member.filename!r} in it"
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.filename):
        raise InputError(
            f"{source}: a path in it leads out of it: {member.filename!r}; nothing of it is used"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{where} is a link; pack the image itself")
    if member.flag_bits & 1:
        raise InputError(f"{where} is locked with a password; pack it without")
    if member.file_size > MAX_MEMBER_BYTES:
        size_mib = member.file_size / 2**20
        raise InputError(f"{where} swells to {size_mib:.0f} MiB, and no image needs that")


def _check_size(source: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuses ZIP bombs. Members cannot be larger than they claim: reading stops there."""
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if len(members) > MAX_MEMBERS or unpacked > MAX_TOTAL_BYTES:
        at_most = f"{MAX_MEMBERS} of {MAX_TOTAL_BYTES / 2**30:.0f} GiB"
        raise InputError(
            f"{source}: {len(members)} files of {unpacked / 2**30:.1f} GiB in it; "
            f"at most {at_most} are taken; split it"
        )
    if unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * packed:
        raise InputError(
            f"{source}: swells {unpacked / max(packed, 1):.0f} times when unpacked, "
            "as no images do; nothing of it is used"
        )


# --- CSVs


def _read_table(table: SourceImage) -> bytes:
    try:
        return table.read_content()
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{table.path}: cannot be read: {error}; save it again") from error


def _list_table(table: PurePath, content: bytes, archive: PurePath | None) -> Iterator[SourceImage]:
    """The images that a CSV lists; paths are relative to it.

    In an archive they have to stay within it.
    """
    columns, rows = _parse_table(table, content)
    if not rows:
        raise InputError(
            f"{table}: lists no images; "
            f"below its first line, {','.join(columns)}, each line names one"
        )
    for number, row in rows:
        if None in row or None in row.values():
            raise InputError(
                f"{table}: line {number}: not {len(columns)} values; "
                f"each line needs {','.join(columns)}"
            )
        stripped = {
            name: value if name == "label" else value.strip() for name, value in row.items()
        }
        yield _read_line(table, number, stripped, archive)


def _parse_table(
    table: PurePath, content: bytes
) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """A CSV's columns, and its rows with their line numbers."""
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        lines = csv.DictReader(text, strict=True)
        columns = _check_columns(table, lines.fieldnames or [])
        lines.fieldnames = columns
        return columns, [(lines.line_num, row) for row in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: is no CSV in UTF-8: {error}; save it as such") from error


def _check_columns(table: PurePath, names: Sequence[str]) -> list[str]:
    columns = [name.strip().lower() for name in names]
    known = set(NEEDED_COLUMNS + OPTIONAL_COLUMNS)
    is_complete = set(NEEDED_COLUMNS) <= set(columns) <= known
    if not is_complete or len(set(columns)) < len(columns):
        raise InputError(
            f"{table}: line 1: the columns are {','.join(columns) or 'missing'}; "
            f"they must be path,label and may be {','.join(OPTIONAL_COLUMNS)}"
        )
    return columns


def _read_line(
    table: PurePath, number: int, row: Mapping[str, str], archive: PurePath | None
) -> SourceImage:
    where = f"{table}: line {number}"
    side = row.get("side", "").lower()
    if not row["path"]:
        raise InputError(f"{where}: no path")
    if side not in (*SIDES, ""):
        raise InputError(
            f"{where}: side is {row['side']!r}; it must be {', '.join(SIDES)} or empty"
        )
    path = table.parent / row["path"]
    if archive:
        path = archive / _resolve_in_zip(where, table, row["path"], archive)
    return SourceImage(
        path=path,
        label=row["label"],
        side=side,
        coin_id=row.get("coin_id", ""),
        group=row.get("group", ""),
        table=str(table),
    )


def _resolve_in_zip(where: str, table: PurePath, path: str, archive: PurePath) -> str:
    """A path of a CSV as a member's name; raises InputError where it leads out of the ZIP."""
    beside_table = table.parent.relative_to(archive) / path.replace("\\", "/")
    member = posixpath.normpath(beside_table.as_posix())
    if member.startswith(("../", "/")) or member == "..":
        raise InputError(f"{where}: {path!r} leads out of the ZIP; nothing of it is used")
    return member


# --- labels and coins


def _check_labels(labels: Sequence[str]) -> None:
    """Raises InputError for labels that name no folder, look alike, or are fewer than two."""
    spellings: dict[str, str] = {}
    for label in dict.fromkeys(label for label in labels if label.strip()):
        _check_label(label)
        plain = "".join(unicodedata.normalize("NFKC", label).casefold().split())
        other = spellings.setdefault(plain, label)
        if other != label:
            raise InputError(
                f"labels {other!r} and {label!r} differ only by case or space; "
                "spell them alike if they are one, else name them apart"
            )
    if len(spellings) < 2:
        names = list(spellings.values())
        only = f"only one label, {names[0]!r}" if names else "no labels"
        raise InputError(
            f"{only}: at least two are needed; "
            "put the images of each into a folder of its name, or name them in a CSV"
        )


def _check_label(label: str) -> None:
    stripped = label.strip()
    is_printable = stripped.isprintable() and not stripped.startswith(".")
    if len(label) > MAX_LABEL_LENGTH or not is_printable or set(label) & FORBIDDEN_IN_LABELS:
        raise InputError(
            f"label {label!r} cannot name a folder; "
            f"use up to {MAX_LABEL_LENGTH} letters, digits, '_' and '-'"
        )


def _check_coins(images: Sequence[SourceImage]) -> None:
    """Raises InputError for one coin under two labels."""
    labels: dict[tuple[str, str], str] = {}
    for image in images:
        if not (image.coin_id and image.label.strip()):
            continue
        other = labels.setdefault((image.table, image.coin_id), image.label)
        if other != image.label:
            raise InputError(
                f"{image.table}: coin_id {image.coin_id!r} is labelled {other!r} and "
                f"{image.label!r}; it can be one of them only"
            )
