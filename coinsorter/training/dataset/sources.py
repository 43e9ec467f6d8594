"""What a trainer hands in -> the images in it, one after the other.

A source is a folder with folders named as labels, a CSV, or a ZIP of either. Every file in it is an
image or counted as something else.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from coinsorter.errors import ImageError, InputError
from coinsorter.images.image_folder import describe_passed_over, scan_folder
from coinsorter.images.image_formats import HEAD_BYTES, READ_FORMATS, TIFF, find_format, read_pages
from coinsorter.images.label_folders import place_images
from coinsorter.training.dataset.labels import check_coins, check_labels, normalize_label
from coinsorter.training.dataset.path_finder import ArchiveFiles, FolderFiles
from coinsorter.training.dataset.source_image import SourceImage
from coinsorter.training.dataset.table_source import MAX_TABLE_BYTES, check_some_exist, list_table
from coinsorter.training.dataset.zip_source import OpenedZip, find_table, open_zip


@dataclass
class OpenedSources:
    """All that is in some sources.

    images: in order, by source, then by folder and name, or as a CSV lists them.
    passed_over: how many files are no images, by ending.
    """

    images: list[SourceImage] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


@contextmanager
def open_sources(
    sources: Sequence[Path], label_level: int | None = None
) -> Iterator[OpenedSources]:
    """All images of the sources, and how many other files there are.

    label_level: of the folders that are named as labels, see `label_folders.place_images`. Raises
    InputError for a source that cannot be used, and for labels that cannot be distinguished or make
    no data set.
    """
    with ExitStack() as archives:
        opened = OpenedSources()
        for source in sources:
            listed = _list_source(source, archives, label_level, opened.passed_over)
            opened.images += [page for image in listed for page in _list_pages(image)]
        check_labels([image.label for image in opened.images])
        check_coins(opened.images)
        check_some_exist(opened.images)
        opened.images = [
            replace(image, label=normalize_label(image.label)) for image in opened.images
        ]
        yield opened


def _list_source(
    source: Path, archives: ExitStack, label_level: int | None, passed_over: Counter[str]
) -> list[SourceImage]:
    if source.is_dir():
        scan = scan_folder(source)
        passed_over += scan.passed_over
        name = source.resolve().name
        return _list_folder(source, scan.images, name, label_level, scan.passed_over)
    if not source.is_file():
        raise InputError(f"{source}: no such file or folder")
    if source.suffix.lower() == ".csv":
        content = _read_table(SourceImage(source, ""))
        return list_table(source, content, _FilesBesideTable(FolderFiles(source.parent)))
    if source.suffix.lower() == ".zip":
        return _list_zip(source, archives, label_level, passed_over)
    raise InputError(
        f"{source}: is no folder, CSV or ZIP; put images into folders named as their labels"
    )


def _list_folder(
    source: PurePath,
    images: Sequence[PurePath],
    name: str,
    label_level: int | None,
    passed_over: Counter[str],
) -> list[SourceImage]:
    """Images labelled by the folders that each lies in.

    Those in the source itself have no label, unless there are no others.
    """
    if not images:
        others = describe_passed_over(passed_over)
        beside = f"; passed over: {others}" if others else ""
        raise InputError(
            f"{source}: holds no images ({', '.join(READ_FORMATS)}); "
            f"they belong into folders named as their labels{beside}"
        )
    ordered = sorted(images, key=lambda path: (str(path.parent), _natural_key(path.name)))
    if all(path.parent == source for path in ordered):
        return [SourceImage(path, name) for path in ordered]
    folders = [path.parent.relative_to(source).parts for path in ordered]
    placements = place_images(source, folders, label_level)
    return [
        SourceImage(path, placement.label, placement.side)
        for path, placement in zip(ordered, placements)
    ]


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts coin_9 before coin_10."""
    return [(int(number or 0), word) for word, number in re.findall(r"(\D*)([0-9]*)", name)]


def _list_zip(
    source: Path, archives: ExitStack, label_level: int | None, passed_over: Counter[str]
) -> list[SourceImage]:
    opened = open_zip(source, archives)
    passed_over += opened.passed_over
    table = find_table(source, opened)
    if table is None:
        paths = list(opened.images)
        images = _list_folder(source, paths, source.stem, label_level, opened.passed_over)
        return [
            replace(image, archive=opened.archive, member=opened.images[Path(image.path)])
            for image in images
        ]
    content = _read_table(
        SourceImage(table, "", archive=opened.archive, member=opened.tables[table])
    )
    listed = list_table(table, content, _FilesInZip(source, table, opened))
    return [replace(image, archive=opened.archive) for image in listed]


def _read_table(table: SourceImage) -> bytes:
    try:
        return table.read_content(MAX_TABLE_BYTES)
    except OSError as error:
        reason = error.strerror or str(error)
    except zipfile.BadZipFile as error:
        reason = str(error)
    raise InputError(f"{table.path}: cannot be read: {reason}; save it again, or split it")


class _FilesBesideTable:
    """Images' files by the paths of a CSV that lies in a folder."""

    def __init__(self, files: FolderFiles) -> None:
        self._files = files

    def locate(self, where: str, path: str) -> tuple[PurePath, str] | None:
        file = self._files.find(path)
        return (file, "") if file else None


class _FilesInZip:
    """Images' members by the paths of a CSV that lies in the same ZIP."""

    def __init__(self, source: Path, table: Path, opened: OpenedZip) -> None:
        base = table.parent.relative_to(source).as_posix()
        names = [*opened.images.values(), *opened.archive.namelist()]
        self._source = source
        self._files = ArchiveFiles("" if base == "." else base, names)

    def locate(self, where: str, path: str) -> tuple[PurePath, str] | None:
        name = self._files.find(path)
        if name is None and self._files.leads_out(path):
            raise InputError(f"{where}: {path!r} leads out of the ZIP; nothing of it is used")
        return (self._source / name.replace("\\", "/"), name) if name else None


def _list_pages(image: SourceImage) -> list[SourceImage]:
    """An image as it is or, of a file that holds several, each of them."""
    pages = _count_pages(image)
    if pages == 1:
        return [image]
    return [replace(image, page=page, pages=pages) for page in range(pages)]


def _count_pages(image: SourceImage) -> int:
    if image.problem:
        return 1
    try:
        if find_format(image.read_head(HEAD_BYTES)) != TIFF:
            return 1
        return len(read_pages(image.read_content())[1])
    except (OSError, zipfile.BadZipFile, ImageError):
        return 1
