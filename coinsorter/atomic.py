"""Files and folders that are there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from coinsorter.errors import InputError


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """A path to write a file to, which takes the place of `path` when all went well.

    It lies in the same folder, so that it is renamed and not copied, and has the same ending, by
    which some libraries choose the format. Raises OSError where it cannot be renamed.
    """
    part = path.with_name(f"part-{path.name}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def write_file(path: Path, remedy: str = "name another file") -> Iterator[TextIO]:
    """A UTF-8 text file to write to, which takes the place of `path` when all went well.

    It is on the disk before it takes that place. A link is followed; what is no plain file, such as
    a device, is written to as it is. remedy: what the message of the error advises. Raises
    InputError where the file cannot be written.
    """
    is_device = path.exists() and not path.is_file()
    path = path.resolve()
    try:
        if is_device:
            with _open_text(path) as file:
                yield file
        else:
            with replace_file(path) as new, _open_text(new) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}; {remedy}") from error


def _open_text(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="")


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `path` when all went well.

    Else nothing is changed. Raises InputError where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as spare:
            new, old = Path(spare) / "new", Path(spare) / "old"
            new.mkdir()
            yield new
            if path.exists():
                path.replace(old)
            new.replace(path)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{path}: cannot be written: {reason}; nothing was changed there"
        ) from error
