"""Which bundles have passed their trial on this machine, so that they are not tried again.

A bundle is known by its digest, together with what it was tried on. Where nothing can be
remembered, or the file is damaged, a bundle is tried again: that costs a second.
"""

import contextlib
import os
import re
from pathlib import Path

from coinsorter.errors import InputError
from coinsorter.files.atomic import replace_file
from coinsorter.files.bounded import read_bounded
from coinsorter.files.ownership import Claim, recognize_any

FILE = "tried-bundles"
#: Trials that are remembered, the latest; more than a machine has bundles.
MAX_TRIALS = 100
#: Bytes of the file: a trial takes some 100.
MAX_BYTES = 50_000
_LINE = re.compile(r"[0-9a-f]{64}( \S+){4}")

#: The file takes the place of an earlier one, a damaged one too; not of a ledger or settings.
_CLAIM = Claim(recognize_any)
#: Those of this process, where no file can be written.
_passed: set[str] = set()


def is_remembered(trial: str) -> bool:
    """Whether a trial was passed before.

    trial: the bundle's digest and what it was tried on, in words with one space between them.
    """
    return trial in _passed or trial in _read_trials()


def remember(trial: str) -> None:
    """Keep in mind that a trial was passed, as far as files can be written here."""
    _passed.add(trial)
    path = _find_file()
    if path is None or not _LINE.fullmatch(trial):
        return
    lines = [*_read_trials(), trial][-MAX_TRIALS:]
    with contextlib.suppress(OSError, InputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path, _CLAIM) as new:
            new.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _read_trials() -> list[str]:
    path = _find_file()
    if path is None:
        return []
    try:
        text = read_bounded(path, MAX_BYTES).decode("ascii", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if _LINE.fullmatch(line)]


def _find_file() -> Path | None:
    """The service's own folder under systemd, else the user's cache; None without a home."""
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return Path(state) / FILE
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(cache) if cache else Path.home() / ".cache"
    except RuntimeError:  # no home
        return None
    return folder / "coinsorter" / FILE
