"""Where training crops come from: frames of real coins, or the simulated currency; found and cut by the machine's own code."""

import multiprocessing
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from coinsorter import crop, scale
from coinsorter.assembly import SEARCH_MARGIN
from coinsorter.crop import CropSpec
from coinsorter.devices.camera import picture_paths, read_picture
from coinsorter.errors import InputError
from coinsorter.records import Circle
from coinsorter.scale import ScalePlane
from coinsorter.segment import Search, find_things
from coinsorter.simulator import coins, currency
from coinsorter.simulator.camera import Optics
from coinsorter.simulator.stills import photograph
from coinsorter.training.recipe import Recipe

NONE = -1  # the label of things that are none of the bundle's coins
# The simulated machine's camera, as config.yaml has it.
OPTICS = Optics(640, 480, 4.0, 0.375)
# Found as leniently as makes sense: what a lone coin's outline is like is measured here, not assumed.
LENIENT = {"min_roundness": 0.5, "min_quality": 0.5, "max_off_patch": 0.5}
CHUNK = 500

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Samples:
    """Coins, each with its crop and its truth.

    crops: uint8 (n, size, size, 3) RGB. labels: int (n,), NONE for things that are no coins of the bundle. circles: their outlines.
    groups: int (n,), equal for pictures of one coin taken together. surround is corrected for in the crops already.
    """

    crops: np.ndarray
    labels: np.ndarray
    circles: tuple[Circle, ...]
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: np.ndarray) -> Self:
        """Those at which a boolean array is True."""
        index = np.flatnonzero(chosen)
        return type(self)(self.crops[index], self.labels[index], tuple(self.circles[i] for i in index), self.groups[index])

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        circles = tuple(circle for part in parts for circle in part.circles)
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("crops", "labels")), circles, np.concatenate([p.groups for p in parts]))


@dataclass(frozen=True, eq=False)
class Found:
    """The coins found in frames, the view's scale and the crops' make that follow from them, and why other frames were left out, by path."""

    samples: Samples
    plane: ScalePlane
    spec: CropSpec
    left_out: dict[str, str]


def from_frames(folder: Path, recipe: Recipe, progress: Progress) -> Found:
    """The coins in a folder of frames, one in each, in folders named as labels. left_out: why a frame was not used, by path.

    Raises InputError where folders and labels do not agree.
    """
    names = [label.name for label in recipe.labels]
    paths = [path for path in picture_paths(folder) if path.parent.name in names]
    missing = sorted(set(names) - {path.parent.name for path in paths})
    if missing:
        raise InputError(f"{folder}: no pictures in folders named {', '.join(missing)}; the recipe's labels are the names of the folders")
    found: list[tuple[Path, np.ndarray, Circle]] = []
    left_out: dict[str, str] = {}
    for number, path in enumerate(paths):
        pixels = read_picture(path)
        what = "unreadable" if pixels is None else _only_circle(pixels, recipe)
        if isinstance(what, Circle) and pixels is not None:
            found.append((path, pixels, what))
        else:
            left_out[str(path)] = str(what)
        progress(number + 1)
    return _cut_out(found, recipe, left_out)


def _cut_out(found: list[tuple[Path, np.ndarray, Circle]], recipe: Recipe, left_out: dict[str, str]) -> Found:
    names = [label.name for label in recipe.labels]
    diameters = {label.name: label.diameter_mm for label in recipe.labels}
    circles = tuple(circle for _, _, circle in found)
    height, width = found[0][1].shape[:2]
    plane = scale.fit_plane(circles, (diameters[path.parent.name] for path, _, _ in found), width, height)
    spec = recipe.crop_spec(_typical_surround(circles), max(diameters.values()))
    crops = np.stack([crop.cut(pixels, circle, plane.diameter_mm(circle), spec) for _, pixels, circle in found])
    labels = np.array([names.index(path.parent.name) for path, _, _ in found])
    return Found(Samples(crops, labels, circles, bursts([path for path, _, _ in found], recipe.group_gap_s)), plane, spec, left_out)


def _only_circle(pixels: np.ndarray, recipe: Recipe) -> Circle | str:
    diameters = [label.diameter_mm for label in recipe.labels]
    low, high = (margin * extreme / 2 * recipe.px_per_mm for margin, extreme in zip(SEARCH_MARGIN, (min(diameters), max(diameters))))
    circles = [c for c in find_things(pixels, Search(low, high, **LENIENT)) if c.quality]
    return circles[0] if len(circles) == 1 else f"{len(circles)} coins"


def _typical_surround(circles: tuple[Circle, ...]) -> tuple[float, float, float]:
    """What the belt looks like around the typical coin, in one grey: all crops are brought to it."""
    return (round(float(np.median([circle.surround for circle in circles])), 1),) * 3


def bursts(paths: list[Path], gap_s: float) -> np.ndarray:
    """Numbers pictures taken in one go of one coin: of the same folder, with no gap in the last number of their names, in order."""
    groups: list[int] = []
    current: dict[Path, tuple[int, int]] = {}  # by folder: its latest burst, and when that was last added to
    count = 0
    for path in paths:
        taken = int((re.findall(r"\d+", path.stem) or ["0"])[-1])
        burst, last = current.get(path.parent, (0, 0))
        if not burst or taken - last > gap_s:
            count += 1
            burst = count
        current[path.parent] = (burst, taken)
        groups.append(burst)
    return np.array(groups)


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
    crops, labels, circles = [], [], []
    for still in photograph(things, OPTICS, rng):
        seen = [c for c in find_things(still.pixels, Search(smallest, largest, **LENIENT)) if c.quality]
        for thing, x_px, y_px in still.things:
            near = [c for c in seen if np.hypot(c.x_px - x_px, c.y_px - y_px) < 0.3 * c.radius_px]
            if near:
                crops.append(crop.cut(still.pixels, near[0], 2 * near[0].radius_px / OPTICS.px_per_mm, spec))
                labels.append(names.index(thing.label) if thing.label else NONE)
                circles.append(near[0])
    size = spec.size_px
    return Samples(np.array(crops, np.uint8).reshape(-1, size, size, 3), np.array(labels, int), tuple(circles), np.full(len(labels), chunk))


def _things(kind: str, count: int, motifs: tuple[str, ...], rng: np.random.Generator) -> Iterator[coins.Thing]:
    for number in range(count):
        if kind == coins.GENUINE:
            yield coins.genuine(rng, currency.CROWNS[number % len(currency.CROWNS)].label)
        else:
            yield coins.foreign(rng, kind, motifs)
