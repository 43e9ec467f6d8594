"""Image files as frames: one after the other as fast as they are wanted, or at a camera's rate."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from coinsorter.errors import CameraError, ImageError
from coinsorter.images.image_io import load_image
from coinsorter.records import Frame


class FolderCamera:
    """Image files as frames, each once, as fast as they are wanted.

    paths: the files, in their order. frame_s: seconds between two frames' times. Files that cannot
    be read are left out; `unreadable` says why.
    """

    def __init__(self, paths: Iterable[Path], frame_s: float) -> None:
        self._paths: Iterator[tuple[int, Path]] = enumerate(list(paths))
        self._frame_s = frame_s
        self.heartbeat_s = 0.0
        self.unreadable: dict[Path, str] = {}

    def next_frame(self) -> Frame | None:
        """The next image that can be read; None when there are no more."""
        for number, path in self._paths:
            try:
                pixels = load_image(path)
            except ImageError as error:
                self.unreadable[path] = str(error)
                continue
            self.heartbeat_s = number * self._frame_s
            return Frame(pixels, number, self.heartbeat_s)
        return None

    def reopen(self) -> None:
        """Goes on where it was: a folder does not break."""

    def close(self) -> None:
        """Ends the frames; safe to call twice."""
        self._paths = iter(())


class LoopedFolderCamera:
    """Image files as frames at a live camera's rate, in their order, again and again.

    As with a live camera, a frame that is not taken in its time is gone. Images keep their size.
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
        self._now_s = now_s
        self._sleep = sleep
        self._start_s = now_s()
        self.heartbeat_s = self._start_s
        self._number = -1

    def next_frame(self) -> Frame:
        """The next frame; waits for its time. Raises CameraError for a file that is no image."""
        now_s = self._now_s()
        elapsed_frames = int((now_s - self._start_s) / self._frame_s)
        self._number = max(self._number + 1, elapsed_frames)
        taken_s = self._start_s + self._number * self._frame_s
        if taken_s > now_s:
            self._sleep(taken_s - now_s)
        path = self._paths[self._number % len(self._paths)]
        try:
            pixels = load_image(path)
        except ImageError as error:
            remedy = "take it out of camera.folder, then start again"
            raise CameraError(f"{path}: cannot be read: {error}; {remedy}") from error
        self.heartbeat_s = self._now_s()
        return Frame(pixels, self._number, taken_s)

    def reopen(self) -> None:
        """Goes on where it was: a folder does not break."""

    def close(self) -> None:
        """Does nothing: no device is open."""
