"""A coin's relief, recognised in any light and any rotation by the way that its edges run.

In polar coordinates a rotation is a shift, and the correlation theorem tries all shifts at once, as
in the coin sorter of Noelle et al. (DICTA 2003). Nothing is learnt but what known coins look like:
a few dozen of a label are enough.
"""

from dataclasses import dataclass

import numpy as np

from coinsorter.recognition.polar import EDGE_CHANNELS, PolarGrid
from coinsorter.vision.crop import CropSpec

#: Rows of the polar grid, from near the centre to the rim.
RADII = 24
#: Columns of the polar grid, over a full turn.
ANGLES = 128
#: Innermost row, in coin radii: further inside, few pixels would be many samples.
MIN_REACH = 0.12
#: Outermost row, in coin radii: outside lies the belt.
MAX_REACH = 0.97
CHANNELS = EDGE_CHANNELS
GRID = PolarGrid(RADII, ANGLES, MIN_REACH, MAX_REACH)

#: Known coins of each label whose mean similarity counts.
NEAREST = 3

# What is left of each coin, 16 * 28 * 2 bytes: enough to tell labels apart.
#: Principal components of the 72 rows, radii by channels.
DIMENSIONS = 16
#: Frequencies along the angle, of 65.
FREQUENCIES = 28
#: Rotations that a coin is compared in.
MATCHED_ANGLES = 64

#: Norm that smaller ones are taken for: a blank crop has no edges.
_MIN_NORM = 1e-9


@dataclass(frozen=True, eq=False)
class Reliefs:
    """The reliefs of known coins.

    spectra: int8 (n, DIMENSIONS, FREQUENCIES, 2), real and imaginary part over the angle.
    labels: int (n,), their places among the bundle's labels.
    projection: float32 (DIMENSIONS, CHANNELS * RADII), of the grid's rows.
    step: what 1 in the spectra stands for.
    """

    spectra: np.ndarray
    labels: np.ndarray
    projection: np.ndarray
    step: float


class ReliefMatcher:
    """Compares crops with the known coins of every label.

    known: those coins. spec: how crops are made. labels: how many labels there are.
    """

    def __init__(self, known: Reliefs, spec: CropSpec, labels: int) -> None:
        self._projection = known.projection
        self._spec = spec
        order = np.argsort(known.labels, kind="stable")
        ordered_labels = known.labels[order]
        self._ends = np.searchsorted(ordered_labels, np.arange(labels + 1))
        steps = known.spectra[order].astype(np.float32)
        spectra = known.step * steps
        # (coin, dimension, frequency, part) -> (frequency, part and dimension, coin)
        by_frequency = spectra.transpose(2, 3, 1, 0)
        shape = (FREQUENCIES, 2 * DIMENSIONS, len(order))
        by_frequency = by_frequency.reshape(shape)
        self._known = np.ascontiguousarray(by_frequency)

    def compare(self, crop: np.ndarray) -> np.ndarray:
        """How similar a crop is to each label's nearest known coins: cosines, float32 (labels,).

        crop: uint8 (n, n, 3). Labels without known coins get 0.
        """
        cosines = self._compare_known(crop)
        starts = self._ends[:-1]
        ends = self._ends[1:]
        nearest = []
        for start, end in zip(starts, ends):
            own = cosines[start:end]
            nearest.append(_average_nearest(own))
        return np.array(nearest, np.float32)

    def _compare_known(self, crop: np.ndarray) -> np.ndarray:
        """The greatest cosine over all rotations, for each known coin: float32 (n,)."""
        edges = compute_edges(crop, self._spec)
        spectrum = compute_spectra(edges, self._projection).T
        real = spectrum.real
        imaginary = spectrum.imag
        # Products with the conjugate of each known coin's: (frequency, part, coin).
        real_row = np.concatenate((real, imaginary), 1)
        imaginary_row = np.concatenate((imaginary, -real), 1)
        rows = np.stack((real_row, imaginary_row), 1)
        products = np.matmul(rows, self._known)
        products = products.reshape(2 * FREQUENCIES, -1)
        cosines: np.ndarray = _ROTATIONS @ products
        best: np.ndarray = cosines.max(axis=0)
        return best


def compute_relief_logits(similarities: np.ndarray) -> np.ndarray:
    """Similarities as logits: float32 (..., labels + 1), the last 0 for "none of these".

    similarities: (..., labels). Their mean is taken off: a coin that is equally similar to all
    labels says nothing.
    """
    mean = similarities.mean(axis=-1, keepdims=True)
    centred = similarities - mean
    none_of_these = np.zeros_like(mean)
    return np.concatenate([centred, none_of_these], axis=-1)


def compute_edges(crop: np.ndarray, spec: CropSpec) -> np.ndarray:
    """How the edges of a crop run: float32 (CHANNELS * RADII, ANGLES), of length 1.

    crop: uint8 (n, n, 3).
    """
    channels = GRID.compute_edges(crop, spec)
    mean = channels.mean(axis=(1, 2), keepdims=True)
    weighed = (channels - mean) * _ROOT_AREAS
    norm = float(np.linalg.norm(weighed))
    edges: np.ndarray = weighed / max(norm, _MIN_NORM)
    return edges.reshape(-1, ANGLES)


def compute_spectra(edges: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """The lowest frequencies of edges along the angle: complex64 (DIMENSIONS, FREQUENCIES)."""
    spectrum = np.fft.rfft(projection @ edges)
    return spectrum[:, :FREQUENCIES].astype(np.complex64)


def _average_nearest(similarity: np.ndarray) -> float:
    """The mean of the greatest NEAREST; 0 of none."""
    count = min(NEAREST, len(similarity))
    if not count:
        return 0.0
    nearest = np.partition(similarity, -count)[-count:]
    return float(nearest.mean())


def _make_rotations() -> np.ndarray:
    """The matrix from products of spectra to a cosine for every rotation.

    float32 (MATCHED_ANGLES, 2 * FREQUENCIES).
    """
    rotations = np.arange(MATCHED_ANGLES)
    frequencies = np.arange(FREQUENCIES)
    turns = np.outer(rotations, frequencies)
    phase = 2 * np.pi * turns / MATCHED_ANGLES
    parts = np.stack((np.cos(phase), -np.sin(phase)), 2)
    parts = parts * (2 / ANGLES)
    parts[:, 0] /= 2  # frequency 0 has no mirrored twin
    matrix = parts.reshape(MATCHED_ANGLES, 2 * FREQUENCIES)
    return matrix.astype(np.float32)


_ROTATIONS = _make_rotations()
#: Roots of the rows' share of the coin's area: outer samples stand for more of it.
_ROW_REACHES = np.linspace(MIN_REACH, MAX_REACH, RADII, dtype=np.float32)
_ROOT_AREAS = np.sqrt(_ROW_REACHES)[None, :, None]
