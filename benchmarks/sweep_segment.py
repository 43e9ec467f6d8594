"""How the constants of segmentation were chosen: `python -m benchmarks.sweep_segment` tries others.

It uses training photographs only. For each change it prints recall and precision on
euro-trays/train, and on brl-frames/day1 how many frames do not show exactly one coin and how far
measured diameters lie from the mint's under one fitted plane. Frames from before the camera was
moved for the last time are left out.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks import trays
from benchmarks.inputs import require_photographs
from coinsorter.images.image_io import list_images, read_image
from coinsorter.records import Circle
from coinsorter.vision import contour, detect
from coinsorter.vision.detect import Search, find_circles
from coinsorter.vision.scale import fit_plane

#: The mint's diameters of the coins in brl-frames, by folder.
DIAMETERS_MM = {"005": 22.0, "010": 20.0, "025": 25.0, "050": 23.0, "100": 27.0}
#: The number in the frames' names from which on the camera was not moved any more.
CAMERA_SET_UP = 1477144400
#: Outlines of the coins in brl-frames: radii in px, least roundness, least quality.
FRAME_SEARCH = Search(24, 54, 0.8, 0.6)
#: Size of the frames in brl-frames, px.
FRAME_SIZE_PX = (640, 480)
#: The constants that are tried: their module, their name, the values instead of the shipped one.
CHANGES: list[tuple[ModuleType, str, tuple[float, ...]]] = [
    (contour, "EDGE_SHARE", (0.15, 0.35)),
    (contour, "STRONG_EDGE", (1.5, 4.0)),
    (contour, "EQUAL_SUPPORT", (0.88, 0.97)),
    (detect, "HOUGH_RADIUS_PX", (8.0, 12.0)),
    (detect, "HOUGH_VOTES", (14, 22)),
    (detect, "HOUGH_CANNY", (60, 150)),
    (contour, "MIN_QUALITY", (0.6, 0.75)),
    (detect, "PATCH_CONTRAST", (8, 25)),
]

#: A frame, uint8 (height, width, 3) RGB, and the diameter of the coin in it, mm.
LabelledFrame = tuple[np.ndarray, float]


def main() -> None:
    data = require_photographs()
    photographs = trays.read_photographs(data, "train")
    frames = list(read_frames(data / "brl-frames" / "day1"))
    print_figures("as shipped", photographs, frames)
    for module, name, values in CHANGES:
        shipped = getattr(module, name)
        for value in values:
            setattr(module, name, value)
            print_figures(f"{name} {value}", photographs, frames)
        setattr(module, name, shipped)


def read_frames(folder: Path) -> Iterator[LabelledFrame]:
    for path in list_images(folder):
        number = int(path.stem.split("_")[1])
        pixels = read_image(path) if number > CAMERA_SET_UP else None
        if pixels is not None:
            yield pixels, DIAMETERS_MM[path.parent.name]


def print_figures(
    title: str, photographs: list[trays.Photograph], frames: list[LabelledFrame]
) -> None:
    score = trays.score_photographs(photographs)
    recall = f"recall {score.recall:.3f} precision {score.precision:.3f}"
    print(f"{title:<28}trays: {recall}; frames: {summarize_frames(frames)}", flush=True)


def summarize_frames(frames: list[LabelledFrame]) -> str:
    circles: list[Circle] = []
    diameters_mm: list[float] = []
    for pixels, diameter_mm in frames:
        coins = [circle for circle in find_circles(pixels, FRAME_SEARCH) if circle.quality]
        if len(coins) == 1:
            circles.append(coins[0])
            diameters_mm.append(diameter_mm)
    plane = fit_plane(circles, diameters_mm, *FRAME_SIZE_PX)
    measured_mm = np.array([plane.measure_diameter_mm(circle) for circle in circles])
    errors = 100 * np.abs(measured_mm / np.array(diameters_mm) - 1)
    median, p90, p99 = np.percentile(errors, [50, 90, 99])
    return (
        f"{len(frames) - len(circles)} not one coin, "
        f"diameter off by {median:.2f} % (median), {p90:.1f} % (90 %), {p99:.1f} % (99 %)"
    )


if __name__ == "__main__":
    main()
