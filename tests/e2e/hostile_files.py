"""A hundred hostile files: for each input of a command, everything that is no such input.

`python -m benchmarks.hostile` calls every one as a real process.
"""

import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.conftest import BRL, CONFIG, CROWNS

HUGE_BYTES = 20_000_000_000


def make_huge_png(path: Path) -> None:
    """A PNG of 32,000 x 32,000, whose rows are all zeros."""
    header = struct.pack(">IIBBBBB", 32_000, 32_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000) * 100, 9)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        check = zlib.crc32(name + body).to_bytes(4, "big")
        content += len(body).to_bytes(4, "big") + name + body + check
    path.write_bytes(content)


def make_zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("coins/bit_10/1.png", bytes(400_000_000))


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # its whole path may be too long for a socket
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    finally:
        os.chdir(here)


def make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(HUGE_BYTES)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


#: What makes each kind of hostile file.
KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "socket": make_socket,
    "sparse": make_sparse,
    "loop": make_loop,
    "folder": Path.mkdir,
    "empty": Path.touch,
    "zip-bomb": make_zip_bomb,
    "huge-png": make_huge_png,
    "latin-1": lambda path: path.write_bytes("Münze: größe\n".encode("latin-1")),
    "nul": lambda path: path.write_bytes(bytes(100_000)),
    "deep": lambda path: path.write_text("[" * 100_000),
    "escapes": lambda path: path.write_text("path,label\n\x1b[2J[/b],=1+1\n"),
    "wide": lambda path: path.write_text("path,label" + ",x" * 1_000_000 + "\n"),
    "truncated": lambda path: path.write_bytes((BRL / "classifier.tflite").read_bytes()[:5000]),
}


def list_commands(path: Path) -> dict[str, list[object]]:
    """By the kind of input: the words of a command that reads a hostile file."""
    ready = ["--config", CONFIG]
    return {
        "config": ["check", path],
        "config-of-run": ["run", "--simulate", "--coins", "0", "--config", path],
        "bundle": ["replay", path.parent, "--bundle", path],
        "ledger": ["ledger", "totals", "--ledger", path, *ready],
        "export": ["ledger", "export", "--ledger", path, *ready],
        "verify": ["ledger", "verify", "--ledger", path, *ready],
        "image": ["replay", path.parent, "--bundle", CROWNS],
        "calibration": ["calibrate", "view", path.parent, *ready],
    }


#: Names that the files have, by the kind of input.
NAMES = {"image": "image.png", "calibration": "image.png"}
#: Every pair of an input and a hostile file: 120.
CASES = [(source, kind) for source in list_commands(Path("x")) for kind in KINDS]
