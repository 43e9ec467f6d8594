"""Crops of real coins: from frames of one camera, from ready crops, or from what `prepare` made of either."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coinsorter.errors import InputError
from coinsorter.images import last_number, list_images, read_image
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Circle
from coinsorter.robust import mad_std
from coinsorter.training.dataset import quality
from coinsorter.training.dataset.dataset import MANIFEST, Dataset, Row
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.dataset.splits import TEST, number_bursts
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.crop_store import Crops, CropStore
from coinsorter.training.samples.from_simulator import OPTICS
from coinsorter.training.samples.samples import FOREIGN_LABEL, Progress, Samples
from coinsorter.vision import contour, crop, scale
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.detect import Search, compute_search_radii, find_only_coin
from coinsorter.vision.scale import ScaleFollower, ScalePlane

MIN_SCATTER = 0.004  # relative: no diameter is measured better


@dataclass(frozen=True, eq=False)
class PhotographedCoins:
    """The coins found in frames, the view's scale and the crops' make that follow from them, and why other frames were left out, by path."""

    samples: Samples
    plane: ScalePlane
    spec: CropSpec
    left_out: dict[str, str]


@dataclass(frozen=True, eq=False)
class _Seen:
    """One coin that was found: its circle in the picture at `path`, which may be part of the frame only, and in the frame."""

    label: str
    path: Path
    circle: Circle
    in_frame: Circle


def list_labelled_images(folder: Path, recipe: Recipe) -> dict[Path, str]:
    """The pictures below a folder in folders named as labels, in the order taken, with their labels."""
    names = {name: label.name for label in recipe.labels for name in (label.name, *label.aliases)}
    return {
        path: names[path.parent.name] for path in list_images(folder) if path.parent.name in names
    }


def read_frames(
    folder: Path, recipe: Recipe, progress: Progress, models: Bundle | None = None
) -> PhotographedCoins:
    """The coins in a folder of frames, one in each, in folders named as labels. left_out: why a frame was not used, by path.

    models: a bundle whose view and make of crops these frames have; None: both follow from the coins.

    Raises InputError where folders and labels do not agree.
    """
    paths = list_labelled_images(folder, recipe)
    _check_labels([folder], recipe, set(paths.values()))
    found: dict[Path, _Seen] = {}
    left_out: dict[str, str] = {}
    size = (0, 0)
    for number, (path, label) in enumerate(paths.items()):
        pixels = read_image(path)
        what = "unreadable" if pixels is None else _only_circle(pixels, recipe)
        if isinstance(what, Circle) and pixels is not None:
            found[path], size = _Seen(label, path, what, what), (pixels.shape[1], pixels.shape[0])
        else:
            left_out[str(path)] = str(what)
        progress(number + 1)
    return _cut_out(
        list(found.values()),
        size,
        np.array(number_bursts(list(found), recipe.group_gap_s)),
        recipe,
        left_out,
        models,
    )


def read_dataset(
    data: Dataset, recipe: Recipe, progress: Progress, models: Bundle | None = None
) -> PhotographedCoins:
    """The coins of a prepared data set but for its test split; its groups are kept. In the order taken: by the last number in their names.

    Raises InputError where its labels are not the recipe's, and where its pictures are not of one size: then they are no frames of one
    camera, and nothing tells their scale.
    """
    rows = select_rows(data, recipe)
    _check_labels([data.folder], recipe, {row.label for row in rows})
    if data.frame is None or data.manifest["crops"]:
        raise InputError(
            f"{data.folder}: its pictures are no frames of one camera, so that nothing tells the scale; prepare such frames"
        )
    found = []
    for number, row in enumerate(rows):
        pixels = data.read_image(row)
        circle = _measured(pixels, data.circle_of(row), recipe)
        in_frame = replace(
            circle,
            x_px=row.frame_x_px + circle.x_px - row.x_px,
            y_px=row.frame_y_px + circle.y_px - row.y_px,
        )
        found.append(_Seen(row.label, data.folder / row.image_file, circle, in_frame))
        progress(number + 1)
    left_out = {row.source: row.reason for row in data.rows if not row.image_file}
    return _cut_out(
        found, data.frame, np.array([row.group for row in rows]), recipe, left_out, models
    )


def read_crops(
    folders: Sequence[Path], recipe: Recipe, progress: Progress, models: Bundle | None = None
) -> PhotographedCoins:
    """The coins of ready crops, in folders named as labels or in prepared data sets (but for their test splits); no diameters are known.

    Raises InputError where folders and labels do not agree.
    """
    pictures = [picture for folder in folders for picture in _ready(folder, recipe)]
    _check_labels(folders, recipe, {picture.label for picture in pictures})
    left_out: dict[str, str] = {}
    found, groups = [], []
    for number, picture in enumerate(pictures):
        pixels = read_image(picture.path)
        if pixels is None:
            left_out[str(picture.path)] = "unreadable"
        else:
            circle = picture.circle or quality.locate_in_crop(pixels)
            found.append(_Seen(picture.label, picture.path, circle, circle))
            groups.append(picture.group)
        progress(number + 1)
    _check_found(found, recipe)
    spec = (
        models.crop
        if models
        else recipe.make_crop_spec(_typical_surround(tuple(seen.circle for seen in found)), 0.0)
    )
    crops = _cut(found, np.zeros(len(found)), spec)
    numbers = np.unique(groups, return_inverse=True)[1]
    samples = Samples(
        crops,
        _numbers(found, recipe),
        tuple(seen.circle for seen in found),
        np.full(len(found), np.nan),
        numbers,
    )
    return PhotographedCoins(
        samples,
        ScalePlane(recipe.px_per_mm, 0.0, 0.0, OPTICS.width_px, OPTICS.height_px),
        spec,
        left_out,
    )


def read_anomalies(
    folder: Path, recipe: Recipe, found: PhotographedCoins, progress: Progress
) -> Samples:
    """Strange things, one in each picture of a folder, whatever its folders are named; pictures without exactly one are passed over.

    found: the coins, whose make of crops and scale these get. Raises InputError where not a single one is found.
    """
    circles, crops = [], CropStore(found.spec.size_px)
    for number, path in enumerate(list_images(folder)):
        pixels = read_image(path)
        if pixels is not None:
            circle = (
                quality.locate_in_crop(pixels, found.spec.surround)
                if recipe.source == "crops"
                else _only_circle(pixels, recipe)
            )
            if isinstance(circle, Circle):
                circles.append(circle)
                crops.add(
                    crop.cut_crop(
                        pixels, circle, found.plane.measure_diameter_mm(circle), found.spec
                    )
                )
        progress(number + 1)
    if not circles:
        raise InputError(
            f"{folder}: nothing round was found in any of its pictures; --anomalies are pictures like the coins', of what must be rejected"
        )
    count = len(circles)
    return Samples(
        crops.finish(),
        np.full(count, FOREIGN_LABEL),
        tuple(circles),
        np.full(count, np.nan),
        np.arange(count),
    )


@dataclass(frozen=True)
class _Ready:
    """A ready crop to be read. group: equal for crops that are not to be on two sides of a split."""

    path: Path
    label: str
    group: str
    circle: Circle | None = None


def _ready(folder: Path, recipe: Recipe) -> list[_Ready]:
    if not (folder / MANIFEST).exists():
        return [
            _Ready(path, label, f"{folder} {_together(path, recipe)}")
            for path, label in list_labelled_images(folder, recipe).items()
        ]
    data = Dataset.load(folder)
    if not data.manifest["crops"]:
        raise InputError(
            f"{folder}: holds frames, the recipe's source is crops; set `source: frames`, or name a data set made with --crops"
        )
    return [
        _Ready(folder / row.image_file, row.label, f"{folder} {row.group}", data.circle_of(row))
        for row in select_rows(data, recipe)
    ]


def _together(path: Path, recipe: Recipe) -> str:
    """What crops of the same coins, or of one photograph, share: by the recipe's patterns; where none finds anything, each is of its own."""
    sitting = next(
        (pattern for pattern in recipe.same_coins if re.search(pattern, path.stem)), None
    )
    found = (
        re.search(recipe.group_pattern, path.stem) if recipe.group_pattern and not sitting else None
    )
    return sitting or (found.group(found.lastindex or 0) if found else str(path))


def select_rows(data: Dataset, recipe: Recipe) -> list[Row]:
    """The rows of a data set that a recipe trains on, with the recipe's labels, in the order taken."""
    names = {name: label.name for label in recipe.labels for name in (label.name, *label.aliases)}
    rows = [
        replace(row, label=names[row.label])
        for row in data.kept_rows()
        if row.label in names and row.split != TEST
    ]
    return sorted(rows, key=lambda row: (last_number(Path(row.source).stem), row.source))


def _check_labels(folders: Sequence[Path], recipe: Recipe, there: set[str]) -> None:
    missing = sorted({label.name for label in recipe.labels} - there)
    if missing:
        where = ", ".join(map(str, folders))
        raise InputError(
            f"{where}: no pictures in folders named {', '.join(missing)}; the recipe's labels are the names of the folders"
        )


def _measured(pixels: np.ndarray, circle: Circle, recipe: Recipe) -> Circle:
    """A prepared coin's circle as the recipe wants it measured; as it was prepared, where no outline is found now."""
    candidate = np.array([(circle.x_px, circle.y_px, circle.radius_px)], np.float32)
    found = contour.measure_outlines(pixels, candidate, recipe.by_extent)
    return replace(found[0], off_patch=circle.off_patch) if found else circle


def _cut_out(
    found: list[_Seen],
    size: tuple[int, int],
    groups: np.ndarray,
    recipe: Recipe,
    left_out: dict[str, str],
    models: Bundle | None,
) -> PhotographedCoins:
    if models and size != (models.view.width_px, models.view.height_px):
        raise InputError(
            f"its pictures are {size[0]}x{size[1]}, the view of bundle {models.path} is {models.view.width_px}x{models.view.height_px}"
        )
    _check_found(found, recipe)
    labels = _numbers(found, recipe)
    nominal = np.array([label.diameter_mm for label in recipe.labels])
    circles = tuple(seen.in_frame for seen in found)
    plane = models.view if models else scale.fit_plane(circles, nominal[labels], *size)
    spec = (
        models.crop
        if models
        else recipe.make_crop_spec(_typical_surround(circles), float(nominal.max()))
    )
    diameters = _followed(circles, nominal[labels], plane)
    return PhotographedCoins(
        Samples(_cut(found, diameters, spec), labels, circles, diameters, groups),
        plane,
        spec,
        left_out,
    )


def _cut(found: list[_Seen], diameters_mm: np.ndarray, spec: CropSpec) -> Crops:
    """The coins' crops; their pictures are read once more, since only now it is known how crops are made."""
    shelf = CropStore(spec.size_px)
    for seen, diameter in zip(found, diameters_mm):
        pixels = read_image(seen.path)
        if pixels is None:
            raise InputError(
                f"{seen.path}: could be read a moment ago, and now it cannot; do not change the pictures while they are trained on"
            )
        shelf.add(crop.cut_crop(pixels, seen.circle, float(diameter), spec))
    return shelf.finish()


def _check_found(found: list[_Seen], recipe: Recipe) -> None:
    unseen = sorted({label.name for label in recipe.labels} - {seen.label for seen in found})
    if unseen:
        raise InputError(
            f"label {', '.join(unseen)}: no coin was found in any of its pictures; look at px_per_mm ({recipe.px_per_mm:g}) and at the pictures"
        )


def _numbers(found: list[_Seen], recipe: Recipe) -> np.ndarray:
    """The places of the coins' labels in the recipe: int (n,)."""
    names = [label.name for label in recipe.labels]
    return np.array([names.index(seen.label) for seen in found])


def _followed(circles: tuple[Circle, ...], nominal_mm: np.ndarray, plane: ScalePlane) -> np.ndarray:
    """Diameters in mm, float (n,), with the view's scale followed from coin to coin in the order taken, each coin's label known."""
    measured_mm = np.array([plane.measure_diameter_mm(circle) for circle in circles])
    scatter = mad_std(measured_mm / nominal_mm, center=1.0)
    follower, diameters = ScaleFollower(plane, max(scatter, MIN_SCATTER)), []
    for circle, nominal in zip(circles, nominal_mm):
        diameters.append(follower.plane.measure_diameter_mm(circle))
        follower.follow(circle, [nominal], [1.0])
    return np.array(diameters)


def _only_circle(pixels: np.ndarray, recipe: Recipe) -> Circle | str:
    diameters_mm = [label.diameter_mm for label in recipe.labels]
    low, high = compute_search_radii(diameters_mm, (recipe.px_per_mm, recipe.px_per_mm))
    search = Search(low, high, **LENIENT_SEARCH, by_extent=recipe.by_extent)
    return find_only_coin(pixels, search)


def _typical_surround(circles: tuple[Circle, ...]) -> tuple[float, float, float]:
    """What the belt looks like around the typical coin, in one grey: all crops are brought to it."""
    return (round(float(np.median([circle.surround for circle in circles])), 1),) * 3
