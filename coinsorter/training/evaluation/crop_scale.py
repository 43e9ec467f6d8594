"""The scale that ready crops were cut at, measured by crops of known coins."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coinsorter.errors import InputError
from coinsorter.images.image_io import list_images, read_image
from coinsorter.images.label_folders import find_known_label
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle
from coinsorter.robust import mad_std
from coinsorter.training.dataset import quality

#: Coins that a scale is measured by, at least: the standard error of its median is then
#: 1.25 / sqrt(20), a quarter of one crop's standard deviation.
MIN_COINS = 20
#: Relative MAD standard deviation of the crops' scales, at most; with less certain sizes
#: neighbouring denominations cannot be distinguished.
MAX_MAD_STD = 0.06


@dataclass(frozen=True)
class CropScale:
    """The scale that ready crops were cut at.

    mad_std: how far a single crop may be off, relative, 1.4826 median absolute deviations.
    """

    px_per_mm: float
    mad_std: float

    def measure_mm(self, circle: Circle) -> float | None:
        """A coin's diameter; None where its outline was not found in the crop."""
        return 2 * circle.radius_px / self.px_per_mm if circle.quality else None


def measure_crop_scale(
    folder: Path, bundle: Bundle, report_progress: Callable[[int], None]
) -> CropScale:
    """The scale of the crops in a folder of folders that are named as labels.

    Raises InputError where there are too few, or where their radii do not follow their diameters.
    """
    scales = []
    for done, path in enumerate(list_images(folder), 1):
        name = find_known_label(path, folder, bundle.resolve_label, bundle.labels)
        label = bundle.labels.get(str(name))
        diameter_px = _measure_px(path) if label else None
        if label and diameter_px:
            scales.append(diameter_px / label.diameter_mm)
        report_progress(done)
    if len(scales) < MIN_COINS:
        raise InputError(
            f"{folder}: {len(scales)} coins of known labels were found in its crops; "
            f"measuring their scale takes {MIN_COINS}"
        )
    return _summarize(folder, np.array(scales))


def _measure_px(path: Path) -> float | None:
    """The diameter of the coin in a ready crop; None where it is unreadable or has no outline."""
    pixels = read_image(path)
    if pixels is None:
        return None
    circle = quality.locate_in_crop(pixels)
    return 2 * circle.radius_px if circle.quality else None


def _summarize(folder: Path, scales: np.ndarray) -> CropScale:
    median = float(np.median(scales))
    relative_std = mad_std(scales / median, center=1.0)
    if relative_std > MAX_MAD_STD:
        off = f"{100 * relative_std:.0f} % off"
        raise InputError(
            f"{folder}: its coins' radii do not follow their diameters ({off}),"
            " so its crops are of many scales; leave --scale-from out"
        )
    return CropScale(median, relative_std)
