"""Crops on the disk, read when they are asked for: training takes no more memory for a hundred thousand than for a thousand."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np

from coinsorter.errors import InputError


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = os.environ.get("TMPDIR", "/tmp")
        raise InputError(
            f"{where}: cannot hold the coins' crops: {error.strerror}; free some space there, or name another folder by $TMPDIR"
        ) from error


class CropStore:
    """A file of crops of one size, which is gone when nobody looks at it any more. It lies where temporary files do ($TMPDIR).

    Raises InputError where that has no room for it.
    """

    def __init__(self, size_px: int) -> None:
        self.shape = (size_px, size_px, 3)
        with _room():
            self._file = tempfile.TemporaryFile()
        self._bytes, self._count = size_px * size_px * 3, 0

    def __len__(self) -> int:
        return self._count

    def add(self, crop: np.ndarray) -> None:
        """Puts a crop, uint8 (size, size, 3), behind the others."""
        with _room():
            self._file.write(np.ascontiguousarray(crop).tobytes())
        self._count += 1

    def finish(self) -> "Crops":
        """The crops that were put in, in that order."""
        with _room():
            self._file.flush()
        return Crops(
            (self,), np.stack([np.zeros(self._count, int), np.arange(self._count)], axis=1)
        )

    def __getitem__(self, place: int) -> np.ndarray:
        read = os.pread(self._file.fileno(), self._bytes, place * self._bytes)
        return np.frombuffer(read, np.uint8).reshape(self.shape)


class Crops:
    """Some crops of some shelves, or of arrays uint8 (m, size, size, 3), in any order: to be indexed as if they were one such array.

    places: int (n, 2), of each crop its part and its place there.
    """

    def __init__(self, parts: tuple[CropStore | np.ndarray, ...], places: np.ndarray) -> None:
        self._parts, self._places = parts, places

    @classmethod
    def wrap(cls, crops: "np.ndarray | Crops") -> "Crops":
        """The same crops; an array is kept as it is."""
        if isinstance(crops, Crops):
            return crops
        return cls((crops,), np.stack([np.zeros(len(crops), int), np.arange(len(crops))], axis=1))

    @classmethod
    def concatenate(cls, several: Iterable[Self]) -> Self:
        several, parts, places = list(several), [], []
        for one in several:
            places.append(one._places + (len(parts), 0))
            parts += one._parts
        return cls(tuple(parts), np.concatenate(places))

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, index) -> np.ndarray:
        """One crop for a number, uint8 (size, size, 3); for anything else that indexes an array, all of those: (k, size, size, 3)."""
        wanted = self._places[index]
        if wanted.ndim == 1:
            return self._parts[wanted[0]][wanted[1]]
        if not len(wanted):
            return np.empty((0, *self._parts[0].shape[-3:]), np.uint8)
        return np.stack([self._parts[part][place] for part, place in wanted])

    def take(self, index: np.ndarray) -> Self:
        """Those at some places, still on the disk."""
        return type(self)(self._parts, self._places[index])
