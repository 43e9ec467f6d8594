"""Crops of real coins: from frames of one camera, ready crops, or prepared data sets of either."""

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coinsorter.errors import InputError
from coinsorter.images.image_io import list_images, read_image
from coinsorter.images.label_folders import find_known_label
from coinsorter.images.name_times import order_taken
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle
from coinsorter.robust import mad_std
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.dataset import MANIFEST, Dataset, Row
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.dataset.splits import TEST, number_bursts
from coinsorter.training.progress import ReportStep
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.crop_store import Crops, CropStore
from coinsorter.training.samples.from_simulator import OPTICS
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples, describe_one_burst
from coinsorter.vision import contour, scale
from coinsorter.vision.crop import CropSpec, cut_crop
from coinsorter.vision.detect import Search, compute_search_radii, find_only_coin
from coinsorter.vision.scale import ScaleFollower, ScalePlane

#: Relative standard deviation that the followed diameters are taken to have at least: none is
#: measured better.
MIN_DIAMETER_STD = 0.004


@dataclass(frozen=True, eq=False)
class PhotographedCoins:
    """The coins in some photographs.

    plane: the view's scale, and spec: how crops are cut; both follow from the coins, or are those
    of a bundle. left_out: why other images were not used, by path.
    """

    samples: Samples
    plane: ScalePlane
    spec: CropSpec
    left_out: dict[str, str]


@dataclass(frozen=True, eq=False)
class _LocatedCoin:
    """A coin in the image at `path`.

    circle: its outline there. frame_circle: its outline in the frame, of which the image may be a
    part.
    """

    label: str
    path: Path
    circle: Circle
    frame_circle: Circle


def list_labelled_images(folder: Path, recipe: Recipe) -> dict[Path, str]:
    """The labels of the images in folders named as labels, by path, in the order taken."""
    names = recipe.find_names()
    labels = {
        path: find_known_label(path, folder, names.get, set(names.values()))
        for path in list_images(folder)
    }
    return {path: label for path, label in labels.items() if label is not None}


def check_bursts(data: Sequence[Path], recipe: Recipe) -> None:
    """Raises InputError for a label whose images are all one burst, before any is read."""
    groups = list_groups(data, recipe)
    for label in recipe.labels:
        if len(groups[label.name]) == 1:
            raise InputError(describe_one_burst(label.name))


def list_groups(data: Sequence[Path], recipe: Recipe) -> dict[str, set[Hashable]]:
    """The bursts or photographs of each of the recipe's labels, by names and tables alone."""
    groups: dict[str, set[Hashable]] = {label.name: set() for label in recipe.labels}
    for folder in data:
        for label, group in _list_labelled_groups(folder, recipe):
            groups[label].add((folder, group))
    return groups


def _list_labelled_groups(folder: Path, recipe: Recipe) -> Iterator[tuple[str, Hashable]]:
    if (folder / MANIFEST).exists():
        rows = select_rows(Dataset.load(folder, check=False), recipe)
        return ((row.label, row.group) for row in rows)
    labels = list_labelled_images(folder, recipe)
    if recipe.source == "crops":
        return ((label, _name_group(path, recipe)) for path, label in labels.items())
    bursts = number_bursts(list(labels), recipe.group_gap_s)
    return zip(labels.values(), bursts)


def read_frames(
    folder: Path, recipe: Recipe, report: ReportStep, bundle: Bundle | None = None
) -> PhotographedCoins:
    """The coins in a folder of frames, one in each, in folders named as labels.

    bundle: whose view and crops these frames have; None: both follow from the coins. Raises
    InputError where folders and labels do not agree.
    """
    paths = list_labelled_images(folder, recipe)
    labels_present = set(paths.values())
    _check_labels([folder], recipe, labels_present)
    coins: list[_LocatedCoin] = []
    left_out: dict[str, str] = {}
    size = (0, 0)
    for number, (path, label) in enumerate(paths.items()):
        pixels = read_image(path)
        circle = "unreadable" if pixels is None else _locate_in_frame(pixels, recipe)
        if pixels is not None and isinstance(circle, Circle):
            height_px, width_px, _ = pixels.shape
            size = (width_px, height_px)
            coins.append(_LocatedCoin(label, path, circle, circle))
        else:
            left_out[str(path)] = str(circle)
        report(number + 1)
    bursts = number_bursts([coin.path for coin in coins], recipe.group_gap_s)
    return _cut_from_frames(coins, size, np.array(bursts), recipe, left_out, bundle)


def read_dataset(
    dataset: Dataset, recipe: Recipe, report: ReportStep, bundle: Bundle | None = None
) -> PhotographedCoins:
    """The coins of a data set made from frames, without its test split, in the order taken.

    Its groups stay as they are. bundle: as for `read_frames`. Raises InputError where its labels
    are not the recipe's, and where its images are not of one size: then they are no frames of one
    camera, and nothing gives their scale.
    """
    rows = select_rows(dataset, recipe)
    _check_labels([dataset.folder], recipe, {row.label for row in rows})
    if dataset.frame is None or dataset.manifest["crops"]:
        raise InputError(
            f"{dataset.folder}: its images are no frames of one camera, so that nothing gives the "
            "scale; prepare such frames"
        )
    coins = []
    for number, row in enumerate(rows):
        coins.append(_locate_in_row(dataset, row, recipe))
        report(number + 1)
    groups = np.array([row.group for row in rows])
    left_out = {row.source: row.reason for row in dataset.rows if not row.image_file}
    return _cut_from_frames(coins, dataset.frame, groups, recipe, left_out, bundle)


def read_crops(
    folders: Sequence[Path], recipe: Recipe, report: ReportStep, bundle: Bundle | None = None
) -> PhotographedCoins:
    """The coins of ready crops, in folders named as labels or in data sets.

    Test splits are left out. Their diameters are not known. bundle: as for `read_frames`. Raises
    InputError where folders and labels do not agree.
    """
    ready_crops = [crop for folder in folders for crop in _list_ready_crops(folder, recipe)]
    _check_labels(folders, recipe, {crop.label for crop in ready_crops})
    left_out: dict[str, str] = {}
    coins: list[_LocatedCoin] = []
    groups: list[str] = []
    for number, crop in enumerate(ready_crops):
        pixels = read_image(crop.path)
        if pixels is None:
            left_out[str(crop.path)] = "unreadable"
        else:
            circle = crop.circle or quality.locate_in_crop(pixels)
            coins.append(_LocatedCoin(crop.label, crop.path, circle, circle))
            groups.append(crop.group)
        report(number + 1)
    _check_located(coins, recipe)
    circles = tuple(coin.circle for coin in coins)
    if bundle:
        spec = bundle.crop
    else:
        spec = recipe.make_crop_spec(_measure_surround(circles), largest_mm=0.0)
    samples = Samples(
        crops=_cut_crops(coins, np.zeros(len(coins)), spec),
        labels=_number_labels(coins, recipe),
        circles=circles,
        diameters_mm=np.full(len(coins), np.nan),
        groups=np.unique(groups, return_inverse=True)[1],
    )
    plane = ScalePlane(recipe.px_per_mm, 0.0, 0.0, OPTICS.width_px, OPTICS.height_px)
    return PhotographedCoins(samples, plane, spec, left_out)


def read_anomalies(
    folder: Path, recipe: Recipe, coins: PhotographedCoins, report: ReportStep
) -> Samples:
    """Objects to reject, one in each image of a folder, whatever its folders are named.

    Images without exactly one are passed over. coins: whose crops and scale these get. Raises
    InputError where there is not a single one.
    """
    circles: list[Circle] = []
    store = CropStore(coins.spec.size_px)
    for number, path in enumerate(list_images(folder)):
        pixels = read_image(path)
        report(number + 1)
        if pixels is None:
            continue
        circle = _locate_anomaly(pixels, recipe, coins.spec)
        if isinstance(circle, Circle):
            diameter_mm = coins.plane.measure_diameter_mm(circle)
            circles.append(circle)
            store.add(cut_crop(pixels, circle, diameter_mm, coins.spec))
    if not circles:
        raise InputError(
            f"{folder}: nothing round is in any of its images; --anomalies are images like the "
            "coins', of what must be rejected"
        )
    count = len(circles)
    return Samples(
        crops=store.finish(),
        labels=np.full(count, FOREIGN_LABEL),
        circles=tuple(circles),
        diameters_mm=np.full(count, np.nan),
        groups=np.arange(count),
    )


def _locate_anomaly(pixels: np.ndarray, recipe: Recipe, spec: CropSpec) -> Circle | str:
    if recipe.source == "crops":
        return quality.locate_in_crop(pixels, spec.surround)
    return _locate_in_frame(pixels, recipe)


@dataclass(frozen=True)
class _ReadyCrop:
    """A ready crop to be read. group: equal for crops that must be on one side of a split."""

    path: Path
    label: str
    group: str
    circle: Circle | None = None


def _list_ready_crops(folder: Path, recipe: Recipe) -> list[_ReadyCrop]:
    if not (folder / MANIFEST).exists():
        return [
            _ReadyCrop(path, label, f"{folder} {_name_group(path, recipe)}")
            for path, label in list_labelled_images(folder, recipe).items()
        ]
    dataset = Dataset.load(folder)
    if not dataset.manifest["crops"]:
        raise InputError(
            f"{folder}: holds frames, the recipe's source is crops; set `source: frames`, or name "
            "a data set made with --crops"
        )
    return [
        _ReadyCrop(
            folder / row.image_file, row.label, f"{folder} {row.group}", dataset.circle_of(row)
        )
        for row in select_rows(dataset, recipe)
    ]


def _name_group(path: Path, recipe: Recipe) -> str:
    """What crops of the same coins, or of one photograph, have in common by the recipe's patterns.

    Where no pattern matches, each crop is its own group.
    """
    for pattern in recipe.same_coins:
        if re.search(pattern, path.stem):
            return pattern
    match = re.search(recipe.group_pattern, path.stem) if recipe.group_pattern else None
    if match is None:
        return str(path)
    return str(match.group(match.lastindex or 0))


def select_rows(dataset: Dataset, recipe: Recipe) -> list[Row]:
    """The rows that a recipe trains on, with the recipe's labels, in the order taken.

    That order is by the times in the names of their sources.
    """
    names = recipe.find_names()
    rows = [
        replace(row, label=names[row.label])
        for row in dataset.kept_rows()
        if row.label in names and row.split != TEST
    ]
    return sorted(rows, key=lambda row: order_taken(Path(row.source)))


def _check_labels(folders: Sequence[Path], recipe: Recipe, present: set[str]) -> None:
    expected = {label.name for label in recipe.labels}
    missing = sorted(expected - present)
    if missing:
        raise InputError(
            f"{', '.join(map(str, folders))}: no images in folders named {', '.join(missing)}; "
            "the recipe's labels are the names of the folders"
        )


def _locate_in_row(dataset: Dataset, row: Row, recipe: Recipe) -> _LocatedCoin:
    pixels = dataset.read_image(row)
    circle = _measure_again(pixels, dataset.circle_of(row), recipe)
    frame_circle = replace(
        circle,
        x_px=row.frame_x_px + circle.x_px - row.x_px,
        y_px=row.frame_y_px + circle.y_px - row.y_px,
    )
    return _LocatedCoin(row.label, dataset.folder / row.image_file, circle, frame_circle)


def _measure_again(pixels: np.ndarray, circle: Circle, recipe: Recipe) -> Circle:
    """A prepared coin's circle as the recipe wants it measured; unchanged without an outline."""
    candidate = np.array([(circle.x_px, circle.y_px, circle.radius_px)], np.float32)
    outlines = contour.measure_outlines(pixels, candidate, recipe.by_extent)
    return replace(outlines[0], off_patch=circle.off_patch) if outlines else circle


def _locate_in_frame(pixels: np.ndarray, recipe: Recipe) -> Circle | str:
    """The only coin in a frame, or how many there are."""
    diameters_mm = [label.diameter_mm for label in recipe.labels]
    scale_range = (recipe.px_per_mm, recipe.px_per_mm)
    low_px, high_px = compute_search_radii(diameters_mm, scale_range)
    search = Search(low_px, high_px, **LENIENT_SEARCH, by_extent=recipe.by_extent)
    return find_only_coin(pixels, search)


def _cut_from_frames(
    coins: list[_LocatedCoin],
    size: tuple[int, int],
    groups: np.ndarray,
    recipe: Recipe,
    left_out: dict[str, str],
    bundle: Bundle | None,
) -> PhotographedCoins:
    if bundle:
        _check_size(size, bundle)
    _check_located(coins, recipe)
    labels = _number_labels(coins, recipe)
    label_diameters_mm = np.array([label.diameter_mm for label in recipe.labels])
    nominal_mm = label_diameters_mm[labels]
    circles = tuple(coin.frame_circle for coin in coins)
    if bundle:
        plane, spec = bundle.view, bundle.crop
    else:
        plane = scale.fit_plane(circles, nominal_mm, *size)
        spec = recipe.make_crop_spec(_measure_surround(circles), float(label_diameters_mm.max()))
    diameters_mm = _follow_diameters(circles, nominal_mm, plane)
    samples = Samples(
        crops=_cut_crops(coins, diameters_mm, spec),
        labels=labels,
        circles=circles,
        diameters_mm=diameters_mm,
        groups=groups,
    )
    return PhotographedCoins(samples, plane, spec, left_out)


def _check_size(size: tuple[int, int], bundle: Bundle) -> None:
    view = bundle.view
    if size != (view.width_px, view.height_px):
        raise InputError(
            f"its images are {size[0]}x{size[1]}, the view of bundle {bundle.path} is "
            f"{view.width_px}x{view.height_px}"
        )


def _check_located(coins: list[_LocatedCoin], recipe: Recipe) -> None:
    expected = {label.name for label in recipe.labels}
    located = {coin.label for coin in coins}
    missing = sorted(expected - located)
    if missing:
        raise InputError(
            f"label {', '.join(missing)}: no coin was found in any of its images; look at "
            f"px_per_mm ({recipe.px_per_mm:g}) and at the images"
        )


def _number_labels(coins: list[_LocatedCoin], recipe: Recipe) -> np.ndarray:
    """The places of the coins' labels in the recipe: int (n,)."""
    names = [label.name for label in recipe.labels]
    return np.array([names.index(coin.label) for coin in coins])


def _measure_surround(circles: tuple[Circle, ...]) -> tuple[float, float, float]:
    """The belt around the typical coin, in one grey 0..255: all crops are brought to it."""
    surrounds = [circle.surround for circle in circles]
    grey = round(float(np.median(surrounds)), 1)
    return (grey, grey, grey)


def _follow_diameters(
    circles: tuple[Circle, ...], nominal_mm: np.ndarray, plane: ScalePlane
) -> np.ndarray:
    """Diameters in mm, float (n,), of coins of known label.

    The view's scale is followed from coin to coin, in the order taken.
    """
    measured_mm = [plane.measure_diameter_mm(circle) for circle in circles]
    ratios = np.array(measured_mm) / nominal_mm
    diameter_std = mad_std(ratios, center=1.0)
    follower = ScaleFollower(plane, max(diameter_std, MIN_DIAMETER_STD))
    diameters_mm = []
    for circle, diameter_mm in zip(circles, nominal_mm):
        diameters_mm.append(follower.plane.measure_diameter_mm(circle))
        follower.follow(circle, [diameter_mm], [1.0])
    return np.array(diameters_mm)


def _cut_crops(coins: list[_LocatedCoin], diameters_mm: np.ndarray, spec: CropSpec) -> Crops:
    """The coins' crops. Their images are read again: how to cut follows from all coins."""
    store = CropStore(spec.size_px)
    for coin, diameter_mm in zip(coins, diameters_mm):
        pixels = read_image(coin.path)
        if pixels is None:
            raise InputError(
                f"{coin.path}: could be read a moment ago, and now it cannot; do not change the "
                "images while they are trained on"
            )
        store.add(cut_crop(pixels, coin.circle, float(diameter_mm), spec))
    return store.finish()
