"""Frames for a technician and for training: a snapshot with its circles drawn, frames of coins."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from coinsorter.errors import CameraError
from coinsorter.files.ownership import Claim
from coinsorter.images.image_io import write_image
from coinsorter.images.name_times import format_capture_name
from coinsorter.records import Circle, Coin, Frame
from coinsorter.sorting.ports import Camera
from coinsorter.vision.detect import Search, find_circles
from coinsorter.vision.scale import ScalePlane
from coinsorter.vision.track import BeltTracker

# The colours of circles that lie alone, and of others: RGB.
ALONE_RGB = (40, 200, 60)
NOT_ALONE_RGB = (220, 60, 40)
# What is drawn, in pixels, chosen to be readable in a frame of 640x480.
LINE_PX = 2
MARKER_PX = 8
TEXT_SCALE = 0.5
TEXT_BELOW_PX = 16
TEXT_MARGIN_PX = 4


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A frame, the circles detected in it, and the frame with these drawn.

    annotated: uint8, shape (height, width, 3), RGB.
    """

    frame: Frame
    circles: list[Circle]
    annotated: np.ndarray


def take_snapshot(camera: Camera, search: Search, scale: ScalePlane) -> Snapshot:
    """A snapshot of the camera's next frame. Raises CameraError where there is no frame."""
    frame = camera.next_frame()
    if frame is None:
        raise CameraError("the camera has no more frames; see camera.source in config.yaml")
    circles = find_circles(frame.pixels, search)
    return Snapshot(frame, circles, draw_circles(frame.pixels, circles, scale))


def draw_circles(pixels: np.ndarray, circles: list[Circle], scale: ScalePlane) -> np.ndarray:
    """A copy of a frame with each circle and its diameter in mm: green where it lies alone.

    pixels: uint8, shape (height, width, 3), RGB, as is what is returned.
    """
    image = pixels.copy()
    for circle in circles:
        _draw_circle(image, circle, f"{scale.measure_diameter_mm(circle):.2f} mm")
    return image


def _draw_circle(image: np.ndarray, circle: Circle, text: str) -> None:
    colour = ALONE_RGB if circle.alone else NOT_ALONE_RGB
    x, y, radius = round(circle.x_px), round(circle.y_px), round(circle.radius_px)
    cv2.circle(image, (x, y), radius, colour, LINE_PX, cv2.LINE_AA)
    cv2.drawMarker(image, (x, y), colour, cv2.MARKER_CROSS, MARKER_PX)
    lowest_y = image.shape[0] - TEXT_MARGIN_PX
    corner = (x - radius, min(y + radius + TEXT_BELOW_PX, lowest_y))
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, corner, font, TEXT_SCALE, colour, 1, cv2.LINE_AA)


@dataclass(frozen=True)
class BeltView:
    """A camera above the belt, with what detects circles in its frames and follows them."""

    camera: Camera
    tracker: BeltTracker
    search: Search

    def track(self, frame: Frame) -> list[Coin]:
        """The coins that leave the view with this frame."""
        return self.tracker.update(frame, find_circles(frame.pixels, self.search))


def follow_coins(view: BeltView) -> Iterator[Coin]:
    """Every coin that rides by, as it leaves the view, until the camera has no more frames."""
    while frame := view.camera.next_frame():
        yield from view.track(frame)


def make_frame_tracker(scale: ScalePlane, speed_mm_s: float, frame_s: float) -> BeltTracker:
    """A tracker that keeps the whole frame in which each coin is sharpest, as its only crop."""
    return BeltTracker(scale, speed_mm_s, frame_s, cut=_copy_frame, crops=1)


def _copy_frame(pixels: np.ndarray, circle: Circle, diameter_mm: float) -> np.ndarray:
    return pixels.copy()


class CoinCapture:
    """Saves one whole frame of each coin that rides by alone, to train with.

    folder: where the files go; its name is the coins' label. Their names say when they were taken,
    so that `coinsorter-train prepare` can tell them apart. group: what belongs together and is
    never split, such as one coin that rides by again and again; "" where each is another coin.
    now_s: the wall clock, seconds since 1970. any_shape: things that are not round, or touch
    others, are saved as well.
    """

    def __init__(
        self,
        view: BeltView,
        folder: Path,
        group: str = "",
        now_s: Callable[[], float] = time.time,
        *,
        any_shape: bool = False,
    ) -> None:
        self._any_shape = any_shape
        self._view = view
        self._folder = folder
        self._group = group
        self._now_s = now_s
        #: Coins of which nothing was saved: they did not lie alone, or were not round.
        self.skipped = 0

    def save_images(self) -> Iterator[Path]:
        """The files, as coins come, until the camera has no more frames.

        Raises InputError where a file cannot be written.
        """
        for coin in follow_coins(self._view):
            if coin.crops and (coin.alone or self._any_shape):
                yield self._save_image(coin)
            else:
                self.skipped += 1

    def _save_image(self, coin: Coin) -> Path:
        label = self._folder.name
        name = format_capture_name(label, self._now_s(), coin.number, self._group)
        path = self._folder / f"{name}.png"
        write_image(path, coin.crops[0], Claim(remedy="name another folder with --out"), "capture")
        return path
