"""Pictures on disk as frames: one after the other as fast as they are asked for, or shown as a live camera would."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from coinsorter.errors import CameraError
from coinsorter.images import read_image
from coinsorter.records import Frame


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
            pixels = read_image(path)
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
        pixels = read_image(path)
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
