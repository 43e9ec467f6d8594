"""What a trainer hands in -> the pictures in it, one after the other: folders named as labels, a CSV, or a ZIP of either.

A ZIP is read where it lies and never unpacked; one that leads out of itself or swells beyond reason is refused.
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

IMAGES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
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
}  # not to be passed over unseen
NEEDED, FURTHER = ("path", "label"), ("side", "coin_id", "group")  # a CSV's columns
SIDES = OBVERSE, REVERSE = "obverse", "reverse"
MAX_LABEL_LENGTH = 80  # characters: it names a folder
# What reading a damaged or unusual member of a ZIP raises.
DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
)

# A bomb is a small file that swells. Photographs hardly shrink in a ZIP, drawn pictures as BMP a hundredfold, zeros a thousandfold.
MAX_MEMBERS = 1_000_000
MAX_MEMBER_BYTES = 2**29  # unpacked: a picture of 12 megapixels in 16 bits has 72 MB
MAX_TOTAL_BYTES = 2**37  # unpacked: 128 GiB
MAX_RATIO = 200  # unpacked over packed, of the whole ZIP,
RATIO_FREE_BYTES = 2**26  # where it is more than this unpacked


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One picture as it was handed in.

    path: its file, or the path of a ZIP's member below the ZIP's own. label: as written, "" where there is none.
    side: OBVERSE, REVERSE or "" (not known). coin_id, group: as in the CSV, or "". table: the CSV, whose coins and groups they are.
    archive: the ZIP that it is a member of, or None.
    """

    path: PurePath
    label: str
    side: str = ""
    coin_id: str = ""
    group: str = ""
    table: str = ""
    archive: zipfile.ZipFile | None = None
    member: str = ""

    def content(self) -> bytes:
        """Its bytes. Raises OSError or zipfile.BadZipFile where they cannot be read."""
        if self.archive is None:
            return Path(self.path).read_bytes()
        try:
            return self.archive.read(self.member)
        except KeyError as error:
            raise FileNotFoundError(2, "not in the ZIP", self.member) from error
        except DAMAGED as error:
            raise zipfile.BadZipFile(str(error)) from error

    def stamp(self) -> str:
        """Changes when the picture does: size and time of a file, size and checksum of a ZIP's member; "" where there is none."""
        try:
            if self.archive is not None:
                member = self.archive.getinfo(self.member)
                return f"{member.file_size}-{member.CRC:08x}"
            status = Path(self.path).stat()
        except (OSError, KeyError):
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}"


@contextmanager
def opened(sources: Sequence[Path]) -> Iterator[list[SourceImage]]:
    """Every picture of the sources, in order: by source, then by folder and name, or as a CSV lists them.

    Raises InputError for a source that cannot be used, and for labels that cannot be told apart or make no data set.
    """
    with ExitStack() as open_:
        originals = [original for source in sources for original in _originals(source, open_)]
        _check_labels([original.label for original in originals])
        _check_coins(originals)
        yield [replace(original, label=original.label.strip()) for original in originals]


def _originals(source: Path, open_: ExitStack) -> list[SourceImage]:
    if source.is_dir():
        return _named_as_folders(
            source, [path for path in source.rglob("*") if path.is_file()], source.resolve().name
        )
    if not source.is_file():
        raise InputError(f"{source}: no such file or folder")
    if source.suffix.lower() == ".csv":
        return list(_listed(source, _content(SourceImage(source, "")), None))
    if source.suffix.lower() == ".zip":
        return _zipped(source, open_)
    raise InputError(
        f"{source}: is no folder, CSV or ZIP; put pictures into folders named as their labels"
    )


def _named_as_folders(source: PurePath, paths: Sequence[PurePath], name: str) -> list[SourceImage]:
    """Pictures labelled by the folder that each lies in. Those in the source itself have no label, unless there are no others."""
    pictures = sorted(
        (path for path in paths if _is_picture(path.relative_to(source))),
        key=lambda path: (str(path.parent), _natural(path.name)),
    )
    if not pictures:
        raise InputError(
            f"{source}: holds no pictures ({', '.join(sorted(IMAGES))}); they belong into folders named as their labels"
        )
    if all(path.parent == source for path in pictures):
        return [SourceImage(path, name) for path in pictures]
    return [
        SourceImage(path, path.parent.name if path.parent != source else "") for path in pictures
    ]


def _is_picture(path: PurePath) -> bool:
    """Not what systems put beside pictures, such as __MACOSX/._coin.jpg."""
    return path.suffix.lower() in IMAGES | UNSUPPORTED_SUFFIXES and not any(
        part.startswith((".", "__MACOSX")) for part in path.parts
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts coin_9 before coin_10."""
    return [(int(number or 0), word) for word, number in re.findall(r"(\D*)(\d*)", name)]


def _zipped(source: Path, open_: ExitStack) -> list[SourceImage]:
    archive = _opened_zip(source, open_)
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        _check_member(source, member)
    _check_size(source, members)
    found = {source / member.filename: member.filename for member in members}
    tables = [
        path
        for path in found
        if path.suffix.lower() == ".csv"
        and not path.name.startswith(".")
        and "__MACOSX" not in path.parts
    ]
    if len(tables) > 1:
        raise InputError(
            f"{source}: holds {len(tables)} CSV files; leave one that lists its pictures, or none"
        )
    if tables:
        text = SourceImage(tables[0], "", archive=archive, member=found[tables[0]])
        return [
            _in_zip(original, archive, found)
            for original in _listed(tables[0], _content(text), source)
        ]
    return [
        _in_zip(original, archive, found)
        for original in _named_as_folders(source, list(found), source.stem)
    ]


def _in_zip(
    original: SourceImage, archive: zipfile.ZipFile, found: Mapping[PurePath, str]
) -> SourceImage:
    return replace(original, archive=archive, member=found.get(original.path, str(original.path)))


def _opened_zip(source: Path, open_: ExitStack) -> zipfile.ZipFile:
    try:
        return open_.enter_context(zipfile.ZipFile(source))
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise InputError(f"{source}: is no ZIP that can be read: {error}; pack it again") from error


def _content(text: SourceImage) -> bytes:
    try:
        return text.content()
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{text.path}: cannot be read: {error}; save it again") from error


def _check_member(source: Path, member: zipfile.ZipInfo) -> None:
    """Refuses what leads out of the ZIP, links, what is locked, and what is too large for a picture."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.filename):
        raise InputError(
            f"{source}: a path in it leads out of it: {member.filename!r}; nothing of it is used"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{source}: {member.filename!r} in it is a link; pack the picture itself")
    if member.flag_bits & 1:
        raise InputError(
            f"{source}: {member.filename!r} in it is locked with a password; pack it without"
        )
    if member.file_size > MAX_MEMBER_BYTES:
        raise InputError(
            f"{source}: {member.filename!r} in it swells to {member.file_size / 2**20:.0f} MiB, and no picture needs that"
        )


def _check_size(source: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuses bombs. What members claim is kept to: reading stops at the size claimed."""
    swollen, packed = (
        sum(member.file_size for member in members),
        sum(member.compress_size for member in members),
    )
    if len(members) > MAX_MEMBERS or swollen > MAX_TOTAL_BYTES:
        most = f"{MAX_MEMBERS} of {MAX_TOTAL_BYTES / 2**30:.0f} GiB"
        raise InputError(
            f"{source}: {len(members)} files of {swollen / 2**30:.1f} GiB in it; at most {most} are taken; split it"
        )
    if swollen > RATIO_FREE_BYTES and swollen > MAX_RATIO * packed:
        raise InputError(
            f"{source}: swells {swollen / max(packed, 1):.0f} times when unpacked, as no pictures do; nothing of it is used"
        )


def _listed(table: PurePath, content: bytes, archive: PurePath | None) -> Iterator[SourceImage]:
    """The pictures that a CSV lists; paths are relative to it. In an archive they have to stay within it."""
    try:
        lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        columns = _columns(table, lines.fieldnames or [])
        lines.fieldnames = columns
        rows = [(lines.line_num, row) for row in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: is no CSV in UTF-8: {error}; save it as such") from error
    if not rows:
        raise InputError(
            f"{table}: lists no pictures; below its first line, {','.join(columns)}, each line names one"
        )
    for number, row in rows:
        if None in row or None in row.values():
            raise InputError(
                f"{table}: line {number}: not {len(columns)} values; each line needs {','.join(columns)}"
            )
        yield _original(
            table,
            number,
            {name: value.strip() if name != "label" else value for name, value in row.items()},
            archive,
        )


def _columns(table: PurePath, found: Sequence[str]) -> list[str]:
    columns = [name.strip().lower() for name in found]
    wrong = [name for name in columns if name not in NEEDED + FURTHER]
    if wrong or len(set(columns)) < len(columns) or not set(NEEDED) <= set(columns):
        raise InputError(
            f"{table}: line 1: the columns are {','.join(columns) or 'missing'}; they must be path,label and may be {','.join(FURTHER)}"
        )
    return columns


def _original(
    table: PurePath, number: int, row: Mapping[str, str], archive: PurePath | None
) -> SourceImage:
    side = row.get("side", "").lower()
    if not row["path"]:
        raise InputError(f"{table}: line {number}: no path")
    if side not in (*SIDES, ""):
        raise InputError(
            f"{table}: line {number}: side is {row['side']!r}; it must be {', '.join(SIDES)} or empty"
        )
    path = table.parent / row["path"]
    if archive:
        inside = posixpath.normpath(
            (table.parent.relative_to(archive) / row["path"].replace("\\", "/")).as_posix()
        )
        if inside.startswith(("../", "/")) or inside == "..":
            raise InputError(
                f"{table}: line {number}: {row['path']!r} leads out of the ZIP; nothing of it is used"
            )
        path = archive / inside
    return SourceImage(
        path, row["label"], side, row.get("coin_id", ""), row.get("group", ""), str(table)
    )


def _check_labels(labels: Sequence[str]) -> None:
    """Raises InputError for labels that no folder can be named by, that look alike, or that are fewer than two."""
    spellings: dict[str, str] = {}
    for label in dict.fromkeys(label for label in labels if label.strip()):
        if (
            len(label) > MAX_LABEL_LENGTH
            or label.strip().startswith(".")
            or not label.strip().isprintable()
            or set(label) & set('/\\:*?"<>|')
        ):
            raise InputError(
                f"label {label!r} cannot name a folder; use up to {MAX_LABEL_LENGTH} letters, digits, '_' and '-'"
            )
        plain = "".join(unicodedata.normalize("NFKC", label).casefold().split())
        other = spellings.setdefault(plain, label)
        if other != label:
            raise InputError(
                f"labels {other!r} and {label!r} differ only by case or space; spell them alike if they are one, else name them apart"
            )
    if len(spellings) < 2:
        only = f"only one label, {next(iter(spellings.values()))!r}" if spellings else "no labels"
        raise InputError(
            f"{only}: at least two are needed; put the pictures of each into a folder of its name, or name them in a CSV"
        )


def _check_coins(originals: Sequence[SourceImage]) -> None:
    """Raises InputError for one coin under two labels."""
    labels: dict[tuple[str, str], str] = {}
    for original in originals:
        if original.coin_id and original.label.strip():
            other = labels.setdefault((original.table, original.coin_id), original.label)
            if other != original.label:
                raise InputError(
                    f"{original.table}: coin_id {original.coin_id!r} is labelled {other!r} and {original.label!r}; it can be one of them only"
                )
