"""The mixture of near-coins, simulated objects and foreign photographs that a gate is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from coinsorter.training.exposure.near_coins import (
    TRAINED_KINDS,
    CoinGrid,
    make_near_coin,
    recolour,
)
from coinsorter.training.samples.crop_store import Crops
from coinsorter.training.samples.samples import Samples
from coinsorter.vision.crop import CropSpec

#: Share of near-coins; the rest are things of the sources, of each as many.
NEAR_SHARE = 0.5
#: Share of the things that get a genuine coin's colours, so that colours do not give them away,
#: and share of those that get any one tint.
RECOLOURED_SHARE = 0.45
TINTED_SHARE = 0.15
#: Share of the things that are mirrored: they have no side of their own.
MIRRORED_SHARE = 0.5
#: Attempts at finding a coin of another label.
MAX_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class ExposureSource:
    """Things of one kind. crops: n of uint8 (size, size, 3) RGB, on the disk."""

    name: str
    crops: Crops


class ExposureMix:
    """Draws things that are no genuine coins.

    genuine: coins to alter, those that the gate is trained on. sources: of other things; there may
    be none.
    """

    def __init__(self, genuine: Samples, sources: Sequence[ExposureSource], spec: CropSpec) -> None:
        self._genuine = genuine
        self._sources = [source for source in sources if len(source.crops)]
        self._grid = CoinGrid(spec)

    def draw(self, rng: Generator) -> np.ndarray:
        """One thing: uint8 (size, size, 3)."""
        if not self._sources or rng.random() < NEAR_SHARE:
            return self._draw_near_coin(rng)
        source = self._sources[int(rng.integers(len(self._sources)))]
        crop = source.crops[int(rng.integers(len(source.crops)))]
        return self._disguise(crop, rng)

    def draw_many(self, count: int, rng: Generator) -> np.ndarray:
        """Several things: uint8 (count, size, size, 3)."""
        return np.stack([self.draw(rng) for _ in range(count)])

    def _draw_near_coin(self, rng: Generator) -> np.ndarray:
        place = int(rng.integers(len(self._genuine)))
        other = self._choose_other(place, rng)
        kind = TRAINED_KINDS[int(rng.integers(len(TRAINED_KINDS)))]
        crops = self._genuine.crops
        return make_near_coin(kind, crops[place], crops[other], self._grid, rng)

    def _choose_other(self, place: int, rng: Generator) -> int:
        """A coin of another label; after some attempts any coin."""
        labels = self._genuine.labels
        other = place
        for _ in range(MAX_ATTEMPTS):
            other = int(rng.integers(len(labels)))
            if labels[other] != labels[place]:
                break
        return other

    def _disguise(self, crop: np.ndarray, rng: Generator) -> np.ndarray:
        """A thing in other colours, often those of a genuine coin."""
        choice = rng.random()
        if choice < RECOLOURED_SHARE:
            model = self._genuine.crops[int(rng.integers(len(self._genuine)))]
            crop = recolour(self._grid, crop, model)
        elif choice < RECOLOURED_SHARE + TINTED_SHARE:
            crop = _tint(crop, rng)
        if rng.random() < MIRRORED_SHARE:
            crop = np.ascontiguousarray(crop[:, ::-1])
        return self._grid.clean(crop.copy())


def _tint(crop: np.ndarray, rng: Generator) -> np.ndarray:
    """A crop in shades of one hue."""
    hue, saturation = int(rng.integers(180)), int(rng.integers(30, 200))
    pixel = np.array([[[hue, saturation, 255]]], np.uint8)
    colour = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] / np.float32(255)
    grey = crop.mean(axis=2, keepdims=True)
    tinted: np.ndarray = np.clip(grey * (0.4 + 0.9 * colour), 0, 255)
    return tinted.astype(np.uint8)
