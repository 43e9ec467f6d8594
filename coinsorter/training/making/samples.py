"""Where training crops come from: frames of real coins, or the simulated currency; found and cut by the machine's own code."""

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from coinsorter import crop, outline, scale
from coinsorter.assembly import SEARCH_MARGIN
from coinsorter.crop import CropSpec
from coinsorter.devices.camera import last_number, picture_paths, read_picture
from coinsorter.errors import InputError
from coinsorter.records import Circle
from coinsorter.scale import ScaleFollower, ScalePlane
from coinsorter.segment import Search, find_things
from coinsorter.simulator import coins, currency
from coinsorter.simulator.camera import Optics
from coinsorter.simulator.stills import photograph
from coinsorter.training.data.clean import LENIENT
from coinsorter.training.data.dataset import Dataset, Row
from coinsorter.training.data.split import TEST, bursts
from coinsorter.training.making.recipe import Recipe

NONE = -1  # the label of things that are none of the bundle's coins
# The simulated machine's camera, as config.yaml has it.
OPTICS = Optics(640, 480, 4.0, 0.375)
CHUNK = 500
FIRST_DRAWN = 1 << 20  # group of the first drawn thing: beyond those of photographs
MIN_SCATTER = 0.004  # relative: no diameter is measured better

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Samples:
    """Coins, each with its crop and its truth.

    crops: uint8 (n, size, size, 3) RGB. labels: int (n,), NONE for things that are no coins of the bundle. circles: their outlines.
    diameters_mm: float (n,), as the machine measures them. groups: int (n,), equal for pictures of one coin taken together. surround is
    corrected for in the crops already.
    """

    crops: np.ndarray
    labels: np.ndarray
    circles: tuple[Circle, ...]
    diameters_mm: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: np.ndarray) -> Self:
        """Those at which a boolean array is True."""
        index = np.flatnonzero(chosen)
        circles = tuple(self.circles[i] for i in index)
        return type(self)(self.crops[index], self.labels[index], circles, self.diameters_mm[index], self.groups[index])

    def measured(self, plane: ScalePlane) -> Self:
        """The same, with diameters by a calibrated view."""
        return replace(self, diameters_mm=np.array([plane.diameter_mm(circle) for circle in self.circles]))

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        crops, labels, diameters, groups = (np.concatenate([getattr(p, n) for p in parts]) for n in ("crops", "labels", "diameters_mm", "groups"))
        return cls(crops, labels, tuple(circle for part in parts for circle in part.circles), diameters, groups)


@dataclass(frozen=True, eq=False)
class Found:
    """The coins found in frames, the view's scale and the crops' make that follow from them, and why other frames were left out, by path."""

    samples: Samples
    plane: ScalePlane
    spec: CropSpec
    left_out: dict[str, str]


@dataclass(frozen=True, eq=False)
class _Seen:
    """One coin that was found: its circle in `pixels`, which may be part of the frame only, and in the frame."""

    label: str
    pixels: np.ndarray
    circle: Circle
    in_frame: Circle


def from_frames(folder: Path, recipe: Recipe, progress: Progress) -> Found:
    """The coins in a folder of frames, one in each, in folders named as labels. left_out: why a frame was not used, by path.

    Raises InputError where folders and labels do not agree.
    """
    names = [label.name for label in recipe.labels]
    paths = [path for path in picture_paths(folder) if path.parent.name in names]
    _check_labels(folder, recipe, {path.parent.name for path in paths})
    found: dict[Path, _Seen] = {}
    left_out: dict[str, str] = {}
    size = (0, 0)
    for number, path in enumerate(paths):
        pixels = read_picture(path)
        what = "unreadable" if pixels is None else _only_circle(pixels, recipe)
        if isinstance(what, Circle) and pixels is not None:
            found[path], size = _Seen(path.parent.name, pixels, what, what), (pixels.shape[1], pixels.shape[0])
        else:
            left_out[str(path)] = str(what)
        progress(number + 1)
    return _cut_out(list(found.values()), size, np.array(bursts(list(found), recipe.group_gap_s)), recipe, left_out)


def from_dataset(data: Dataset, recipe: Recipe, progress: Progress) -> Found:
    """The coins of a prepared data set but for its test split; its groups are kept. In the order taken: by the last number in their names.

    Raises InputError where its labels are not the recipe's, and where its pictures are not of one size: then they are no frames of one
    camera, and nothing tells their scale.
    """
    rows = rows_for(data, recipe)
    _check_labels(data.folder, recipe, {row.label for row in rows})
    if data.frame is None or data.facts["crops"]:
        raise InputError(f"{data.folder}: its pictures are no frames of one camera, so that nothing tells the scale; prepare such frames")
    found = []
    for number, row in enumerate(rows):
        pixels = data.read(row)
        circle = _measured(pixels, data.circle(row), recipe)
        in_frame = replace(circle, x_px=row.frame_x_px + circle.x_px - row.x_px, y_px=row.frame_y_px + circle.y_px - row.y_px)
        found.append(_Seen(row.label, pixels, circle, in_frame))
        progress(number + 1)
    left_out = {row.source: row.reason for row in data.rows if not row.picture}
    return _cut_out(found, data.frame, np.array([row.group for row in rows]), recipe, left_out)


def rows_for(data: Dataset, recipe: Recipe) -> list[Row]:
    """The rows of a data set that a recipe trains on, in the order taken."""
    names = {label.name for label in recipe.labels}
    rows = [row for row in data.kept() if row.label in names and row.split != TEST]
    return sorted(rows, key=lambda row: (last_number(Path(row.source).stem), row.source))


def _check_labels(folder: Path, recipe: Recipe, there: set[str]) -> None:
    missing = sorted({label.name for label in recipe.labels} - there)
    if missing:
        raise InputError(f"{folder}: no pictures in folders named {', '.join(missing)}; the recipe's labels are the names of the folders")


def _measured(pixels: np.ndarray, circle: Circle, recipe: Recipe) -> Circle:
    """A prepared coin's circle as the recipe wants it measured; as it was prepared, where no outline is found now."""
    candidate = np.array([(circle.x_px, circle.y_px, circle.radius_px)], np.float32)
    found = outline.measure(pixels, candidate, recipe.by_extent)
    return replace(found[0], off_patch=circle.off_patch) if found else circle


def _cut_out(found: list[_Seen], size: tuple[int, int], groups: np.ndarray, recipe: Recipe, left_out: dict[str, str]) -> Found:
    names = [label.name for label in recipe.labels]
    unseen = sorted(set(names) - {seen.label for seen in found})
    if unseen:
        raise InputError(f"label {', '.join(unseen)}: no coin was found in any of its pictures; look at px_per_mm ({recipe.px_per_mm:g}) and at the pictures")
    labels = np.array([names.index(seen.label) for seen in found])
    nominal = np.array([label.diameter_mm for label in recipe.labels])
    circles = tuple(seen.in_frame for seen in found)
    plane = scale.fit_plane(circles, nominal[labels], *size)
    spec = recipe.crop_spec(_typical_surround(circles), float(nominal.max()))
    diameters = _followed(circles, nominal[labels], plane)
    crops = np.stack([crop.cut(seen.pixels, seen.circle, diameter, spec) for seen, diameter in zip(found, diameters)])
    return Found(Samples(crops, labels, circles, diameters, groups), plane, spec, left_out)


def _followed(circles: tuple[Circle, ...], nominal_mm: np.ndarray, plane: ScalePlane) -> np.ndarray:
    """Diameters in mm, float (n,), with the view's scale followed from coin to coin in the order taken, each coin's label known."""
    scatter = 1.4826 * float(np.median([abs(plane.diameter_mm(circle) / nominal - 1) for circle, nominal in zip(circles, nominal_mm)]))
    follower, diameters = ScaleFollower(plane, max(scatter, MIN_SCATTER)), []
    for circle, nominal in zip(circles, nominal_mm):
        diameters.append(follower.plane.diameter_mm(circle))
        follower.follow(circle, [nominal], [1.0])
    return np.array(diameters)


def _only_circle(pixels: np.ndarray, recipe: Recipe) -> Circle | str:
    diameters = [label.diameter_mm for label in recipe.labels]
    low, high = (margin * extreme / 2 * recipe.px_per_mm for margin, extreme in zip(SEARCH_MARGIN, (min(diameters), max(diameters))))
    circles = [c for c in find_things(pixels, Search(low, high, **LENIENT, by_extent=recipe.by_extent)) if c.quality]
    return circles[0] if len(circles) == 1 else f"{len(circles)} coins"


def _typical_surround(circles: tuple[Circle, ...]) -> tuple[float, float, float]:
    """What the belt looks like around the typical coin, in one grey: all crops are brought to it."""
    return (round(float(np.median([circle.surround for circle in circles])), 1),) * 3


def folds(samples: Samples, count: int, rng: np.random.Generator) -> np.ndarray:
    """Deals every sample a fold, int (n,) of 0..count-1: of each label whole groups, the largest first, to the fold with fewest of it."""
    dealt = np.zeros(len(samples), int)
    for label in np.unique(samples.labels):
        groups, counts = _groups(samples, label)
        order = np.lexsort((rng.random(len(groups)), -counts))
        load = rng.random(count)  # of two equally filled folds, any
        for group, size in zip(groups[order], counts[order]):
            fold = int(load.argmin())
            load[fold] += size
            dealt[samples.groups == group] = fold
    return dealt


def _groups(samples: Samples, label: int) -> tuple[np.ndarray, np.ndarray]:
    groups, counts = np.unique(samples.groups[samples.labels == label], return_counts=True)
    if len(groups) < 2:
        raise InputError(f"label {label}: all its pictures are one burst; at least two are needed, to train on one and judge on another")
    return groups, counts


def hold_out(samples: Samples, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which samples no network may see, as a boolean array: of each label whole groups, about the given share of its samples."""
    held = np.zeros(len(samples), bool)
    for label in np.unique(samples.labels):
        groups, counts = _groups(samples, label)
        held |= np.isin(samples.groups, groups[_near_share(counts, share, rng)])
    return held


def _near_share(counts: np.ndarray, share: float, rng: np.random.Generator) -> list[int]:
    """Which of some groups, taken in a random order, come near a share of all their samples: at least one, and never all."""
    wanted, taken = share * counts.sum(), []
    for group in rng.permutation(len(counts)).tolist():
        so_far = counts[taken].sum()
        if abs(so_far + counts[group] - wanted) < abs(so_far - wanted) and len(taken) < len(counts) - 1:
            taken.append(group)
    return taken or [int(counts.argmin())]


def simulated(kind: str, count: int, spec: CropSpec, motifs: tuple[str, ...], seed: list[int], progress: Progress) -> Samples:
    """`count` simulated things of one kind ("coin": genuine ones, each denomination as often), photographed, found and cut."""
    jobs = [(kind, min(CHUNK, count - start), start // CHUNK, spec, motifs, seed) for start in range(0, count, CHUNK)]
    parts = []
    with multiprocessing.get_context("spawn").Pool() as pool:
        for part in pool.imap(_simulated_chunk, jobs):
            parts.append(part)
            progress(min(count, CHUNK * len(parts)))
    return Samples.joined(parts)


def _simulated_chunk(job: tuple[str, int, int, CropSpec, tuple[str, ...], list[int]]) -> Samples:
    kind, count, chunk, spec, motifs, seed = job
    rng = np.random.default_rng([*seed, chunk])
    things = _things(kind, count, motifs, rng)
    names = [coin.label for coin in currency.CROWNS]
    smallest, largest = (margin * d / 2 * OPTICS.px_per_mm for margin, d in zip(SEARCH_MARGIN, (18.0, 27.5)))
    crops, labels, circles, diameters = [], [], [], []
    for still in photograph(things, OPTICS, rng):
        seen = [c for c in find_things(still.pixels, Search(smallest, largest, **LENIENT)) if c.quality]
        for thing, x_px, y_px in still.things:
            near = [c for c in seen if np.hypot(c.x_px - x_px, c.y_px - y_px) < 0.3 * c.radius_px]
            if near:
                diameters.append(2 * near[0].radius_px / OPTICS.px_per_mm)
                crops.append(crop.cut(still.pixels, near[0], diameters[-1], spec))
                labels.append(names.index(thing.label) if thing.label else NONE)
                circles.append(near[0])
    shaped = np.array(crops, np.uint8).reshape(-1, spec.size_px, spec.size_px, 3)
    return Samples(shaped, np.array(labels, int), tuple(circles), np.array(diameters), FIRST_DRAWN + chunk * CHUNK + np.arange(len(labels)))


def _things(kind: str, count: int, motifs: tuple[str, ...], rng: np.random.Generator) -> Iterator[coins.Thing]:
    for number in range(count):
        if kind == coins.GENUINE:
            yield coins.genuine(rng, currency.CROWNS[number % len(currency.CROWNS)].label)
        else:
            yield coins.foreign(rng, kind, motifs)
