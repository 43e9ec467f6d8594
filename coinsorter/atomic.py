"""A folder that is there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coinsorter.errors import InputError


@contextmanager
def folder(out: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `out` when all went well; else nothing is changed.

    Raises InputError where it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as spare:
            new, old = Path(spare) / "new", Path(spare) / "old"
            new.mkdir()
            yield new
            if out.exists():
                os.replace(out, old)
            os.replace(new, out)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written: {error.strerror or error}; nothing was changed there"
        ) from error
