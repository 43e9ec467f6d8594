"""Crops with their truth, and how whole groups of them are held out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.random import Generator

from coinsorter.errors import InputError
from coinsorter.records import Circle
from coinsorter.training.samples.crop_store import Crops
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

#: The label of objects that are none of the bundle's coins.
FOREIGN_LABEL = -1


@dataclass(frozen=True, eq=False)
class Samples:
    """Coins, each with its crop and its truth.

    crops: n of uint8 (size, size, 3) RGB, on the disk; an array of them is accepted too.
    labels: int (n,), FOREIGN_LABEL for objects that are none of the bundle's coins.
    circles: their outlines. diameters_mm: float (n,), as the machine measures them.
    groups: int (n,), equal for images of one coin taken together.
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

    @property
    def is_genuine(self) -> np.ndarray:
        """Which samples are coins of the bundle: bool (n,)."""
        is_genuine: np.ndarray = self.labels != FOREIGN_LABEL
        return is_genuine

    def select(self, mask: np.ndarray) -> Self:
        """The samples at which a boolean array is True."""
        index = np.flatnonzero(mask)
        return type(self)(
            crops=self.crops.take(index),
            labels=self.labels[index],
            circles=tuple(self.circles[place] for place in index),
            diameters_mm=self.diameters_mm[index],
            groups=self.groups[index],
        )

    def with_diameters(self, plane: ScalePlane) -> Self:
        """The same samples with diameters measured by a calibrated view."""
        diameters_mm = [plane.measure_diameter_mm(circle) for circle in self.circles]
        return replace(self, diameters_mm=np.array(diameters_mm))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """All samples of several parts, in that order."""
        return cls(
            crops=Crops.concatenate(part.crops for part in parts),
            labels=np.concatenate([part.labels for part in parts]),
            circles=tuple(circle for part in parts for circle in part.circles),
            diameters_mm=np.concatenate([part.diameters_mm for part in parts]),
            groups=np.concatenate([part.groups for part in parts]),
        )


def make_empty_samples(spec: CropSpec) -> Samples:
    """No samples, of crops of the right size."""
    crops = np.empty((0, spec.size_px, spec.size_px, 3), np.uint8)
    nothing = np.empty(0, int)
    return Samples(Crops.wrap(crops), nothing, (), np.empty(0), nothing)


def deal_folds(
    samples: Samples, count: int, rng: Generator, names: Sequence[str] = ()
) -> np.ndarray:
    """The cross-validation fold of every sample: int (n,) of 0..count-1.

    Whole groups of each label go to the fold with the fewest of it, the largest groups first.
    names: of the labels, by their numbers. Raises InputError where a label has one group only.
    """
    folds = np.zeros(len(samples), int)
    for label in np.unique(samples.labels):
        groups, counts = _count_groups(samples, label, names)
        ties = rng.random(len(groups))
        order = np.lexsort((ties, -counts))
        loads = rng.random(count)  # a fraction each: of two equally filled folds, either
        for group, size in zip(groups[order], counts[order]):
            fold = int(loads.argmin())
            loads[fold] += size
            folds[samples.groups == group] = fold
    return folds


def _count_groups(
    samples: Samples, label: int, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    is_of_label = samples.labels == label
    groups, counts = np.unique(samples.groups[is_of_label], return_counts=True)
    if len(groups) < 2:
        raise InputError(describe_one_burst(names[label] if names else str(label)))
    return groups, counts


def describe_one_burst(label: str) -> str:
    """What is wrong with a label whose images were all taken together."""
    return (
        f"label {label}: all its images are one burst; at least two are needed, to train on one "
        "and evaluate on another"
    )


def hold_out(
    samples: Samples, share: float, rng: Generator, names: Sequence[str] = ()
) -> np.ndarray:
    """Which samples no network may see, as a boolean array.

    Of each label whole groups, about the given share of its samples. names: of the labels, by
    their numbers. Raises InputError where a label has one group only.
    """
    is_held_out = np.zeros(len(samples), bool)
    for label in np.unique(samples.labels):
        groups, counts = _count_groups(samples, label, names)
        chosen = groups[_choose_share(counts, share, rng)]
        is_held_out |= np.isin(samples.groups, chosen)
    return is_held_out


def _choose_share(counts: np.ndarray, share: float, rng: Generator) -> list[int]:
    """Groups, taken in a random order, that come near a share of all samples: not none, not all."""
    wanted = share * counts.sum()
    chosen: list[int] = []
    for group in rng.permutation(len(counts)).tolist():
        total = counts[chosen].sum()
        error_without = abs(total - wanted)
        error_with = abs(total + counts[group] - wanted)
        leaves_one = len(chosen) < len(counts) - 1
        if leaves_one and error_with < error_without:
            chosen.append(group)
    return chosen or [int(counts.argmin())]
