"""Files of unknown origin: only plain files are read, and no more of them than there may be."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

#: What is no plain file, by the kind in its mode.
FILE_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_BYTES_PER_MB = 1_000_000


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The content of a plain file.

    Raises OSError where it is something else (a pipe, a device, a folder), holds more than
    `max_bytes`, or cannot be read; `strerror` says which.
    """
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise _make_too_large(path, max_bytes)
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:  # it grew, or its size was not its length
        raise _make_too_large(path, max_bytes)
    return content


def open_plain(path: Path) -> BufferedReader:
    """A plain file, open for reading. Raises OSError where it is something else.

    A pipe without a writer is not waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = FILE_KINDS.get(stat.S_IFMT(mode), "no plain file")
            raise OSError(errno.EINVAL, f"it is {kind}, not a plain file", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _make_too_large(path: Path, max_bytes: int) -> OSError:
    megabytes = max_bytes / _BYTES_PER_MB
    return OSError(errno.EFBIG, f"it is larger than {megabytes:g} MB", str(path))
