"""Photographs of foreign things -> crops as if these things had come along the belt.

A foreign thing must not be known by its size, sharpness or background. So each image is searched as
the machine searches its frames, what is found is brought to a coin's size, and then it is cut out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from coinsorter.errors import InputError
from coinsorter.images.image_io import list_images, read_image
from coinsorter.records import Circle
from coinsorter.training.dataset.quality import LENIENT_SEARCH, locate_in_crop
from coinsorter.training.exposure.mix import ExposureSource
from coinsorter.training.progress import ReportStep
from coinsorter.training.samples.crop_store import CropStore
from coinsorter.vision.crop import CropSpec, cut_crop
from coinsorter.vision.detect import Search, find_circles

#: Shorter side that an image is brought to before it is searched, px: a thing is to be found there,
#: not measured. At 160 px the search takes three times as long and finds as much.
SEARCHED_SIDE_PX = 112
#: Radii that are searched for there, px: things fill a tenth to nine tenths of that side.
SEARCHED_RADII_PX = (6.5, 45.0)
#: Things of one image that are used at most, the roundest first: the others are mostly belt.
MAX_THINGS = 1
#: Images of one kind that a training uses: all kinds are shown equally often, so that more of one
#: are hardly seen.
MAX_IMAGES = 200
#: What the circle that fills an image is taken for, as factors of its radius: outlines of things
#: err more than those of coins.
RADIUS_FACTORS = (0.92, 1.04)
#: Radius of a thing when it is cut, in radii of a coin in its crop: coins in frames are as large.
SIZES = (0.65, 1.1)


def check_foreign(folders: Sequence[Path]) -> None:
    """Raises InputError where a folder is missing or has no image, before anything is trained."""
    for folder in folders:
        list_images(folder)


def read_foreign_photos(
    folder: Path,
    spec: CropSpec,
    report: ReportStep,
    rng: Generator,
    max_images: int | None = MAX_IMAGES,
) -> list[ExposureSource]:
    """The things in the images of a folder, a source for each of its folders.

    max_images: of one folder; None: all. Images that cannot be read are passed over. Raises
    InputError where none can.
    """
    stores: dict[str, CropStore] = {}
    for done, path in enumerate(list_foreign_images(folder, max_images), 1):
        pixels = read_image(path)
        if pixels is not None:
            kind = _name_kind(path, folder)
            store = stores.setdefault(kind, CropStore(spec.size_px))
            for crop in cut_things(pixels, spec, rng):
                store.add(crop)
        report(done)
    if not stores:
        raise InputError(f"{folder}: none of its images can be read; name photographs of things")
    return [ExposureSource(kind, store.finish()) for kind, store in sorted(stores.items())]


def list_foreign_images(folder: Path, max_images: int | None = MAX_IMAGES) -> list[Path]:
    """The images of a folder that are used, of each kind so many at most, evenly spaced."""
    by_kind: dict[str, list[Path]] = {}
    for path in list_images(folder):
        by_kind.setdefault(_name_kind(path, folder), []).append(path)
    chosen = []
    for paths in by_kind.values():
        count = min(max_images or len(paths), len(paths))
        chosen += [paths[place * len(paths) // count] for place in range(count)]
    return chosen


def _name_kind(path: Path, folder: Path) -> str:
    """The name of the folder directly below `folder` that an image is in."""
    first, *rest = path.relative_to(folder).parts
    return first if rest else folder.name


def cut_things(pixels: np.ndarray, spec: CropSpec, rng: Generator) -> Iterator[np.ndarray]:
    """Crops of the things in an image, uint8 (h, w, 3), and of whatever fills it."""
    scale = SEARCHED_SIDE_PX / min(pixels.shape[:2])
    small = _resize(pixels, scale)
    search = Search(*SEARCHED_RADII_PX, **LENIENT_SEARCH)
    circles = sorted(find_circles(small, search), key=lambda thing: -thing.quality)
    for circle in [*circles[:MAX_THINGS], _find_filling(small, rng)]:
        in_image = _scale_circle(circle, 1 / scale)
        yield _cut_at_coin_size(pixels, in_image, spec, rng)


def _find_filling(pixels: np.ndarray, rng: Generator) -> Circle:
    """The thing that fills an image, as in a ready crop; the inscribed circle where none does."""
    circle = locate_in_crop(pixels)
    factor = rng.uniform(*RADIUS_FACTORS)
    return replace(circle, radius_px=circle.radius_px * float(factor))


def _cut_at_coin_size(
    pixels: np.ndarray, circle: Circle, spec: CropSpec, rng: Generator
) -> np.ndarray:
    radius_px = rng.uniform(*SIZES) * spec.size_px / 2 / spec.margin
    scale = radius_px / circle.radius_px
    return cut_crop(_resize(pixels, scale), _scale_circle(circle, scale), spec.full_mm, spec)


def _scale_circle(circle: Circle, scale: float) -> Circle:
    """A circle of an image as it is in the image enlarged by a factor."""
    return replace(
        circle,
        x_px=circle.x_px * scale,
        y_px=circle.y_px * scale,
        radius_px=circle.radius_px * scale,
    )


def _resize(pixels: np.ndarray, scale: float) -> np.ndarray:
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=kind)
