"""A coin's relief, known again in any light and any rotation: the way its edges run, compared with those of coins that are known.

The light decides how strong an edge on a coin looks, and which of its sides is the bright one, but not which way it runs: so gradients are
brought to one strength and their angles doubled, which makes opposite ones equal (orientation correlation: Fitch et al., BMVC 2002). In
polar coordinates a rotation is a shift, and all shifts are tried at once by the correlation theorem, as in the coin sorter of Noelle et
al. (DICTA 2003). Nothing is learnt but what the known coins look like: a few dozen of a kind are enough.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from coinsorter.vision.crop import CropSpec

RADII, ANGLES = 24, 128  # of the polar grid
INNERMOST, OUTERMOST = (
    0.12,
    0.97,
)  # of the coin's radius: within, few pixels are many samples; without lies the belt
CHANNELS = 3  # of a gradient: its strength, and that by the cosine and the sine of twice its angle
# Chosen on brl-frames/day1, bursts held out, by the likelihood of the right label; near these values it hardly changes.
DARK = 30.0  # grey levels: log(grey + this) is compared; where it is darker, noise is most of what there is
SMOOTH, STRENGTH = (
    3.0,
    5.0,
)  # samples: what is smoother than the one is no relief; over the other it is brought to one strength
FAINTEST = 0.02  # in log(grey): relief that is fainter is not strengthened any further
STRONGEST = 3.0  # a gradient counts for no more
NEAREST = 3  # known coins of each label that a coin is as like as, on average
# What is left of each coin: enough to tell them apart, and 16 * 28 * 2 bytes.
DIMENSIONS = 16  # of 72 rows of the grid, radii by channels
FREQUENCIES = 28  # along the angle, of 65
MATCHED_ANGLES = 64  # that a coin is turned to

_WRAP = 8  # samples that the grid goes on for past a full turn on both sides, for the filters


@dataclass(frozen=True, eq=False)
class Reliefs:
    """Coins that are known.

    spectra: int8 (n, DIMENSIONS, FREQUENCIES, 2), the real and imaginary part over the angle. labels: int (n,), their places among the
    bundle's labels. projection: float32 (DIMENSIONS, CHANNELS * RADII), of the grid's rows. step: what 1 of the spectra stands for.
    """

    spectra: np.ndarray
    labels: np.ndarray
    projection: np.ndarray
    step: float


class ReliefMatcher:
    """Tells how like the known coins of every label a crop is. spec: how crops are made; labels: how many labels there are."""

    def __init__(self, known: Reliefs, spec: CropSpec, labels: int) -> None:
        order = np.argsort(known.labels, kind="stable")
        spectra = known.step * known.spectra[order].astype(
            np.float32
        )  # (coin, dimension, frequency, real and imaginary part)
        self._known = np.ascontiguousarray(
            spectra.transpose(2, 3, 1, 0).reshape(FREQUENCIES, 2 * DIMENSIONS, len(order))
        )
        self._ends = np.searchsorted(known.labels[order], np.arange(labels + 1))
        self._projection, self._spec = known.projection, spec

    def compare(self, crop: np.ndarray) -> np.ndarray:
        """How like each label's nearest known coins a crop, uint8 (n, n, 3), is, as a cosine: float32 (labels,)."""
        likeness = self._likeness(crop)
        return np.array(
            [_nearest(likeness[first:end]) for first, end in zip(self._ends[:-1], self._ends[1:])],
            np.float32,
        )

    def _likeness(self, crop: np.ndarray) -> np.ndarray:
        """The greatest cosine between the crop and each known coin over all rotations: float32 (n,)."""
        spectrum = compute_spectra(compute_edges(crop, self._spec), self._projection).T
        real, imaginary = spectrum.real, spectrum.imag
        # With the conjugate of each known coin's: real and imaginary part of the product, (frequency, 2, coin).
        both = np.stack(
            (np.concatenate((real, imaginary), 1), np.concatenate((imaginary, -real), 1)), 1
        )
        products = np.matmul(both, self._known).reshape(2 * FREQUENCIES, -1)
        return (_TURNS @ products).max(axis=0)


def compute_relief_logits(likeness: np.ndarray) -> np.ndarray:
    """What likenesses, (..., labels), say of the label, and last 0 for "none of these": float32 (..., labels + 1).

    Each less their mean: a coin that is as like all labels tells nothing.
    """
    centred = likeness - likeness.mean(axis=-1, keepdims=True)
    return np.concatenate([centred, np.zeros_like(centred[..., :1])], axis=-1)


def compute_edges(crop: np.ndarray, spec: CropSpec) -> np.ndarray:
    """How the edges of a crop, uint8 (n, n, 3), run: float32 (CHANNELS * RADII, ANGLES), of length 1."""
    grey = cv2.transform(cv2.LUT(crop, _logarithms(spec.gamma)), _MEAN)
    unwrapped = cv2.remap(grey, *_grid(spec.size_px, spec.margin), cv2.INTER_LINEAR)
    relief = unwrapped - cv2.GaussianBlur(unwrapped, (0, 0), SMOOTH)
    strength = cv2.GaussianBlur(relief * relief, (0, 0), STRENGTH)
    relief /= cv2.sqrt(strength + np.float32(FAINTEST**2))
    along, outward = (
        cv2.Sobel(relief, cv2.CV_32F, *order)[:, _WRAP:-_WRAP] for order in ((1, 0), (0, 1))
    )
    squares = along * along + outward * outward + np.float32(1e-9)
    size = cv2.sqrt(squares)
    share = np.minimum(size, np.float32(STRONGEST)) / squares
    found = np.stack(
        (
            share * squares,
            share * (along * along - outward * outward),
            share * (2 * along * outward),
        )
    )
    found = (found - found.mean(axis=(1, 2), keepdims=True)) * _AREA
    return (found / max(float(np.linalg.norm(found)), 1e-9)).reshape(-1, ANGLES)


def compute_spectra(found: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """The lowest frequencies of edges along the angle, in few dimensions: complex64 (DIMENSIONS, FREQUENCIES)."""
    return np.fft.rfft(projection @ found)[:, :FREQUENCIES].astype(np.complex64)


def _nearest(likeness: np.ndarray) -> float:
    """The mean of the greatest NEAREST; of a label without known coins, nothing: 0."""
    count = min(NEAREST, len(likeness))
    return float(np.partition(likeness, -count)[-count:].mean()) if count else 0.0


@cache
def _grid(size_px: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Where in a crop the points of the polar grid are, as cv2.remap wants it."""
    middle, radius_px = (size_px - 1) / 2, size_px / 2 / margin
    angles = np.arange(-_WRAP, ANGLES + _WRAP) * (2 * np.pi / ANGLES)
    reach = np.linspace(INNERMOST, OUTERMOST, RADII)[:, None] * radius_px
    x, y = middle + reach * np.cos(angles), middle + reach * np.sin(angles)
    return cv2.convertMaps(x.astype(np.float32), y.astype(np.float32), cv2.CV_16SC2)


@cache
def _logarithms(gamma: float) -> np.ndarray:
    """Of every grey level of a crop, of what it was before the gamma: float32 (256,)."""
    return np.log(255 * (np.arange(256) / 255) ** (1 / gamma) + DARK).astype(np.float32)


def _turns() -> np.ndarray:
    """What makes a cosine for every rotation of a product of spectra: float32 (MATCHED_ANGLES, 2 * FREQUENCIES)."""
    phase = 2 * np.pi * np.outer(np.arange(MATCHED_ANGLES), np.arange(FREQUENCIES)) / MATCHED_ANGLES
    both = np.stack((np.cos(phase), -np.sin(phase)), 2) * (2 / ANGLES)
    both[:, 0] /= 2  # frequency 0 has no twin
    return both.reshape(MATCHED_ANGLES, 2 * FREQUENCIES).astype(np.float32)


_TURNS = _turns()
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_AREA = np.sqrt(np.linspace(INNERMOST, OUTERMOST, RADII, dtype=np.float32))[
    None, :, None
]  # outer samples stand for more of the coin
