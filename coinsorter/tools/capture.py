"""What a technician looks at: one picture with what the machine finds in it, and pictures of coins to train with."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from coinsorter.errors import CameraError, InputError
from coinsorter.records import Circle, Coin, Frame
from coinsorter.sorting.ports import Camera
from coinsorter.vision.detect import Search, find_things
from coinsorter.vision.scale import ScalePlane
from coinsorter.vision.track import BeltTracker

ALONE, NOT_ALONE = (40, 200, 60), (220, 60, 40)  # RGB


def snap(
    camera: Camera, search: Search, scale: ScalePlane
) -> tuple[Frame, list[Circle], np.ndarray]:
    """One frame, what stands out in it, and the frame with that drawn: uint8 (h, w, 3) RGB. Raises CameraError where there is none."""
    frame = camera.next_frame()
    if frame is None:
        raise CameraError("the camera has no more frames; see camera.source in config.yaml")
    circles = find_things(frame.pixels, search)
    return frame, circles, drawn(frame.pixels, circles, scale)


def drawn(pixels: np.ndarray, circles: list[Circle], scale: ScalePlane) -> np.ndarray:
    """A copy with each circle, and its diameter in mm: green where it lies alone, red where it does not."""
    picture = pixels.copy()
    for circle in circles:
        colour = ALONE if circle.alone else NOT_ALONE
        middle = round(circle.x_px), round(circle.y_px)
        cv2.circle(picture, middle, round(circle.radius_px), colour, 2, cv2.LINE_AA)
        cv2.drawMarker(picture, middle, colour, cv2.MARKER_CROSS, 8)
        text = f"{scale.diameter_mm(circle):.2f} mm"
        below = (
            middle[0] - round(circle.radius_px),
            min(middle[1] + round(circle.radius_px) + 16, picture.shape[0] - 4),
        )
        cv2.putText(picture, text, below, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return picture


def write(path: Path, pixels: np.ndarray) -> None:
    """A picture file, uint8 (h, w, 3) RGB; the ending says which kind. Raises InputError where it cannot be written."""
    try:
        whole, content = cv2.imencode(path.suffix, pixels[..., ::-1])
    except cv2.error as error:
        raise InputError(
            f"{path}: pictures are not written as {path.suffix or 'nothing'}; name a .jpg or .png"
        ) from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.tobytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; name another file"
        ) from error


def rides(camera: Camera, tracker: BeltTracker, search: Search) -> Iterator[Coin]:
    """Every coin that rides by, as it leaves the view, until the camera has no more frames."""
    while frame := camera.next_frame():
        yield from tracker.update(frame, find_things(frame.pixels, search))


class Capture:
    """Whole pictures of coins that ride by alone, one for each, to train with.

    folder: they are written there, named by the milliseconds of the wall clock, so that bursts can be told apart later.
    """

    def __init__(
        self,
        camera: Camera,
        tracker: BeltTracker,
        search: Search,
        folder: Path,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._camera, self._search, self._folder, self._now_s = camera, search, folder, now_s
        self._tracker = tracker
        self.left_out = 0

    def __iter__(self) -> Iterator[Path]:
        """The files, as coins come. Goes on until the camera has no more frames."""
        for coin in rides(self._camera, self._tracker, self._search):
            if path := self._kept(coin):
                yield path

    def _kept(self, coin: Coin) -> Path | None:
        if not coin.alone or not coin.crops:
            self.left_out += 1
            return None
        path = self._folder / f"{self._folder.name}_{round(1000 * self._now_s())}_{coin.number}.png"
        write(path, coin.crops[0])
        return path


def tracker(scale: ScalePlane, speed_mm_s: float, frame_s: float) -> BeltTracker:
    """A tracker that keeps the whole picture in which each coin is sharpest."""
    return BeltTracker(
        scale, speed_mm_s, frame_s, cut=lambda pixels, circle, diameter_mm: pixels.copy(), crops=1
    )
