"""Crops with their truth, and how they are dealt to training and to judging: by whole groups."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from coinsorter.errors import InputError
from coinsorter.records import Circle
from coinsorter.training.samples.crop_store import Crops
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

FOREIGN_LABEL = -1  # the label of things that are none of the bundle's coins

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Samples:
    """Coins, each with its crop and its truth.

    crops: n of uint8 (size, size, 3) RGB, on the disk; an array of them may be given too. labels: int (n,), NONE for things that are no coins of the bundle. circles: their outlines.
    diameters_mm: float (n,), as the machine measures them. groups: int (n,), equal for pictures of one coin taken together. surround is
    corrected for in the crops already.
    """

    crops: Crops
    labels: np.ndarray
    circles: tuple[Circle, ...]
    diameters_mm: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "crops", Crops.wrap(self.crops))

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: np.ndarray) -> Self:
        """Those at which a boolean array is True."""
        index = np.flatnonzero(chosen)
        circles = tuple(self.circles[i] for i in index)
        return type(self)(
            self.crops.take(index),
            self.labels[index],
            circles,
            self.diameters_mm[index],
            self.groups[index],
        )

    def with_diameters(self, plane: ScalePlane) -> Self:
        """The same, with diameters by a calibrated view."""
        return replace(
            self,
            diameters_mm=np.array([plane.measure_diameter_mm(circle) for circle in self.circles]),
        )

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        labels, diameters, groups = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("labels", "diameters_mm", "groups")
        )
        return cls(
            Crops.concatenate(part.crops for part in parts),
            labels,
            tuple(circle for part in parts for circle in part.circles),
            diameters,
            groups,
        )


def make_empty_samples(spec: CropSpec) -> Samples:
    """No coin at all."""
    return Samples(
        np.empty((0, spec.size_px, spec.size_px, 3), np.uint8),
        np.empty(0, int),
        (),
        np.empty(0),
        np.empty(0, int),
    )


def deal_folds(samples: Samples, count: int, rng: np.random.Generator) -> np.ndarray:
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
        raise InputError(
            f"label {label}: all its pictures are one burst; at least two are needed, to train on one and judge on another"
        )
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
        if (
            abs(so_far + counts[group] - wanted) < abs(so_far - wanted)
            and len(taken) < len(counts) - 1
        ):
            taken.append(group)
    return taken or [int(counts.argmin())]
