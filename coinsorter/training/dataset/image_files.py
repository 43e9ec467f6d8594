"""A data set's image files: which are its own, and that others' are neither replaced nor removed.

Its own are those that its table or its log names, as plain files in its folder for images.
"""

import csv
import os
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from pathlib import Path, PurePosixPath

import numpy as np

from coinsorter.errors import InputError
from coinsorter.files.bounded import open_plain, read_bounded
from coinsorter.images.image_io import encode_image
from coinsorter.training.dataset.dataset import IMAGES, TABLE, hash_bytes, join_name
from coinsorter.training.dataset.resume_log import read_entries

#: Names in an image's path: the folder for images, the label, the file.
_DEPTH = 3


def list_own_files(out: Path, log: Path) -> set[str]:
    """The images that a data set's table, whatever version wrote it, and its log name."""
    names = _list_table(out / TABLE) | list_logged_files(log)
    return {name for name in names if _is_image_name(name)}


def list_logged_files(log: Path) -> set[str]:
    """The images that a log on disk names; see `list_files`."""
    return list_files(read_entries(log))


def list_files(entries: Mapping[str, object]) -> set[str]:
    """The images that a log's entries name, and what joins two faces of them."""
    names = {_read_name(entry) for entry in entries.values()} - {""}
    return names | {join_name(name) for name in names}


def remove_files(out: Path, names: Iterable[str]) -> None:
    """Removes images of a data set, and folders that are empty then. Links stay."""
    for name in names:
        if not (_is_image_name(name) and _is_plain(out, name)):
            continue
        (out / name).unlink()
        if not any((out / name).parent.iterdir()):
            (out / name).parent.rmdir()


def write_png(out: Path, name: str, pixels: np.ndarray) -> str:
    """Writes uint8 (h, w, 3) RGB as a PNG into a data set; see `write_content`."""
    return write_content(out, name, encode_image(pixels, ".png"))


def write_content(out: Path, name: str, content: bytes) -> str:
    """Writes an image's file into a data set; returns its SHA-256.

    Raises InputError where a file of others has that name.
    """
    path = out / name
    _check_folders(out, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        _check_torn(path, content)
    path.write_bytes(content)
    return hash_bytes(content)


def _check_torn(path: Path, content: bytes) -> None:
    """Raises InputError for a file that is no beginning of the content: a killed run leaves one."""
    try:
        is_begun = not path.is_symlink() and content.startswith(read_bounded(path, len(content)))
    except OSError:
        is_begun = False
    if not is_begun:
        raise _refuse(path, "is a file that this command did not make")


def _check_folders(out: Path, path: Path) -> None:
    for folder in (out / IMAGES, path.parent):
        if folder.is_symlink():
            raise _refuse(folder, "is a link")


def _refuse(path: Path, fault: str) -> InputError:
    return InputError(f"{path}: {fault} and is not replaced; move it away, or name another folder")


def _list_table(path: Path) -> set[str]:
    try:
        with open_plain(path) as content, TextIOWrapper(content, "utf-8", newline="") as file:
            return {line.get("picture") or "" for line in csv.DictReader(file)}
    except (OSError, ValueError, csv.Error):
        return set()


def _read_name(entry: object) -> str:
    row = entry.get("row") if isinstance(entry, dict) else None
    name = row.get("picture") if isinstance(row, dict) else None
    return name if isinstance(name, str) else ""


def _is_image_name(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) == _DEPTH and parts[0] == IMAGES and ".." not in parts and "\0" not in name


def _is_plain(out: Path, name: str) -> bool:
    path = out / name
    links = [place for place in (path, path.parent, out / IMAGES) if place.is_symlink()]
    return not links and path.is_file()
