"""The measures of all coins in a folder, as a table with a row for each."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coinsorter.errors import InputError
from coinsorter.escape import as_cell, clean
from coinsorter.images.image_io import list_images, read_image
from coinsorter.images.label_folders import find_known_label, place_images
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle
from coinsorter.sorting.assembly import build_search
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.dataset.splits import number_bursts
from coinsorter.training.features.measure import STANDARD, measure_coin
from coinsorter.training.parallel import HERE, IMAGES_PER_PROCESS, Workers
from coinsorter.vision.crop import cut_crop
from coinsorter.vision.detect import MIN_SIDE_PX, Search, find_only_coin

#: Radii that are searched where the coins' sizes are not known, over a frame's shorter edge.
UNKNOWN_RADII = (0.05, 0.3)
#: Images of one folder no further apart, in seconds, are one burst; recipes have the same default.
BURST_S = 40.0


@dataclass(frozen=True, eq=False)
class MeasuredCoin:
    """One row of the table.

    path: relative to the folder. label: the name of its folder, None where it lies in none.
    group: the number of its burst, equal for images of one coin taken in one go.
    """

    path: Path
    label: str | None
    group: int
    measures: dict[str, float]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The coins of a folder.

    left_out: why other images were not measured, by path. examples: one standard crop of each
    label, "" for coins without one.
    """

    coins: tuple[MeasuredCoin, ...]
    left_out: dict[str, str]
    examples: dict[str, np.ndarray]

    @property
    def names(self) -> list[str]:
        """The names of the measures, in the order of the columns."""
        return list(self.coins[0].measures)

    def to_array(self, coins: Sequence[MeasuredCoin] | None = None) -> np.ndarray:
        """The measures as float (n, measures), of some coins or all; nan where one is not known."""
        chosen = self.coins if coins is None else coins
        rows = [list(coin.measures.values()) for coin in chosen]
        return np.array(rows, float).reshape(-1, len(self.names))


def measure_folder(
    folder: Path,
    bundle: Bundle | None,
    crops: bool,
    burst_s: float,
    report_progress: Callable[[int], None],
    label_level: int | None = None,
    workers: Workers = HERE,
) -> FeatureTable:
    """The table of the coins below a folder, one in each image.

    bundle: tells the sizes of coins and the scale of the view. crops: the images are ready crops.
    burst_s: images of one folder that are no further apart, by the times in their names, are one
    burst; with 0 each image is a burst of its own. label_level: see `label_folders.place_images`; a
    bundle knows its labels itself. workers: measure the images. Raises InputError where no coin is
    found.
    """
    paths = list_images(folder)
    groups: Sequence[int] = range(1, len(paths) + 1)
    if burst_s:
        groups = number_bursts(paths, burst_s)
    labels = _find_labels(paths, folder, bundle, label_level)
    coins: list[MeasuredCoin] = []
    left_out: dict[str, str] = {}
    examples: dict[str, np.ndarray] = {}
    own = _drop_networks(bundle) if bundle else None
    jobs = [_Job(path, own, crops) for path in paths]
    results = workers.run(_measure_image, jobs, IMAGES_PER_PROCESS)
    for path, group, measured in zip(paths, groups, results):
        relative = path.relative_to(folder)
        if isinstance(measured, str):
            left_out[str(relative)] = measured
        else:
            measures, crop = measured
            label = labels[path]
            coins.append(MeasuredCoin(relative, label, group, measures))
            examples.setdefault(label or "", crop)
        report_progress(len(coins) + len(left_out))
    if not coins:
        raise InputError(_describe_failure(folder, left_out))
    return FeatureTable(tuple(coins), left_out, examples)


def _describe_failure(folder: Path, left_out: dict[str, str]) -> str:
    reasons = "; ".join(sorted(set(left_out.values())))
    return (
        f"{folder}: none of its {len(left_out)} images can be measured ({reasons}); "
        "if each is one ready crop, add --crops"
    )


@dataclass(frozen=True, eq=False)
class _Job:
    """An image to measure, as another process may do it; see `measure_folder`."""

    path: Path
    bundle: Bundle | None
    crops: bool


def _drop_networks(bundle: Bundle) -> Bundle:
    """The bundle's sizes and view: its networks need not go to other processes."""
    golden = replace(bundle.golden, crops=bundle.golden.crops[:0])
    return Bundle(bundle.path, bundle.manifest, b"", b"", golden, bundle.digest)


def _measure_image(job: _Job) -> tuple[dict[str, float], np.ndarray] | str:
    """The measures of the coin in an image, and its standard crop; or why there are none."""
    pixels = read_image(job.path)
    if pixels is None:
        return "unreadable"
    bundle = job.bundle
    circle = find_outline(pixels, bundle, job.crops)
    if isinstance(circle, str):
        return circle
    spec = replace(STANDARD, surround=bundle.crop.surround) if bundle else STANDARD
    plane = bundle.view if bundle else None
    measures = measure_coin(pixels, circle, spec, plane, outline_measured=not job.crops)
    return measures, cut_crop(pixels, circle, 0.0, spec)


def find_outline(pixels: np.ndarray, bundle: Bundle | None, crops: bool) -> Circle | str:
    """The outline of the one coin in an image, uint8 (h, w, 3) RGB; or why there is none."""
    if crops:
        return quality.locate_in_crop(pixels, STANDARD.surround)
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        return "too small"
    if bundle and not _is_view(pixels, bundle):
        return "not the bundle's view"
    return find_only_coin(pixels, _choose_search(pixels, bundle))


def _is_view(pixels: np.ndarray, bundle: Bundle) -> bool:
    """Whether an image is as large as the bundle's view."""
    view = bundle.view
    return pixels.shape[:2] == (view.height_px, view.width_px)


def _choose_search(pixels: np.ndarray, bundle: Bundle | None) -> Search:
    if bundle:
        search = build_search(bundle, bundle.view)
        return Search(search.min_radius_px, search.max_radius_px, **LENIENT_SEARCH)
    shorter_px = min(pixels.shape[:2])
    return Search(*(share * shorter_px for share in UNKNOWN_RADII), **LENIENT_SEARCH)


def _find_labels(
    paths: Sequence[Path], folder: Path, bundle: Bundle | None, label_level: int | None
) -> dict[Path, str | None]:
    """The label of each image: what its bundle knows, or else what its folders are named."""
    if bundle:
        names = [
            find_known_label(path, folder, bundle.resolve_label, bundle.labels) for path in paths
        ]
    else:
        folders = [path.parent.relative_to(folder).parts for path in paths]
        names = [placement.label for placement in place_images(folder, folders, label_level)]
    return {path: clean(name) if name else None for path, name in zip(paths, names)}


def format_csv(table: FeatureTable, scores: Sequence[float] | None = None) -> str:
    """The table as CSV: path, label, group, every measure, and a one-class score where given.

    Numbers have six digits; those that are not known are left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    last = [] if scores is None else ["one_class_score"]
    writer.writerow(["path", "label", "group", *table.names, *last])
    for number, coin in enumerate(table.coins):
        values = list(coin.measures.values())
        if scores is not None:
            values.append(scores[number])
        row = [clean(coin.path.as_posix()), coin.label or "", coin.group]
        writer.writerow([*map(as_cell, row), *_format_values(values)])
    return text.getvalue()


def _format_values(values: Sequence[float]) -> Iterator[str]:
    return ("" if np.isnan(value) else f"{value:.6g}" for value in values)
