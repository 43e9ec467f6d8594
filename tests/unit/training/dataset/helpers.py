"""What tests of the data set share: images to prepare, and the command that prepares them."""

import contextlib
import errno
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np

from coinsorter.errors import InputError
from coinsorter.training import train_cli
from coinsorter.training.dataset.dataset import Dataset, Row
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.vision.detect import Search, find_circles

COINS = {"bit_10": 18.0, "crown_20": 27.5}


EACH = 6


PX_PER_MM = 3.0


def write(path: str | Path, pixels: np.ndarray, *options: int) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)
    return path


def prepare(*words: object) -> dict:
    """Runs the command, which has to succeed; what it says to programs."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert train_cli.main(["prepare", *map(str, words), "--out", "set", "--json"]) == 0
    return json.loads(said.getvalue())


def refused(capsys, *words: object) -> str:
    """Runs the command, which has to fail with one line; that line."""
    capsys.readouterr()
    status = train_cli.main(["prepare", *map(str, words), "--out", "set"])
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("coinsorter-train:")]
    assert (status, len(lines), said.out) == (InputError.exit_code, 1, "")
    return lines[0]


def rows() -> dict[str, Row]:
    """The rows of the data set by the name of the file that each came from."""
    return {Path(row.source).name: row for row in Dataset.load(Path("set")).rows}


def files(folder: str | Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def as_crop(pixels: np.ndarray) -> np.ndarray:
    """A frame's coin as a ready crop."""
    (coin,) = (c for c in find_circles(pixels, Search(20, 60, **LENIENT_SEARCH)) if c.quality)
    half = round(1.12 * coin.radius_px)
    x, y = round(coin.x_px), round(coin.y_px)
    padded = cv2.copyMakeBorder(pixels, half, half, half, half, cv2.BORDER_REPLICATE)
    return padded[y : y + 2 * half + 1, x : x + 2 * half + 1]


def listed(lines: list[str], path: str = "list.csv") -> Path:
    Path(path).write_text("\n".join(lines) + "\n")
    return Path(path)


def zipped(path: str, content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, own in content.items():
            archive.writestr(name, own)
    return Path(path)


def blurred(pixels):
    return cv2.GaussianBlur(pixels, (0, 0), 4)


def fill_the_disk(*_) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "set/table.csv")
