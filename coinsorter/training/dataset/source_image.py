"""One image as a trainer hands it in: where it is, and what its source says of it."""

import lzma
import zipfile
import zlib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from coinsorter.files.bounded import open_plain, read_bounded
from coinsorter.images.image_decoding import MAX_FILE_BYTES

#: What reading a damaged or unusual member of a ZIP raises.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True, eq=False, slots=True)
class SourceImage:
    """One image as it was handed in.

    path: its file, or the path of a ZIP's member below the ZIP's own.
    label: as written, "" where there is none.
    side: "obverse", "reverse" or "" (not known). coin_id, group: as in the CSV, or "".
    table: the CSV whose coins and groups they are, or "".
    archive: the ZIP that it is a member of, or None; member: its name there.
    page, pages: which image of its file it is, from 0, and how many there are.
    problem: why it cannot be there, or "".
    """

    path: PurePath
    label: str
    side: str = ""
    coin_id: str = ""
    group: str = ""
    table: str = ""
    archive: zipfile.ZipFile | None = None
    member: str = ""
    page: int = 0
    pages: int = 1
    problem: str = ""

    @property
    def name(self) -> str:
        """How tables and reports call it: its path, in characters that can be written anywhere."""
        path = str(self.path).encode("utf-8", "backslashreplace").decode()
        return f"{path} page {self.page + 1}" if self.pages > 1 else path

    def read_content(self, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """Its file's bytes. Raises OSError or zipfile.BadZipFile where they cannot be read."""
        if self.archive is None:
            return read_bounded(Path(self.path), max_bytes)
        try:
            with self.archive.open(self.member) as file:
                content = file.read(max_bytes + 1)
        except KeyError as error:
            raise FileNotFoundError(2, "not in the ZIP", self.member) from error
        except ZIP_ERRORS as error:
            raise zipfile.BadZipFile(str(error)) from error
        if len(content) > max_bytes:
            raise OSError(27, f"it is larger than {max_bytes / 1e6:g} MB", self.member)
        return content

    def read_head(self, size: int) -> bytes:
        """How its file begins. Raises OSError or zipfile.BadZipFile where it cannot be read."""
        if self.archive is None:
            with open_plain(Path(self.path)) as file:
                return file.read(size)
        try:
            with self.archive.open(self.member) as member:
                return member.read(size)
        except (KeyError, *ZIP_ERRORS) as error:
            raise zipfile.BadZipFile(str(error)) from error

    def __reduce__(self) -> tuple[Any, ...]:
        """How it goes to another process, which opens the ZIP again."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.archive is not None:
            values["archive"] = Path(str(self.archive.filename))
        return _restore, (values,)

    def fingerprint(self) -> str:
        """Changes when the image does; "" where there is none.

        Size and time of a file, size and checksum of a ZIP's member.
        """
        try:
            if self.archive is not None:
                member = self.archive.getinfo(self.member)
                return f"{member.file_size}-{member.CRC:08x}"
            status = Path(self.path).stat()
        except (OSError, KeyError, ValueError):
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}"


def _restore(values: dict[str, Any]) -> SourceImage:
    path = values["archive"]
    if path is not None:
        values["archive"] = _open_again(path, path.stat().st_mtime_ns)
    return SourceImage(**values)


@lru_cache(maxsize=1)
def _open_again(path: Path, _changed_ns: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
