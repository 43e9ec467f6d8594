"""The image files below a folder, by their content, and a count of all that is no image.

Endings of names say little: browsers save JPEGs as .jfif or without any. Hidden files, and what
systems put beside images, are counted and not read.
"""

import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath

from coinsorter.files.bounded import open_plain
from coinsorter.images.image_formats import HEAD_BYTES, RAW_SUFFIXES, READ_FORMATS, find_format

#: Endings of images that are read, lower case.
IMAGE_SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
    ".webp",
}
#: Endings of images that are not read; such a file is named, not passed over.
UNREAD_SUFFIXES = RAW_SUFFIXES | {
    ".heic",
    ".heif",
    ".avif",
    ".gif",
    ".jp2",
    ".j2k",
    ".jxl",
    ".psd",
    ".pgm",
    ".ppm",
    ".pbm",
    ".pnm",
    ".exr",
    ".ico",
}
#: What systems put beside images, small letters.
_SYSTEM_NAMES = {
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "system volume information",
}
#: What a folder holds beside images, where no ending tells it.
HIDDEN, NO_ENDING, NO_FILE = "hidden", "without ending", "no plain file"
NOT_OPENED, LINK_BACK = "folder that cannot be opened", "link back to a folder"


@dataclass
class FolderScan:
    """What is below a folder.

    images: files that are images by content or ending, whether they can be read or not.
    passed_over: how many others there are, by ending or by what they are.
    """

    images: list[Path] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


def scan_folder(folder: Path) -> FolderScan:
    """Everything below a folder, links to folders followed, each real folder once."""
    scan = FolderScan()
    for path in _walk(folder, scan.passed_over, set()):
        if is_hidden(path.relative_to(folder)):
            scan.passed_over[HIDDEN] += 1
        elif is_image(path, partial(_read_head, path)):
            scan.images.append(path)
        else:
            scan.passed_over[_describe(path)] += 1
    return scan


def _walk(folder: Path, passed_over: Counter[str], seen: set[tuple[int, int]]) -> Iterator[Path]:
    """All that is no folder below a folder, by name."""
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            entries = _open_once(current, seen)
        except OSError:
            passed_over[NOT_OPENED] += 1
            continue
        if entries is None:
            passed_over[LINK_BACK] += 1
            continue
        folders = [path for path in entries if path.is_dir()]
        waiting += reversed(folders)
        yield from (path for path in entries if path not in set(folders))


def _open_once(folder: Path, seen: set[tuple[int, int]]) -> list[Path] | None:
    """What a folder holds, by name; None where it was opened already. Raises OSError."""
    status = folder.stat()
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return None
    seen.add(identity)
    return sorted(folder.iterdir())


def is_hidden(path: PurePath) -> bool:
    """Whether a file is hidden or what systems put beside images, such as __MACOSX/._coin.jpg."""
    return any(part.startswith(".") or part.casefold() in _SYSTEM_NAMES for part in path.parts)


def is_image(path: PurePath, read_head: Callable[[], bytes]) -> bool:
    """Whether a file is an image by its name's ending or else by how it begins."""
    if path.suffix.lower() in IMAGE_SUFFIXES | UNREAD_SUFFIXES:
        return True
    return find_format(read_head()) in (*READ_FORMATS, "HEIC", "AVIF", "GIF")


def _read_head(path: Path) -> bytes:
    """How a file begins; nothing where it is no plain file or cannot be read."""
    try:
        with open_plain(path) as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _describe(path: Path) -> str:
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        is_file = False
    return describe_ending(path) if is_file else NO_FILE


def describe_ending(path: PurePath) -> str:
    """What a file that is no image is counted as: its name's ending."""
    ending = path.suffix.lower()
    return ending if ending.isprintable() and ending else NO_ENDING


def describe_passed_over(counts: Mapping[str, int]) -> str:
    """What was passed over in words, such as "3 .txt, 1 hidden"; "" where nothing was."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
