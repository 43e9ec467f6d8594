"""Where frames come from: the Pi's camera, or a folder of pictures. The virtual camera is `simulator.machine`'s."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from coinsorter.config import Camera as CameraSettings
from coinsorter.errors import CameraError, InputError
from coinsorter.records import Frame

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
# picamera2's first frames are dropped: exposure and gain take effect only some frames after they are set.
WARM_UP_FRAMES = 8
BUFFERS = 4
# Without so many frames in a row the machine goes to safety: the loop that closes flaps waits for frames. What passed an open flap in the
# meantime is called uncertain.
SILENCE_FRAMES = 15
START_S = 2.0  # that the first frames may take


class Camera(Protocol):
    """Anything that delivers frames."""

    def next_frame(self) -> Frame | None:
        """The next frame, RGB; waits for it. None when there are no more."""

    def close(self) -> None:
        """Lets go of the device; safe to call twice."""


class PiCamera:
    """The Pi's camera by picamera2: opened once, few buffers, a fixed exposure."""

    def __init__(self, settings: CameraSettings) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            how = "install it with `sudo apt install python3-picamera2`, or run `coinsorter run --simulate`"
            raise CameraError(f"no camera: picamera2 is not installed; {how}") from error
        self._settings = settings
        self._number = 0
        self._silence_s = SILENCE_FRAMES / settings.frames_per_s
        self._camera: Any = None
        try:
            self._camera = Picamera2()
            self._start()
        except (RuntimeError, IndexError, OSError, TimeoutError) as error:
            self.close()
            raise CameraError(f"no camera: {error}; check its cable, and that no other program uses it") from error

    def next_frame(self) -> Frame | None:
        try:
            request = self._camera.capture_request(wait=self._silence_s)
        except TimeoutError as error:
            raise CameraError(f"no frame for {self._silence_s:.2g} s; check the camera's cable, then start again") from error
        try:
            pixels, metadata = request.make_array("main"), request.get_metadata()
        finally:
            request.release()
        taken_s = metadata["SensorTimestamp"] / 1e9  # the kernel's monotonic clock, as time.monotonic()
        self._number += 1
        return Frame(np.ascontiguousarray(pixels[..., ::-1]), self._number - 1, taken_s)

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _start(self) -> None:
        size = (self._settings.width_px, self._settings.height_px)
        main = {"size": size, "format": "RGB888"}  # which in libcamera's naming is blue, green, red in memory
        self._camera.configure(self._camera.create_video_configuration(main=main, buffer_count=BUFFERS))
        self._camera.start()
        frame_us = round(1e6 / self._settings.frames_per_s)
        wanted = {"FrameDurationLimits": (frame_us, frame_us), "AeEnable": False, "ExposureTime": self._settings.exposure_us, "AwbEnable": False}
        self._camera.set_controls({name: value for name, value in wanted.items() if name in self._camera.camera_controls})
        for _ in range(WARM_UP_FRAMES):
            self._camera.capture_request(wait=START_S).release()


class FolderCamera:
    """The pictures of a folder as frames, frame_s apart; what cannot be read is left out and named in `unreadable`."""

    def __init__(self, paths: Iterable[Path], frame_s: float) -> None:
        self._paths: Iterator[tuple[int, Path]] = enumerate(paths)
        self._frame_s = frame_s
        self.unreadable: list[Path] = []

    def next_frame(self) -> Frame | None:
        for number, path in self._paths:
            pixels = read_picture(path)
            if pixels is not None:
                return Frame(pixels, number, number * self._frame_s)
            self.unreadable.append(path)
        return None

    def close(self) -> None:
        self._paths = iter(())


def read_picture(path: Path) -> np.ndarray | None:
    """A picture file as uint8 (h, w, 3) RGB; None where it is no picture that OpenCV can read."""
    try:
        return decode(path.read_bytes())
    except OSError:
        return None


def decode(content: bytes) -> np.ndarray | None:
    """A picture file's content as uint8 (h, w, 3) RGB, the right way up; None where it is no picture that OpenCV can read."""
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error:  # where it claims to be absurdly large
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def picture_paths(folder: Path) -> list[Path]:
    """Every picture below a folder, in the order they were taken: by the last number in the name (a time or a count), then by path.

    Raises InputError where the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file()]
    if not paths:
        raise InputError(f"{folder}: holds no pictures ({', '.join(sorted(PICTURES))})")
    return sorted(paths, key=lambda path: (last_number(path.stem), str(path)))


def last_number(name: str) -> int:
    """The last number in a name, a time or a count; -1 where there is none."""
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else -1
