"""Crops on the disk: training takes no more memory for a hundred thousand than for a thousand."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from coinsorter.errors import InputError


@contextmanager
def _report_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = os.environ.get("TMPDIR", "/tmp")
        raise InputError(
            f"{folder}: cannot hold the coins' crops: {error.strerror}; free some space there, or "
            "name another folder by $TMPDIR"
        ) from error


class CropStore:
    """A temporary file of crops of one size, in $TMPDIR; it is gone when nothing refers to it.

    size_px: edge of the crops. Raises InputError where there is no room for it.
    """

    def __init__(self, size_px: int) -> None:
        self.shape = (size_px, size_px, 3)
        self._crop_bytes = size_px * size_px * 3
        self._count = 0
        with _report_full_disk():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the store

    def __len__(self) -> int:
        return self._count

    def add(self, crop: np.ndarray) -> None:
        """Appends a crop, uint8 (size, size, 3). Raises InputError where there is no room."""
        with _report_full_disk():
            self._file.write(np.ascontiguousarray(crop).tobytes())
        self._count += 1

    def finish(self) -> "Crops":
        """The crops that were added, in that order."""
        with _report_full_disk():
            self._file.flush()
        return Crops((self,), _list_places(self._count))

    def copy_to(self, path: Path) -> None:
        """Writes the crops to a file, for `open_crops`. Raises OSError."""
        with path.open("wb") as file:
            for place in range(self._count):
                file.write(self[place].tobytes())

    def __getitem__(self, place: int) -> np.ndarray:
        content = os.pread(self._file.fileno(), self._crop_bytes, place * self._crop_bytes)
        return np.frombuffer(content, np.uint8).reshape(self.shape)


def open_crops(path: Path, size_px: int) -> np.ndarray:
    """The crops in a file that a store was copied to: uint8 (n, size, size, 3), on the disk."""
    shape = (-1, size_px, size_px, 3)
    if not path.stat().st_size:
        return np.empty((0, *shape[1:]), np.uint8)
    return np.memmap(path, np.uint8, "r").reshape(shape)


class Crops:
    """Crops of some stores, or of arrays uint8 (m, size, size, 3), indexed as one such array.

    parts: the stores and arrays. places: int (n, 2), each crop's part and its place in that.
    """

    def __init__(self, parts: tuple[CropStore | np.ndarray, ...], places: np.ndarray) -> None:
        self._parts = parts
        self._places = places

    @classmethod
    def wrap(cls, crops: "np.ndarray | Crops") -> "Crops":
        """The same crops; an array stays in memory as it is."""
        if isinstance(crops, Crops):
            return crops
        return cls((crops,), _list_places(len(crops)))

    @classmethod
    def concatenate(cls, several: Iterable[Self]) -> Self:
        """All crops of several, in that order."""
        parts: list[CropStore | np.ndarray] = []
        places = []
        for crops in several:
            offset = (len(parts), 0)
            places.append(crops._places + offset)
            parts += crops._parts
        return cls(tuple(parts), np.concatenate(places))

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, index: Any) -> np.ndarray:
        """One crop for a number, uint8 (size, size, 3); for any other index of an array all of
        those, uint8 (k, size, size, 3)."""
        places = self._places[index]
        if places.ndim == 1:
            return self._read(places)
        if not len(places):
            return np.empty((0, *self._parts[0].shape[-3:]), np.uint8)
        return np.stack([self._read(place) for place in places])

    def _read(self, place: np.ndarray) -> np.ndarray:
        part, number = place
        crop: np.ndarray = self._parts[part][number]
        return crop

    def take(self, index: np.ndarray) -> Self:
        """The crops at some places, still on the disk."""
        return type(self)(self._parts, self._places[index])


def _list_places(count: int) -> np.ndarray:
    """The places of all crops of one part: int (count, 2)."""
    return np.stack([np.zeros(count, int), np.arange(count)], axis=1)
