"""Pictures on disk as frames: one after the other as fast as they are asked for, or shown as a live camera would."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from coinsorter.errors import CameraError, InputError
from coinsorter.records import Frame

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


class FolderCamera:
    """The pictures of a folder as frames, frame_s apart; what cannot be read is left out and named in `unreadable`."""

    def __init__(self, paths: Iterable[Path], frame_s: float) -> None:
        self._all = list(paths)
        self._paths: Iterator[tuple[int, Path]] = enumerate(self._all)
        self._frame_s = frame_s
        self.heartbeat_s = 0.0
        self.unreadable: list[Path] = []

    def next_frame(self) -> Frame | None:
        for number, path in self._paths:
            pixels = read_picture(path)
            if pixels is not None:
                self.heartbeat_s = number * self._frame_s
                return Frame(pixels, number, self.heartbeat_s)
            self.unreadable.append(path)
        return None

    def reopen(self) -> None:
        """Goes on where it was: a folder does not break."""

    def close(self) -> None:
        self._paths = iter(())


class LoopedFolderCamera:
    """Pictures shown in their order, frames_per_s of them a second, again and again.

    As with a live camera, a picture that nobody asked for in its time is gone. Pictures keep their size.
    now_s, sleep: the monotonic clock, and what waits for it.
    """

    def __init__(
        self,
        paths: list[Path],
        frames_per_s: float,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._paths = paths
        self._frame_s = 1 / frames_per_s
        self._now_s, self._sleep = now_s, sleep
        self._start_s = self.heartbeat_s = now_s()
        self._number = -1

    def next_frame(self) -> Frame:
        now_s = self._now_s()
        self._number = max(self._number + 1, int((now_s - self._start_s) / self._frame_s))
        taken_s = self._start_s + self._number * self._frame_s
        if taken_s > now_s:
            self._sleep(taken_s - now_s)
        path = self._paths[self._number % len(self._paths)]
        pixels = read_picture(path)
        if pixels is None:
            raise CameraError(
                f"{path}: is no picture that can be read; take it out of camera.folder, then start again"
            )
        self.heartbeat_s = self._now_s()
        return Frame(pixels, self._number, taken_s)

    def reopen(self) -> None:
        """Goes on where it was: a folder does not break."""

    def close(self) -> None:
        """Nothing is held."""


def read_picture(path: Path) -> np.ndarray | None:
    """A picture file as uint8 (h, w, 3) RGB; None where it is no picture that OpenCV can read."""
    try:
        return decode(path.read_bytes())
    except OSError:
        return None


def decode(content: bytes) -> np.ndarray | None:
    """A picture file's content as uint8 (h, w, 3) RGB, the right way up; None where it is no picture that OpenCV can read."""
    try:
        pixels = (
            cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        )
    except cv2.error:  # where it claims to be absurdly large
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def picture_paths(folder: Path) -> list[Path]:
    """Every picture below a folder, in the order they were taken: by the last number in the name (a time or a count), then by path.

    Raises InputError where the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = [
        path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file()
    ]
    if not paths:
        raise InputError(f"{folder}: holds no pictures ({', '.join(sorted(PICTURES))})")
    return sorted(paths, key=lambda path: (last_number(path.stem), str(path)))


def last_number(name: str) -> int:
    """The last number in a name, a time or a count; -1 where there is none."""
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else -1
