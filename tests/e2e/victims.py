"""Files and folders that no output may take the place of, in a folder of their own."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from coinsorter.ledger.ledger import Ledger, RunRecord
from tests.conftest import CONFIG, CROWNS


def make_ledger(path: Path) -> None:
    """A real run's ledger with coins in it, and its write-ahead log beside it."""
    Ledger(path, RunRecord("bundle", "digest", "runtime", "batch 7")).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO incidents (at, what, place, remedy) VALUES ('a', 'b', 'c', 'd')"
    )
    connection.commit()
    copies = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}
    connection.close()
    for name, content in copies.items():
        Path(f"{path}{name}").write_bytes(content)


def make_image(path: Path) -> None:
    """A person's photograph, whatever its name says."""
    _, content = cv2.imencode(".png", np.full((40, 40, 3), 90, np.uint8))
    path.write_bytes(content.tobytes())


def make_foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (name)")


#: What makes each kind of file.
PLAIN: dict[str, Callable[[Path], object]] = {
    "ledger": make_ledger,
    "database": make_foreign_database,
    "settings": lambda path: path.write_text(CONFIG.read_text()),
    "manifest": lambda path: shutil.copy(CROWNS / "bundle.yaml", path),
    "model": lambda path: shutil.copy(CROWNS / "classifier.tflite", path),
    "image": make_image,
    "text": lambda path: path.write_text("three years of work"),
}


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("three years of work")


#: What is no plain file at its own name.
SPECIAL: dict[str, Callable[[Path], object]] = {
    "folder": make_folder,
    "model-folder": lambda path: shutil.copytree(CROWNS, path),
    "pipe": os.mkfifo,
}


def place_victim(kind: str, how: str, store: Path, name: Path) -> None:
    """Puts a victim at a name: itself, or a link to it in `store`."""
    if how == "itself":
        (PLAIN | SPECIAL)[kind](name)
        return
    victim = store / f"{kind}.db"
    (PLAIN | SPECIAL)[kind](victim)
    if how == "link":
        name.symlink_to(victim)
    else:
        name.hardlink_to(victim)


def take_inventory(*folders: Path) -> dict[str, object]:
    """What is in folders: the bytes of files, where links lead, the kind of all else."""
    found: dict[str, object] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            found[str(path)] = _describe(path)
    return found


def _describe(path: Path) -> object:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return path.readlink()
    if stat.S_ISREG(mode):
        return path.read_bytes()
    return stat.S_IFMT(mode)
