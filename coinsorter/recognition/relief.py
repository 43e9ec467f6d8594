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
_MIN_STRENGTH_SQUARED = np.float32(MIN_STRENGTH**2)
#: Added to squared gradients, so that none is 0.
_MIN_SQUARE = np.float32(1e-9)
_MAX_STRENGTH = np.float32(MAX_GRADIENT)
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
    unwrapped = _unwrap(crop, spec)
    along, outward = _compute_gradients(unwrapped)
    channels = _double_angles(along, outward)
    mean = channels.mean(axis=(1, 2), keepdims=True)
    weighed = (channels - mean) * _ROOT_AREAS
    norm = float(np.linalg.norm(weighed))
    edges: np.ndarray = weighed / max(norm, _MIN_NORM)
    return edges.reshape(-1, ANGLES)


def compute_spectra(edges: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """The lowest frequencies of edges along the angle: complex64 (DIMENSIONS, FREQUENCIES)."""
    spectrum = np.fft.rfft(projection @ edges)
    return spectrum[:, :FREQUENCIES].astype(np.complex64)


def _unwrap(crop: np.ndarray, spec: CropSpec) -> np.ndarray:
    """The crop's log grey levels on the polar grid: float32 (RADII, ANGLES + 2 * _WRAP)."""
    log_lut = _make_log_lut(spec.gamma)
    log_rgb = cv2.LUT(crop, log_lut)
    grey = cv2.transform(log_rgb, _MEAN_OF_RGB)
    x, y = _make_grid(spec.size_px, spec.margin)
    return cv2.remap(grey, x, y, cv2.INTER_LINEAR)


def _compute_gradients(unwrapped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of equal strength along the angle and outward: float32 (RADII, ANGLES) each."""
    smooth = cv2.GaussianBlur(unwrapped, (0, 0), RELIEF_SIGMA)
    relief: np.ndarray = unwrapped - smooth
    squares = relief * relief
    strength = cv2.GaussianBlur(squares, (0, 0), STRENGTH_SIGMA)
    relief = relief / cv2.sqrt(strength + _MIN_STRENGTH_SQUARED)
    along = cv2.Sobel(relief, cv2.CV_32F, 1, 0)
    outward = cv2.Sobel(relief, cv2.CV_32F, 0, 1)
    return along[:, _WRAP:-_WRAP], outward[:, _WRAP:-_WRAP]


def _double_angles(along: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """Strength, and that by cosine and sine of twice the angle: (CHANNELS, RADII, ANGLES)."""
    along_squared = along * along
    outward_squared = outward * outward
    squares = along_squared + outward_squared + _MIN_SQUARE
    strength = np.minimum(cv2.sqrt(squares), _MAX_STRENGTH)
    share = strength / squares
    cosine = along_squared - outward_squared
    sine = 2 * along * outward
    return np.stack((share * squares, share * cosine, share * sine))


def _average_nearest(similarity: np.ndarray) -> float:
    """The mean of the greatest NEAREST; 0 of none."""
    count = min(NEAREST, len(similarity))
    if not count:
        return 0.0
    nearest = np.partition(similarity, -count)[-count:]
    return float(nearest.mean())


@cache
def _make_grid(size_px: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the points of the polar grid are in a crop, as cv2.remap takes it."""
    centre_px = (size_px - 1) / 2
    radius_px = size_px / 2 / margin
    columns = np.arange(-_WRAP, ANGLES + _WRAP)
    angles = columns * (2 * np.pi / ANGLES)
    reaches = np.linspace(MIN_REACH, MAX_REACH, RADII)
    reaches_px = reaches[:, None] * radius_px
    x = centre_px + reaches_px * np.cos(angles)
    y = centre_px + reaches_px * np.sin(angles)
    return cv2.convertMaps(x.astype(np.float32), y.astype(np.float32), cv2.CV_16SC2)


@cache
def _make_log_lut(gamma: float) -> np.ndarray:
    """For each grey level, the logarithm of what it was before the gamma: float32 (256,)."""
    shares = np.arange(256) / 255
    linear = 255 * shares ** (1 / gamma)
    logarithms = np.log(linear + DARK_GREY)
    return logarithms.astype(np.float32)


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
_MEAN_OF_RGB = np.full((1, 3), 1 / 3, np.float32)
#: Roots of the rows' share of the coin's area: outer samples stand for more of it.
_ROW_REACHES = np.linspace(MIN_REACH, MAX_REACH, RADII, dtype=np.float32)
_ROOT_AREAS = np.sqrt(_ROW_REACHES)[None, :, None]
