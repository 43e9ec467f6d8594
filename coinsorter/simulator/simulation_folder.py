"""A simulated run's own folder: its ledger and its sheet never take the place of others' files."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from coinsorter.files.ownership import Claim, is_ledger, is_same_file, recognize_mark
from coinsorter.ledger.database_file import BUSY_TIMEOUT_S
from coinsorter.ledger.ledger import SIMULATED_NOTE
from coinsorter.simulator.simulation_report import MAKER

LEDGER = "ledger.db"
SHEET = "contact-sheet.png"
#: What SQLite appends to the name of a ledger for its journals.
JOURNAL_SUFFIXES = ("-wal", "-shm", "-journal")
#: Bytes of a ledger and its journal that are copied to be looked at; a simulated run has few.
MAX_COPIED_BYTES = 500_000_000
REMEDY = "name another folder with --out"

_COUNT_RUNS = "SELECT count(*), ifnull(sum(note GLOB ?), 0) FROM runs"


def make_claim(config: Path, force: bool) -> Claim:
    """What the contact sheet may take the place of: earlier ones. config: the settings' file."""
    return Claim(recognize_mark(MAKER), REMEDY, (config,), force)


def check_ledger(path: Path, machine_ledger: Path) -> None:
    """Raises InputError where a simulated run's ledger may not be at a path.

    That is where another file is, or a ledger that any real run wrote to. machine_ledger: where the
    real machine has its own.
    """
    claim = Claim(remedy=REMEDY)
    if is_same_file(path, machine_ledger):
        raise claim.refuse(path, "is the machine's own ledger (ledger.path in its settings)")
    if not os.path.lexists(path):
        _check_journals(path, claim)
    elif not path.exists():
        raise claim.refuse(path, "is a link that leads nowhere")
    elif path.is_file() and not _is_empty(path) and not is_simulated(path):
        raise claim.refuse(path, "is no simulated run's ledger")


def is_simulated(path: Path) -> bool:
    """Whether a file is a ledger that simulated runs alone wrote to. Nothing beside it is touched.

    A ledger too large to be looked at with its journal counts as a real one.
    """
    if not is_ledger(path):
        return False
    journal = path.resolve().with_name(path.resolve().name + JOURNAL_SUFFIXES[0])
    try:
        if not journal.exists():
            return _has_simulated_runs_only(path)
        if path.stat().st_size + journal.stat().st_size > MAX_COPIED_BYTES:
            return False
        with tempfile.TemporaryDirectory(prefix="coinsorter-") as folder:
            copy = Path(folder) / LEDGER
            shutil.copyfile(path, copy)
            shutil.copyfile(journal, copy.with_name(copy.name + JOURNAL_SUFFIXES[0]))
            return _has_simulated_runs_only(copy, "mode=rw")
    except OSError:
        return False


def _has_simulated_runs_only(path: Path, mode: str = "immutable=1") -> bool:
    address = f"{path.resolve().as_uri()}?{mode}"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
            runs, simulated = connection.execute(_COUNT_RUNS, (f"{SIMULATED_NOTE}*",)).fetchone()
            (coins,) = connection.execute("SELECT count(*) FROM coins").fetchone()
    except sqlite3.Error:
        return False
    return bool(runs == simulated and (runs or not coins))


def _check_journals(path: Path, claim: Claim) -> None:
    """A journal without its ledger may be all that is left of one."""
    for suffix in JOURNAL_SUFFIXES:
        journal = path.with_name(path.name + suffix)
        if os.path.lexists(journal):
            raise claim.refuse(journal, "is the journal of a ledger that is not there")


def _is_empty(path: Path) -> bool:
    """Whether a file holds nothing, and no journal holds anything for it."""
    journals = [path.with_name(path.name + suffix) for suffix in JOURNAL_SUFFIXES]
    return path.stat().st_size == 0 and not any(map(os.path.lexists, journals))
