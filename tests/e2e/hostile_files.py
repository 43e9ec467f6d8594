"""Hostile files: for each kind of input, everything that is no such input, or too much of it.

`tests/e2e/hostile_inputs.py` says which command reads which; `python -m benchmarks.hostile` calls
every one as a real process.
"""

import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.conftest import BRL

HUGE_BYTES = 20_000_000_000
_PIECE = bytes(1_000_000)
#: Members of a ZIP, above what `prepare` reads.
MANY_MEMBERS = 101_000

Make = Callable[[Path], object]


def text(*lines: str) -> Make:
    """Writes some lines."""
    return lambda path: path.write_text("\n".join(lines) + "\n")


def binary(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


# --- what is no plain file, or has no sense


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


SPECIAL: dict[str, Make] = {
    "pipe": os.mkfifo,
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "socket": make_socket,
    "sparse": make_sparse,
    "loop": lambda path: path.symlink_to(path.name),
    "folder": Path.mkdir,
}
GARBAGE: dict[str, Make] = {
    "empty": Path.touch,
    "latin-1": binary("Münze: größe\n".encode("latin-1")),
    "nul": binary(bytes(100_000)),
    "deep": text("[" * 100_000),
    "escapes": text("path,label", "\x1b[2J[/b],=1+1"),
    "truncated": lambda path: path.write_bytes((BRL / "classifier.tflite").read_bytes()[:5000]),
    "random": lambda path: path.write_bytes(os.urandom(300_000)),
}

# --- YAML: settings, recipes, manifests of bundles and data sets

YAML: dict[str, Make] = {
    "aliases": text(
        "a0: &a0 [x, x]", *(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]" for n in range(1, 9))
    ),
    "tags": text("format: !!python/object/apply:os.system ['touch hacked']"),
    "integer": text(f"format: {'9' * 100_000}"),
    "float": text("format: 1e999999"),
    "braces": text("{a: " * 50_000),
    "wide-list": text("labels: [" + "1, " * 60_000 + "]"),
    "many-keys": text(*(f"k{number}: 1" for number in range(20_000))),
    "same-keys": text(*["format: 1"] * 20_000),
    "endless-line": text("name: " + "x" * 5_000_000),
    "indented": text(*(f"{' ' * number}a:" for number in range(1000))),
    "yaml-escapes": text('name: "\\e[2J[/b]"', "labels: [\u202egpj]"),
}

# --- CSV


def rows(*lines: str) -> Make:
    """A CSV of two images of the place, and some hostile lines."""
    good = [
        f"photographs/{label}/coin_{n}.png,{label}"
        for label in ("bit_10", "crown_2")
        for n in (0, 1)
    ]
    return text("path,label", *good, *lines)


CSV: dict[str, Make] = {
    "wide": text("path,label" + ",x" * 1_000_000),
    "cell": rows("x" * 200_000 + ",a"),
    "quote": text('path,label\n"' + "x,\n" * 1_000_000),
    "devices": rows("/dev/zero,a", "/dev/stdin,a", "/dev/tty,b"),
    "traversal": rows("../../../../../../etc/passwd,a", "/etc/shadow,b"),
    "formulas": rows("\"=cmd|'/c calc'!A1\",=1+1", "@SUM(A1),-5"),
    "nul-in-path": rows("a\0b.png,a"),
    "csv-escapes": rows("\x1b]0;x\x07.png,\x1b[2J", "[/b].png,[/b]"),
    "long-label": rows("photographs/bit_10/coin_0.png," + "x" * 100_000),
    "many-labels": text("path,label", *(f"{n}.png,l{n}" for n in range(50_000))),
    "utf-16": lambda path: path.write_bytes(
        "path,label\n\udcffx,a\n".encode("utf-16", "surrogatepass")
    ),
}

# --- ZIP


def archive(write: Callable[[zipfile.ZipFile], object]) -> Make:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            write(opened)

    return make


def write_pieces(name: str, count: int) -> Callable[[zipfile.ZipFile], None]:
    """Packs so many megabytes of zeros, a megabyte at a time."""

    def write(opened: zipfile.ZipFile) -> None:
        with opened.open(name, "w", force_zip64=True) as file:
            for _ in range(count):
                file.write(_PIECE)

    return write


def write_members(*names: str) -> Callable[[zipfile.ZipFile], None]:
    def write(opened: zipfile.ZipFile) -> None:
        for name in names:
            opened.writestr(name, b"hostile")

    return write


def write_many(opened: zipfile.ZipFile) -> None:
    for number in range(MANY_MEMBERS):
        opened.writestr(f"bit_10/{number}.png", b"")


def write_link(opened: zipfile.ZipFile) -> None:
    for name, target in {"bit_10/1.png": "/etc/passwd", "bit_10/2.png": "/dev/zero"}.items():
        link = zipfile.ZipInfo(name)
        link.external_attr = 0o120777 << 16
        opened.writestr(link, target)


def write_nested(opened: zipfile.ZipFile) -> None:
    content = b"PK\x05\x06" + bytes(18)
    for number in range(100):
        opened.writestr(f"bit_10/{number}.zip", content)


def patched(make: Make, marks: Iterable[tuple[bytes, int, bytes]]) -> Make:
    """A ZIP with other bytes so far behind each occurrence of a mark."""

    def change(path: Path) -> None:
        make(path)
        content = bytearray(path.read_bytes())
        for mark, offset, new in marks:
            place = content.find(mark)
            while place >= 0:
                content[place + offset : place + offset + len(new)] = new
                place = content.find(mark, place + 4)
        path.write_bytes(content)

    return change


_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
_PLAIN = archive(write_members("bit_10/1.png", "crown_2/2.png"))
ZIP: dict[str, Make] = {
    "zip-bomb": archive(write_pieces("coins/bit_10/1.png", 400)),
    "zip-csv-bomb": archive(write_pieces("list.csv", 400)),
    "zip-traversal": archive(write_members("../../victim/x.png", "bit_10/1.png")),
    "zip-absolute": archive(write_members("/tmp/coinsorter-hostile.png")),
    "zip-backslash": archive(write_members("..\\..\\victim\\x.png", "c:\\x.png")),
    "zip-encrypted": patched(_PLAIN, [(_LOCAL, 6, b"\1"), (_CENTRAL, 8, b"\1")]),
    "zip-method": patched(_PLAIN, [(_LOCAL, 8, b"\x63"), (_CENTRAL, 10, b"\x63")]),
    "zip-lies": patched(_PLAIN, [(_CENTRAL, 24, b"\1\0\0\0"), (_LOCAL, 22, b"\1\0\0\0")]),
    "zip-offset": patched(_PLAIN, [(_CENTRAL, 42, b"\xff\xff\xff\x7f")]),
    "zip-many": archive(write_many),
    "zip-nested": archive(write_nested),
    "zip-link": archive(write_link),
    "zip-escapes": archive(write_members("\x1b[2J/1.png", "[/b]/\x1b]0;x\x07.png")),
    "zip-case": archive(write_members("a/1.png", "A/1.PNG", "a/1.png/2.png")),
    "zip-empty": archive(lambda opened: None),
    "zip-start": binary(_LOCAL + bytes(1000)),
}

# --- images


def chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(name + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + name + body + check


def png(width: int, height: int, rows_packed: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", rows_packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)


def make_huge_png(path: Path) -> None:
    """A PNG of 32,000 x 32,000, whose rows are all zeros."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(_PIECE) for _ in range(100)) + packer.flush()
    path.write_bytes(png(32_000, 32_000, packed))


IMAGES: dict[str, Make] = {
    "huge-png": make_huge_png,
    "png-claims": binary(png(2**31 - 1, 2**31 - 1, b"")),
    "png-no-pixels": binary(png(0, 0, b"")),
    "png-chunks": binary(b"\x89PNG\r\n\x1a\n" + chunk(b"teXt", b"") * 500_000),
    "jpeg-segments": binary(b"\xff\xd8" + b"\xff\xe0\0\2" * 500_000),
    "jpeg-random": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + os.urandom(300_000)),
    "tiff-round": binary(b"II*\0\x08\0\0\0\0\0\x08\0\0\0"),
    "text-image": text("<svg onload='alert(1)'/>"),
    "bmp-claims": binary(b"BM" + struct.pack("<IIIIii", 100, 0, 54, 40, 2**30, 2**30) + bytes(90)),
}

# --- arrays of a bundle


def npy(header: str) -> bytes:
    body = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


def write_others(opened: zipfile.ZipFile) -> None:
    """The arrays of a bundle's golden file beside its crops, each of one number."""
    for name, shape in {"logits": "(1, 1)", "errors": "(1,)"}.items():
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
        opened.writestr(f"{name}.npy", npy(header) + bytes(4))


def write_bomb(opened: zipfile.ZipFile) -> None:
    write_pieces("crops.npy", 400)(opened)
    write_others(opened)


def write_claim(opened: zipfile.ZipFile) -> None:
    shape = "(1000000000, 64, 64, 3)"
    opened.writestr(
        "crops.npy", npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}")
    )
    write_others(opened)


def write_pickle(opened: zipfile.ZipFile) -> None:
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    opened.writestr("crops.npy", npy(header) + b"cos\nsystem\n(S'touch hacked'\ntR.")
    write_others(opened)


ARRAYS: dict[str, Make] = {
    "npz-bomb": archive(write_bomb),
    "npz-claims": archive(write_claim),
    "npz-pickle": archive(write_pickle),
    "npz-many": archive(write_many),
    "npz-names": archive(write_members("../crops.npy", "/crops.npy")),
}

# --- a data set's table: what it says of its first image


def edit(column: str, cell: str) -> Make:
    """Another cell in the second line of a CSV."""

    def change(path: Path) -> None:
        lines = path.read_text().splitlines()
        cells = lines[1].split(",")
        cells[lines[0].split(",").index(column)] = cell
        lines[1] = ",".join(cells)
        path.write_text("\n".join(lines) + "\n")

    return change


#: These change the file that is there; all others take its place.
TABLE: dict[str, Make] = {
    "table-device": edit("picture", "/dev/zero"),
    "table-traversal": edit("picture", "../../../../../../etc/passwd"),
    "table-nul": edit("picture", "pictures/a/\0.png"),
    "table-integer": edit("group", "9" * 100_000),
    "table-nan": edit("radius_px", "nan"),
    "table-escapes": edit("label", "\x1b[2J[/b]"),
    "table-cell": edit("detail", "x" * 200_000),
}

# --- a value of an option

WORDS: dict[str, str] = {
    "no-value": "classifier.epochs",
    "no-key": "=1",
    "unknown": "__class__.__init__=1",
    "deep-key": ".".join("a" * 20_000) + "=1",
    "deep-value": "classifier.epochs=" + "[" * 50_000,
    "word-integer": "classifier.epochs=" + "9" * 100_000,
    "word-nan": "classifier.epochs=.nan",
    "word-tag": "name=!!python/object/apply:os.system ['touch hacked']",
    "word-aliases": "name=&a [*a, *a]",
    "word-escapes": "\x1b[2J[/b]=1",
    "word-lines": "name=a\nb: c",
    "word-no-utf-8": "name=\udcff\udcfe",
    "word-index": "labels.99999999999999999999=1",
    "word-list": "labels=[1]",
}
