"""How the constants of segmentation were chosen: `python -m benchmarks.sweep_segment` tries others, on training photographs only.

Prints for each change recall and precision on euro-trays/train, and on brl-frames/day1 how many frames do not show exactly one coin and how
far measured diameters lie from the mint's under one fitted plane (frames before the camera was set up anew are left out).
"""

import itertools

import numpy as np

from benchmarks import trays
from coinsorter.images import list_images, read_image
from coinsorter.vision import contour, detect
from coinsorter.vision.detect import Search, find_circles
from coinsorter.vision.scale import fit_plane
from tests.conftest import data_folder

DIAMETERS_MM = {"005": 22.0, "010": 20.0, "025": 25.0, "050": 23.0, "100": 27.0}
CAMERA_SET_UP = (
    1477144400  # the number in the frames' names from which on the view is one and the same
)
CHANGES = [
    (contour, "EDGE_SHARE", (0.15, 0.35)),
    (contour, "STRONG_EDGE", (1.5, 4.0)),
    (contour, "EQUAL_SUPPORT", (0.88, 0.97)),
    (detect, "HOUGH_RADIUS_PX", (8.0, 12.0)),
    (detect, "HOUGH_VOTES", (14, 22)),
    (detect, "HOUGH_CANNY", (60, 150)),
    (detect, "MIN_QUALITY", (0.6, 0.75)),
    (detect, "PATCH_CONTRAST", (8, 25)),
]


def main() -> None:
    data = data_folder()
    if data is None:
        raise SystemExit("no photographs: neither $COINSORTER_DATA nor ../shared/data is there")
    photographs = trays.photographs(data, "train")
    paths = [
        path
        for path in list_images(data / "brl-frames" / "day1")
        if int(path.stem.split("_")[1]) > CAMERA_SET_UP
    ]
    frames = [(read_image(path), DIAMETERS_MM[path.parent.name]) for path in paths]
    print(f"{'as shipped':<28}{figures(photographs, frames)}", flush=True)
    for module, name, value in itertools.chain.from_iterable(
        ((m, n, v) for v in values) for m, n, values in CHANGES
    ):
        shipped = getattr(module, name)
        setattr(module, name, value)
        print(f"{name + ' ' + str(value):<28}{figures(photographs, frames)}", flush=True)
        setattr(module, name, shipped)


def figures(photographs, frames) -> str:
    found = trays.score(photographs)
    circles, diameters, others = [], [], 0
    for pixels, diameter in frames:
        coins = [
            circle for circle in find_circles(pixels, Search(24, 54, 0.8, 0.6)) if circle.quality
        ]
        others += len(coins) != 1
        if len(coins) == 1:
            circles.append(coins[0])
            diameters.append(diameter)
    plane = fit_plane(circles, diameters, 640, 480)
    off = np.abs(
        [
            plane.measure_diameter_mm(circle) / diameter - 1
            for circle, diameter in zip(circles, diameters)
        ]
    )
    spread = f"diameter off by {100 * np.median(off):.2f} % (median), {100 * np.percentile(off, 90):.1f} % (90 %), {100 * np.percentile(off, 99):.1f} % (99 %)"
    return f"trays: recall {found.recall:.3f} precision {found.precision:.3f}; frames: {others} not one coin, {spread}"


if __name__ == "__main__":
    main()
