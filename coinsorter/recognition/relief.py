"""A coin's relief, recognised in any light and any rotation by the way that its edges run.

The light decides how strong an edge looks, and which side of it is bright, but not which way it
runs. So gradients are brought to one strength and their angles doubled, which makes opposite ones
equal (orientation correlation: Fitch et al., BMVC 2002). In polar coordinates a rotation is a
shift, and the correlation theorem tries all shifts at once, as in the coin sorter of Noelle et al.
(DICTA 2003). Nothing is learnt but what known coins look like: a few dozen of a label are enough.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from coinsorter.vision.crop import CropSpec

#: Rows of the polar grid, from near the centre to the rim.
RADII = 24
#: Columns of the polar grid, over a full turn.
ANGLES = 128
#: Innermost row, in coin radii: further inside, few pixels would be many samples.
MIN_REACH = 0.12
#: Outermost row, in coin radii: outside lies the belt.
MAX_REACH = 0.97
#: Numbers for each gradient: its strength, and that by cosine and sine of twice its angle.
CHANNELS = 3

# Chosen on brl-frames/day1, with bursts held out, by the likelihood of the right label; near these
# values it hardly changes.
#: Grey levels that are added before the logarithm: where a crop is darker, most of it is noise.
DARK_GREY = 30.0
#: Sigma in samples of the blur that is taken off: what is smoother is no relief.
RELIEF_SIGMA = 3.0
#: Sigma in samples of the neighbourhood that is brought to one strength.
STRENGTH_SIGMA = 5.0
#: Strength, in log(grey), below which relief is not strengthened further.
MIN_STRENGTH = 0.02
#: Strength that a gradient counts for at most.
MAX_GRADIENT = 3.0
#: Known coins of each label whose mean similarity counts.
NEAREST = 3

# What is left of each coin, 16 * 28 * 2 bytes: enough to tell labels apart.
#: Principal components of the 72 rows, radii by channels.
DIMENSIONS = 16
#: Frequencies along the angle, of 65.
FREQUENCIES = 28
#: Rotations that a coin is compared in.
MATCHED_ANGLES = 64

#: Columns that the grid goes on for beyond a full turn on both sides, for the filters.
_WRAP = 8
#: Added to squared gradients, so that none is 0.
_MIN_SQUARE = np.float32(1e-9)
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
        self._ends = np.searchsorted(known.labels[order], np.arange(labels + 1))
        spectra = known.step * known.spectra[order].astype(np.float32)
        # (coin, dimension, frequency, part) -> (frequency, part and dimension, coin)
        by_frequency = spectra.transpose(2, 3, 1, 0)
        shape = (FREQUENCIES, 2 * DIMENSIONS, len(order))
        self._known = np.ascontiguousarray(by_frequency.reshape(shape))

    def compare(self, crop: np.ndarray) -> np.ndarray:
        """How similar a crop is to each label's nearest known coins: cosines, float32 (labels,).

        crop: uint8 (n, n, 3). Labels without known coins get 0.
        """
        similarity = self._compare_known(crop)
        own = zip(self._ends[:-1], self._ends[1:])
        return np.array([_average_nearest(similarity[i:j]) for i, j in own], np.float32)

    def _compare_known(self, crop: np.ndarray) -> np.ndarray:
        """The greatest cosine over all rotations, for each known coin: float32 (n,)."""
        spectrum = compute_spectra(compute_edges(crop, self._spec), self._projection).T
        real = spectrum.real
        imaginary = spectrum.imag
        # Products with the conjugate of each known coin's: (frequency, part, coin).
        real_row = np.concatenate((real, imaginary), 1)
        imaginary_row = np.concatenate((imaginary, -real), 1)
        rows = np.stack((real_row, imaginary_row), 1)
        products = np.matmul(rows, self._known).reshape(2 * FREQUENCIES, -1)
        cosines: np.ndarray = (_ROTATIONS @ products).max(axis=0)
        return cosines


def compute_relief_logits(similarities: np.ndarray) -> np.ndarray:
    """Similarities as logits: float32 (..., labels + 1), the last 0 for "none of these".

    similarities: (..., labels). Their mean is taken off: a coin that is equally similar to all
    labels says nothing.
    """
    centred = similarities - similarities.mean(axis=-1, keepdims=True)
    return np.concatenate([centred, np.zeros_like(centred[..., :1])], axis=-1)


def compute_edges(crop: np.ndarray, spec: CropSpec) -> np.ndarray:
    """How the edges of a crop run: float32 (CHANNELS * RADII, ANGLES), of length 1.

    crop: uint8 (n, n, 3).
    """
    along, outward = _compute_gradients(_unwrap(crop, spec))
    squares = along * along + outward * outward + _MIN_SQUARE
    strength = cv2.sqrt(squares)
    share = np.minimum(strength, np.float32(MAX_GRADIENT)) / squares
    channels = (
        share * squares,
        share * (along * along - outward * outward),
        share * (2 * along * outward),
    )
    edges = np.stack(channels)
    edges = (edges - edges.mean(axis=(1, 2), keepdims=True)) * _ROOT_AREAS
    norm = max(float(np.linalg.norm(edges)), _MIN_NORM)
    flat: np.ndarray = (edges / norm).reshape(-1, ANGLES)
    return flat


def compute_spectra(edges: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """The lowest frequencies of edges along the angle: complex64 (DIMENSIONS, FREQUENCIES)."""
    spectrum = np.fft.rfft(projection @ edges)
    return spectrum[:, :FREQUENCIES].astype(np.complex64)


def _unwrap(crop: np.ndarray, spec: CropSpec) -> np.ndarray:
    """The crop's log grey levels on the polar grid: float32 (RADII, ANGLES + 2 * _WRAP)."""
    grey = cv2.transform(cv2.LUT(crop, _make_log_lut(spec.gamma)), _MEAN_OF_RGB)
    x, y = _make_grid(spec.size_px, spec.margin)
    return cv2.remap(grey, x, y, cv2.INTER_LINEAR)


def _compute_gradients(unwrapped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of equal strength along the angle and outward: float32 (RADII, ANGLES) each."""
    relief: np.ndarray = unwrapped - cv2.GaussianBlur(unwrapped, (0, 0), RELIEF_SIGMA)
    strength = cv2.GaussianBlur(relief * relief, (0, 0), STRENGTH_SIGMA)
    relief = relief / cv2.sqrt(strength + np.float32(MIN_STRENGTH**2))
    along = cv2.Sobel(relief, cv2.CV_32F, 1, 0)
    outward = cv2.Sobel(relief, cv2.CV_32F, 0, 1)
    return along[:, _WRAP:-_WRAP], outward[:, _WRAP:-_WRAP]


def _average_nearest(similarity: np.ndarray) -> float:
    """The mean of the greatest NEAREST; 0 of none."""
    count = min(NEAREST, len(similarity))
    if not count:
        return 0.0
    return float(np.partition(similarity, -count)[-count:].mean())


@cache
def _make_grid(size_px: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the points of the polar grid are in a crop, as cv2.remap takes it."""
    centre_px = (size_px - 1) / 2
    radius_px = size_px / 2 / margin
    angles = np.arange(-_WRAP, ANGLES + _WRAP) * (2 * np.pi / ANGLES)
    reach_px = np.linspace(MIN_REACH, MAX_REACH, RADII)[:, None] * radius_px
    x = (centre_px + reach_px * np.cos(angles)).astype(np.float32)
    y = (centre_px + reach_px * np.sin(angles)).astype(np.float32)
    return cv2.convertMaps(x, y, cv2.CV_16SC2)


@cache
def _make_log_lut(gamma: float) -> np.ndarray:
    """For each grey level, the logarithm of what it was before the gamma: float32 (256,)."""
    linear = 255 * (np.arange(256) / 255) ** (1 / gamma)
    return np.log(linear + DARK_GREY).astype(np.float32)


def _make_rotations() -> np.ndarray:
    """The matrix from products of spectra to a cosine for every rotation.

    float32 (MATCHED_ANGLES, 2 * FREQUENCIES).
    """
    turns = np.outer(np.arange(MATCHED_ANGLES), np.arange(FREQUENCIES))
    phase = 2 * np.pi * turns / MATCHED_ANGLES
    parts = np.stack((np.cos(phase), -np.sin(phase)), 2) * (2 / ANGLES)
    parts[:, 0] /= 2  # frequency 0 has no mirrored twin
    return parts.reshape(MATCHED_ANGLES, 2 * FREQUENCIES).astype(np.float32)


_ROTATIONS = _make_rotations()
_MEAN_OF_RGB = np.full((1, 3), 1 / 3, np.float32)
#: Roots of the rows' share of the coin's area: outer samples stand for more of it.
_ROOT_AREAS = np.sqrt(np.linspace(MIN_REACH, MAX_REACH, RADII, dtype=np.float32))[None, :, None]
