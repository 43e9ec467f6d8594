"""Which images train and which judge: whole groups, and of each label its share.

A group is what must stay together: a photograph, a burst, a coin.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from coinsorter.files.bounded import open_plain
from coinsorter.images.exif_times import EXIF_HEAD_BYTES, read_exif_taken_s
from coinsorter.images.name_times import find_counted, read_capture_name, read_taken_s

TRAIN, VALIDATION, TEST = SPLITS = "train", "validation", "test"


def read_file_head(path: PurePath) -> bytes:
    """How an image's file begins, as far as EXIF data go; nothing where it cannot be read."""
    try:
        with open_plain(Path(path)) as file:
            return file.read(EXIF_HEAD_BYTES)
    except OSError:
        return b""


def number_bursts(
    paths: Sequence[PurePath],
    gap_s: float,
    read_head: Callable[[PurePath], bytes] = read_file_head,
) -> list[int]:
    """The burst of each image: numbers from 1, in the order of the paths.

    A burst is of one folder, with no gap above gap_s between the times in the names. Files that
    `coinsorter capture` wrote show a coin each: they are together only with `--group`.
    Counts such as DSC0001 tell no time: there the camera's own counts, in the file, and without one
    those of a folder are one burst. A name without a number is a burst of its own.

    read_head: how a path's file begins.
    """
    bursts: list[Hashable] = [None] * len(paths)
    taken_s: dict[int, float] = {}
    for index, path in enumerate(paths):
        burst = _read_burst(path, read_head)
        if isinstance(burst, float):
            taken_s[index] = burst
        else:
            bursts[index] = burst
    before: int | None = None
    for this in sorted(taken_s, key=lambda index: (str(paths[index].parent), taken_s[index])):
        bursts[this] = this
        if before is not None and _is_next(paths, taken_s, before, this, gap_s):
            bursts[this] = bursts[before]
        before = this
    return _number(bursts)


def _read_burst(path: PurePath, read_head: Callable[[PurePath], bytes]) -> Hashable:
    """When an image was taken, a float of seconds; or what it shares with its burst."""
    captured = read_capture_name(path.stem)
    if captured:
        return (path.parent, captured.group) if captured.group else path
    count = find_counted(path.stem)
    if count is None:
        return float(read_taken_s(path.stem))
    taken_s = read_exif_taken_s(read_head(path))
    return (path.parent, "counted", count) if taken_s is None else taken_s


def _is_next(
    paths: Sequence[PurePath], taken_s: Mapping[int, float], before: int, this: int, gap_s: float
) -> bool:
    same_folder = paths[this].parent == paths[before].parent
    return same_folder and taken_s[before] >= 0 and taken_s[this] - taken_s[before] <= gap_s


def number_groups(keys: Sequence[Iterable[Hashable]]) -> list[int]:
    """The group of each image: numbers from 1, in order.

    Two images that share a key are in one group, directly or through others (union-find).
    """
    leader = list(range(len(keys)))

    def find_leader(image: int) -> int:
        while leader[image] != image:
            leader[image] = image = leader[leader[image]]
        return image

    holder: dict[Hashable, int] = {}
    for image, own_keys in enumerate(keys):
        for key in own_keys:
            other = holder.setdefault(key, image)
            leader[find_leader(image)] = find_leader(other)
    return _number([find_leader(image) for image in range(len(keys))])


def _number(names: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(name, len(numbers) + 1) for name in names]


def assign_splits(
    labels: Sequence[str], groups: Sequence[int], shares: Mapping[str, float], seed: int
) -> list[str]:
    """The split of each image: one for a whole group, and of each label about the wanted share.

    shares: of each split; one of 0 gets nothing. A label with as many groups as there are splits
    is in all of them (where no group holds two labels), one with fewer in the first of them. Each
    share is met to twice the label's largest group. The same seed gives the same splits.
    """
    wanted = {name: share for name, share in shares.items() if share > 0}
    counts, group_index = _count_by_group(labels, groups)
    order = _shuffle_largest_first(counts, seed)
    targets = np.outer(list(wanted.values()), counts.sum(axis=0))
    split_of_group = np.empty(len(counts), int)
    split_of_group[order] = _assign_groups(counts[order], targets)
    names = list(wanted)
    return [names[index] for index in split_of_group[group_index]]


def _count_by_group(labels: Sequence[str], groups: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Images of each group and label, int (groups, labels); and the row there of each image."""
    names, column = np.unique(np.asarray(labels, object).astype(str), return_inverse=True)
    numbers, row = np.unique(np.asarray(groups, int), return_inverse=True)
    counts = np.zeros((len(numbers), len(names)), int)
    np.add.at(counts, (row, column), 1)
    return counts, row


def _shuffle_largest_first(counts: np.ndarray, seed: int) -> np.ndarray:
    """Indices of groups, the largest first, equal ones in a random order."""
    order = np.random.default_rng(seed).permutation(len(counts))
    sizes = counts[order].sum(axis=1)
    return np.asarray(order[np.argsort(-sizes, kind="stable")])


def _assign_groups(counts: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The split of each group, int (groups,).

    counts: images, int (groups, labels), largest group first. targets: wanted images, float
    (splits, labels).
    """
    split = np.full(len(counts), -1)
    images = np.zeros_like(targets)

    def assign(group: int, part: int) -> None:
        split[group] = part
        images[part] += counts[group]

    rarest_first = np.argsort((counts > 0).sum(axis=0), kind="stable")
    for label in rarest_first:  # labels with few groups have the least choice
        for part in range(len(targets)):
            free = np.flatnonzero((split < 0) & (counts[:, label] > 0))
            if len(free) and not images[part, label]:
                nearest = np.abs(counts[free, label] - targets[part, label]).argmin()
                assign(int(free[0] if part == 0 else free[nearest]), part)
    for group in np.flatnonzero(split < 0):
        missing = (targets - images) / counts.sum(axis=0)
        assign(int(group), int((missing @ counts[group]).argmax()))
    return split
