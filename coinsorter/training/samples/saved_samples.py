"""Samples in a folder, where other processes read them; their crops stay on the disk."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.files.atomic import OWN_WORK, replace_file
from coinsorter.training.samples.assemble import AssembledSamples
from coinsorter.training.samples.crop_store import CropStore, open_crops

#: The file of all but the crops.
SAMPLES = "samples.pickle"


def save_samples(assembled: AssembledSamples, folder: Path) -> None:
    """Writes samples to a folder that only this training and its processes use."""
    folder.mkdir(parents=True, exist_ok=True)
    with replace_file(folder / SAMPLES, OWN_WORK) as part, part.open("wb") as file:
        _Pickler(file, folder).dump(assembled)


def load_samples(folder: Path) -> AssembledSamples:
    """The samples that `save_samples` wrote to a folder."""
    with (folder / SAMPLES).open("rb") as file:
        assembled: AssembledSamples = _Unpickler(file, folder).load()
        return assembled


class _Pickler(pickle.Pickler):
    """Writes each store of crops to a file of its own, once, and its name into the pickle."""

    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder
        self._stores: list[CropStore] = []

    def persistent_id(self, value: Any) -> tuple[str, int] | None:
        """Called by pickle; None for what it writes itself."""
        if not isinstance(value, CropStore):
            return None
        if value not in self._stores:
            self._stores.append(value)
            name = _name_file(len(self._stores) - 1)
            with replace_file(self._folder / name, OWN_WORK) as part:
                value.copy_to(part)
        return _name_file(self._stores.index(value)), value.shape[0]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder

    def persistent_load(self, value: tuple[str, int]) -> np.ndarray:
        """Called by pickle."""
        name, size_px = value
        return open_crops(self._folder / name, size_px)


def _name_file(number: int) -> str:
    return f"crops-{number}"
