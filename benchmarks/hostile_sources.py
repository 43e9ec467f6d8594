"""Sources of unknown origin: `python -m benchmarks.hostile_sources` tries to prepare each of them.

Every source is prepared in a process of its own. Printed are its exit status, the seconds of
processor time that it took, the memory that it held at most, and what it said. A source is a fault
where it ends in a traceback, is said in more than one line, writes control characters, takes more
than 300 MB, or more than 5 s above what a harmless source takes. `--quick` leaves out large ones.
"""

import argparse
import os
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measured import run_measured

#: What a process may hold, MB of 1024 * 1024 bytes, and take above a harmless one, seconds.
MAX_MB, MAX_EXTRA_S = 300.0, 5.0
#: Seconds of the clock after which a process is taken to hang, on a busy machine too.
HANG_S = 300.0
#: Stands for the exit status of a process that was given up.
HANG_STATUS = -9
CODE = "import sys; from coinsorter.training.train_cli import main; sys.exit(main(sys.argv[1:]))"
#: Fills a folder with a source's files; returns the words that name the source.
Make = Callable[[Path], list[str]]


@dataclass(frozen=True)
class Outcome:
    """How one source ended.

    said: the last line on standard error. fault: what must not be, "" where nothing is.
    """

    name: str
    status: int
    cpu_s: float
    resident_mb: float
    said: str
    fault: str = ""


def draw_coin(seed: int) -> np.ndarray:
    """A coin with some relief on a plain belt: uint8 (160, 200, 3)."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:160, :200]
    distance = np.hypot(xx - 100, yy - 80)
    relief = cv2.resize(rng.normal(0, 40, (40, 50)), (200, 160), interpolation=cv2.INTER_CUBIC)
    grey = np.where(distance < 45, 170 + relief, 90 + rng.normal(0, 2, distance.shape))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def make_harmless(folder: Path) -> Path:
    """Two labels of four images each, at times far apart."""
    photographs = folder / "photographs"
    for number in range(8):
        path = photographs / ("10c", "25c")[number % 2] / f"x_{1000 + 100 * number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), draw_coin(number))
    return photographs


def png(width: int, height: int, colour: int = 0, bits: int = 8, row: bytes | None = None) -> bytes:
    """A PNG of one level, packed as small as can be."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    line = row or bytes(1 + width * channels * bits // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def claim(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that it has not."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    small = png(40, 40)
    return small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]


def one_file(name: str, make_content: Callable[[], bytes]) -> Make:
    """A source that is harmless but for one file."""

    def make(folder: Path) -> list[str]:
        photographs = make_harmless(folder)
        (photographs / "10c" / name).write_bytes(make_content())
        return [str(photographs)]

    return make


def in_folder(change: Callable[[Path], object]) -> Make:
    """A source that is harmless but for what is done to its folder."""

    def make(folder: Path) -> list[str]:
        photographs = make_harmless(folder)
        change(photographs)
        return [str(photographs)]

    return make


def table(lines: list[str] | bytes) -> Make:
    """A CSV beside harmless images."""

    def make(folder: Path) -> list[str]:
        make_harmless(folder)
        content = lines if isinstance(lines, bytes) else "\n".join(lines).encode() + b"\n"
        (folder / "list.csv").write_bytes(content)
        return [str(folder / "list.csv")]

    return make


#: Lines of a CSV of which all is well.
GOOD_LINES = [
    "path,label",
    *(
        f"photographs/{('10c', '25c')[n % 2]}/x_{1000 + 100 * n}.png,{'ab'[n % 2]}"
        for n in range(8)
    ),
]


def archive(fill: Callable[[zipfile.ZipFile], object], with_images: bool = True) -> Make:
    """A ZIP, of harmless images and something else."""

    def make(folder: Path) -> list[str]:
        photographs = make_harmless(folder)
        path = folder / "coins.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as writer:
            for image in sorted(photographs.rglob("*.png")) if with_images else ():
                writer.write(image, image.relative_to(folder))
            fill(writer)
        return [str(path)]

    return make


def member(name: str, content: bytes) -> Callable[[zipfile.ZipFile], object]:
    """Puts one more file into a ZIP."""
    return lambda writer: writer.writestr(f"photographs/10c/{name}", content)


def sparse(name: str, size: int) -> Make:
    """A source with a file that is large and takes no place on the disk."""

    def make(folder: Path) -> list[str]:
        photographs = make_harmless(folder)
        path = folder / name if name.endswith((".csv", ".zip")) else photographs / "10c" / name
        with path.open("wb") as file:
            file.truncate(size)
        return [str(path if path.parent == folder else photographs)]

    return make


def write_link(writer: zipfile.ZipFile) -> None:
    link = zipfile.ZipInfo("photographs/10c/link.png")
    link.external_attr = 0o120777 << 16
    writer.writestr(link, "/etc/passwd")


def write_many(writer: zipfile.ZipFile, count: int) -> None:
    for number in range(count):
        writer.writestr(f"photographs/10c/{number}.txt", b"")


def make_loop(photographs: Path) -> None:
    (photographs / "10c" / "round").symlink_to(photographs.resolve(), target_is_directory=True)
    (photographs / "10c" / "self.png").symlink_to("self.png")


def make_deep(photographs: Path) -> None:
    deep = photographs / "10c"
    for _ in range(60):
        deep = deep / "deeper"
    deep.mkdir(parents=True)
    (deep / "x_5000.png").write_bytes(png(40, 40))


def rename(name: str) -> Make:
    return in_folder(lambda folder: (folder / "10c").rename(folder / os.fsdecode(name.encode())))


def tiff_of_pages(count: int) -> bytes:
    """A TIFF whose tables lead on and on, each of an image that is not there."""
    content = b"II*\0\x08\0\0\0"
    for number in range(count):
        tags = struct.pack("<HHIIHHII", 256, 4, 1, 5000, 257, 4, 1, 5000)
        after = len(content) + 2 + len(tags) + 4
        content += (
            struct.pack("<H", 2) + tags + struct.pack("<I", 8 if number == count - 1 else after)
        )
    return content


SMALL: dict[str, Make] = {
    "harmless": in_folder(lambda folder: None),
    "claims 32,000 x 32,000": one_file("x.png", lambda: claim(32_000, 32_000)),
    "claims 2^31 x 2^31": one_file("x.png", lambda: claim(2**31 - 1, 2**31 - 1)),
    "claims no pixels": one_file("x.png", lambda: claim(0, 0)),
    "random bytes": one_file("x.jpg", lambda: np.random.default_rng(1).bytes(300_000)),
    "a JPEG's begin, then random": one_file(
        "x.jpg", lambda: b"\xff\xd8\xff\xe0" + np.random.default_rng(1).bytes(300_000)
    ),
    "only marker bytes": one_file("x.jpg", lambda: b"\xff\xd8" + b"\xff" * 3_000_000),
    "a JPEG of empty segments": one_file("x.jpg", lambda: b"\xff\xd8" + b"\xff\xe0\0\2" * 700_000),
    "TIFF that leads round": one_file("x.tif", lambda: tiff_of_pages(3)),
    "TIFF of 100,000 pages": one_file("x.tif", lambda: tiff_of_pages(100_000)),
    "PNG of a million chunks": one_file(
        "x.png", lambda: b"\x89PNG\r\n\x1a\n" + (b"\0\0\0\0teXt" + bytes(4)) * 1_000_000
    ),
    "text called .jpg": one_file("x.jpg", lambda: b"<html>no image</html>"),
    "an empty file": one_file("x.jpg", lambda: b""),
    "a pipe": in_folder(lambda folder: os.mkfifo(folder / "10c" / "x.jpg")),
    "a pipe without ending": in_folder(lambda folder: os.mkfifo(folder / "10c" / "x")),
    "a link to /dev/zero": in_folder(lambda f: (f / "10c" / "x.jpg").symlink_to("/dev/zero")),
    "links that lead round": in_folder(make_loop),
    "60 folders deep": in_folder(make_deep),
    "a name of terminal escapes": one_file("\x1b]0;x\x07\x1b[2J.jpg", lambda: b"no"),
    "a name of two lines": one_file("a\nb.jpg", lambda: b"no"),
    "a name of markup": one_file("[b].jpg", lambda: b"no"),
    "a label of terminal escapes": rename("\x1b[31mred"),
    "a label of two lines": rename("a\nb"),
    "a label that is a formula": rename("=1+1"),
    "a label of markup": rename("[bold]"),
    "a label that Windows keeps": rename("con"),
    "CSV: /dev/zero": table([*GOOD_LINES, "/dev/zero,a"]),
    "CSV: /dev/stdin": table([*GOOD_LINES, "/dev/stdin,a"]),
    "CSV: a folder": table([*GOOD_LINES, "photographs,a"]),
    "CSV: a path with a zero byte": table([*GOOD_LINES, "a\0b.png,a"]),
    "CSV: a path of 100,000 characters": table([*GOOD_LINES, "x" * 100_000 + ",a"]),
    "CSV: a label of escapes": table([*GOOD_LINES, "x.png,\x1b[2J"]),
    "CSV: a label of markup": table([*GOOD_LINES, "x.png,[/b]"]),
    "CSV: a label of 100,000 characters": table([*GOOD_LINES, "x.png," + "x" * 100_000]),
    "CSV: a label of spaces": table([*GOOD_LINES, "photographs/10c/x_1000.png,   "]),
    "CSV: out of its folder": table([*GOOD_LINES, "../../../../etc/passwd,a"]),
    "CSV: one endless line": table(b"path,label\n" + b"x" * 10_000_000),
    "CSV: one endless header": table(b"path,label" + b",x" * 3_000_000),
    "CSV: a quote that does not end": table(b'path,label\n"' + b"x,\n" * 3_000_000),
    "CSV: zeros": table(bytes(100_000)),
    "CSV: none of a great many": table(
        ["path,label", *(f"{n}.png,{n % 7}" for n in range(90_000))]
    ),
    "CSV: a pipe": lambda folder: [os.mkfifo(folder / "x.csv") or str(folder / "x.csv")],
    "ZIP: leads out": archive(lambda writer: writer.writestr("../../x.png", b"")),
    "ZIP: a link": archive(write_link),
    "ZIP: a ZIP": archive(member("inner.zip", b"PK\x03\x04")),
    "ZIP: zeros": archive(member("x.png", bytes(80_000_000))),
    "ZIP: random bytes": lambda folder: [
        str(
            (folder / "x.zip").write_bytes(np.random.default_rng(1).bytes(99_999))
            and folder / "x.zip"
        )
    ],
    "ZIP: a name of escapes": archive(member("\x1b[2J.png", b"no")),
}
LARGE: dict[str, Make] = {
    "27 megapixels": one_file("x.png", lambda: png(6_000, 4_500)),
    "27 megapixels in colour": one_file("x.png", lambda: png(6_000, 4_500, colour=2)),
    "20 megapixels with alpha": one_file("x.png", lambda: png(4_490, 4_490, colour=6)),
    "13 megapixels of 16 bits": one_file("x.png", lambda: png(3_670, 3_670, colour=2, bits=16)),
    "32,000 x 32,000, all there": one_file("x.png", lambda: png(32_000, 32_000)),
    "27 megapixels of noise": one_file(
        "x.jpg",
        lambda: cv2.imencode(
            ".jpg", np.random.default_rng(1).integers(0, 255, (6_000, 4_500, 3), np.uint8)
        )[1].tobytes(),
    ),
    "5 GB of nothing as .jpg": sparse("x.jpg", 5 * 10**9),
    "5 GB of nothing as .csv": sparse("x.csv", 5 * 10**9),
    "5 GB of nothing as .zip": sparse("x.zip", 5 * 10**9),
    "79 MB of nothing as .bmp": sparse("x.bmp", 79 * 10**6),
    "CSV: 16 MB": table(b"path,label\n" + b"photographs/10c/x_1000.png,a\n" * 500_000),
    "ZIP: 99,000 files": archive(lambda writer: write_many(writer, 99_000)),
    "ZIP: 101,000 files": archive(lambda writer: write_many(writer, 101_000)),
}


def try_source(name: str, make: Make) -> Outcome:
    """Prepares one source in a process of its own and a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="coinsorter-hostile-") as place:
        folder = Path(place)
        words = ["prepare", *make(folder), "--out", str(folder / "set")]
        ended = run_measured([sys.executable, "-c", CODE, *words], folder, HANG_S)
    said = (ended.err.strip().splitlines() or [""])[-1]
    status = HANG_STATUS if ended.status is None else ended.status
    fault = find_fault(status, ended.out, ended.err, ended.peak_mb)
    return Outcome(name, status, ended.cpu_s, ended.peak_mb, said, fault)


def find_fault(status: int, out: str, err: str, resident_mb: float) -> str:
    """What must not be; "" where nothing is."""
    complaints = [line for line in err.splitlines() if line.startswith("coinsorter-train:")]
    if "Traceback" in err:
        return "a traceback"
    if status not in (0, 66):
        return f"exit status {status}"
    if len(complaints) != (status != 0):
        return f"{len(complaints)} complaints"
    if any(not (letter.isprintable() or letter in "\n") for letter in out + err):
        return "control characters"
    return f"{resident_mb:.0f} MB" if resident_mb > MAX_MB else ""


def format_outcome(outcome: Outcome) -> str:
    cost = f"{outcome.cpu_s:6.1f} s {outcome.resident_mb:5.0f} MB"
    return f"{outcome.name:34} {outcome.status:3} {cost}  {outcome.said[:150]!r}"


def list_sources(quick: bool) -> dict[str, Make]:
    """The sources by name, the harmless one first."""
    return SMALL if quick else SMALL | LARGE


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.hostile_sources", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only sources of a few megabytes")
    parser.add_argument("--only", default="", metavar="WORD", help="only sources called so")
    options = parser.parse_args(arguments)
    harmless = try_source("harmless", SMALL["harmless"])
    outcomes = []
    for name, make in list_sources(options.quick).items():
        if options.only in name:
            outcomes.append(try_source(name, make))
            print(format_outcome(outcomes[-1]), flush=True)
    slow = [each for each in outcomes if each.cpu_s > harmless.cpu_s + MAX_EXTRA_S]
    for each in outcomes:
        if each.fault or each in slow:
            print(f"FAULT: {each.name}: {each.fault or 'too slow'}")
    faults = sum(bool(each.fault) for each in outcomes) + len(slow)
    print(f"{len(outcomes)} sources, {faults} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
