"""Which pictures are to train on and which to judge on: whole groups (a photograph, a burst, a coin), of each label its share."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import PurePath

import numpy as np

TRAIN, VALIDATION, TEST = SPLITS = "train", "validation", "test"


def number_bursts(paths: Sequence[PurePath], gap_s: float) -> list[int]:
    """Numbers pictures taken in one go of one coin: of the same folder, with no gap above gap_s in the last number of their names.

    Numbered from 1 in the order of the paths. A name without a number tells no time: such a picture is a burst of its own.
    """
    taken = [int((re.findall(r"\d+", path.stem) or ["-1"])[-1]) for path in paths]
    first: dict[int, int] = {}  # by picture: the earliest picture of its burst
    before: int | None = None
    for this in sorted(range(len(paths)), key=lambda i: (str(paths[i].parent), taken[i])):
        goes_on = (
            before is not None
            and paths[this].parent == paths[before].parent
            and taken[before] >= 0
            and taken[this] - taken[before] <= gap_s
        )
        first[this] = first[before] if goes_on else this
        before = this
    return _numbered([first[i] for i in range(len(paths))])


def groups(keys: Sequence[Iterable[Hashable]]) -> list[int]:
    """Numbers pictures so that any two that share a key have one number, directly or through others; from 1, in order."""
    leader = list(range(len(keys)))

    def lead(picture: int) -> int:
        while leader[picture] != picture:
            leader[picture] = picture = leader[leader[picture]]
        return picture

    holder: dict[Hashable, int] = {}
    for picture, own in enumerate(keys):
        for key in own:
            leader[lead(picture)] = lead(holder.setdefault(key, picture))
    return _numbered([lead(picture) for picture in range(len(keys))])


def _numbered(names: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(name, len(numbers) + 1) for name in names]


def split(
    labels: Sequence[str], grouped: Sequence[int], shares: Mapping[str, float], seed: int
) -> list[str]:
    """The split of each picture: never two for one group, and of each label about the wanted share in each.

    shares: of each split; one of 0 gets nothing. A label with as many groups as there are splits is in all of them (where no group holds
    two labels), one with fewer in the first of them. Each share is met to twice the label's largest group. The same seed deals the same.
    """
    wanted = {name: share for name, share in shares.items() if share > 0}
    counts, group_index = _counts(labels, grouped)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(counts))
    order = order[
        np.argsort(-counts[order].sum(axis=1), kind="stable")
    ]  # the largest first, of equals any
    dealt = _deal(counts[order], np.outer(list(wanted.values()), counts.sum(axis=0)))
    place = np.empty(len(counts), int)
    place[order] = dealt
    return [list(wanted)[i] for i in place[group_index]]


def _counts(labels: Sequence[str], grouped: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of each group and label, int (groups, labels); and the row there of each picture."""
    names, column = np.unique(np.asarray(labels, object).astype(str), return_inverse=True)
    numbers, row = np.unique(np.asarray(grouped, int), return_inverse=True)
    counts = np.zeros((len(numbers), len(names)), int)
    np.add.at(counts, (row, column), 1)
    return counts, row


def _deal(counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The split of each group, int (groups,). counts: (groups, labels), largest first. wanted: pictures, (splits, labels)."""
    place = np.full(len(counts), -1)
    have = np.zeros_like(wanted)

    def give(group: int, part: int) -> None:
        place[group] = part
        have[part] += counts[group]

    for label in np.argsort(
        (counts > 0).sum(axis=0), kind="stable"
    ):  # those with the fewest groups have the least choice
        for part in range(len(wanted)):
            free = np.flatnonzero((place < 0) & (counts[:, label] > 0))
            if len(free) and not have[part, label]:
                give(
                    free[0]
                    if part == 0
                    else free[np.abs(counts[free, label] - wanted[part, label]).argmin()],
                    part,
                )
    for group in np.flatnonzero(place < 0):
        short = (wanted - have) / counts.sum(axis=0)
        give(group, int((short @ counts[group]).argmax()))
    return place
