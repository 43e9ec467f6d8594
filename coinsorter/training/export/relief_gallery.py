"""Crops of known coins -> the gallery that the machine compares reliefs with."""

import numpy as np

from coinsorter.recognition.relief import (
    ANGLES,
    DIMENSIONS,
    FREQUENCIES,
    Reliefs,
    compute_edges,
    compute_spectra,
)
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples
from coinsorter.vision.crop import CropSpec

#: Coefficients beyond this share of the largest are cut to it: a coin is not to be recognised by
#: one strong spoke alone. Chosen with the constants of `recognition.relief`.
MAX_COEFFICIENT = 0.4
#: Largest magnitude of an int8 coefficient.
INT8_MAX = 127
#: Stream of random numbers for the choice of coins.
GALLERY_STREAM = 7


def build_gallery(samples: Samples, spec: CropSpec, per_label: int, seed: int) -> Reliefs:
    """The reliefs of coins chosen at random from samples, at most `per_label` of each label."""
    chosen = _choose_coins(samples.labels, per_label, seed)
    crops = (samples.crops[place] for place in chosen)
    edges = np.array([compute_edges(crop, spec) for crop in crops])
    projection = _fit_projection(edges)
    spectra = np.array([compute_spectra(one, projection) for one in edges])
    largest = float(np.abs(spectra.view(np.float32)).max())
    step = MAX_COEFFICIENT * largest / INT8_MAX
    return Reliefs(round_spectra(spectra, step), samples.labels[chosen], projection, step)


def round_spectra(spectra: np.ndarray, step: float) -> np.ndarray:
    """Spectra as `Reliefs` keeps them: int8 (n, DIMENSIONS, FREQUENCIES, 2).

    spectra: complex64 (n, DIMENSIONS, FREQUENCIES). step: what 1 in the result stands for.
    """
    steps = np.round(spectra.view(np.float32) / step)
    rounded = np.clip(steps, -INT8_MAX, INT8_MAX).astype(np.int8)
    return rounded.reshape(len(spectra), DIMENSIONS, FREQUENCIES, 2)


def _choose_coins(labels: np.ndarray, per_label: int, seed: int) -> np.ndarray:
    """The places of the chosen coins, label by label: int (n,)."""
    rng = np.random.default_rng([seed, GALLERY_STREAM])
    chosen = []
    for label in np.unique(labels[labels != FOREIGN_LABEL]):
        places = np.flatnonzero(labels == label)
        shuffled = rng.permutation(places)
        chosen.append(shuffled[:per_label])
    return np.concatenate(chosen)


def _fit_projection(edges: np.ndarray) -> np.ndarray:
    """The rows' principal components over the frequencies that are kept: float32.

    edges: float32 (n, CHANNELS * RADII, ANGLES). The lowest frequency is left out: it stays the
    same in any rotation.
    """
    spectra = np.fft.rfft(edges, axis=2)
    spectra = spectra[:, :, 1:FREQUENCIES] / ANGLES
    conjugate = spectra.conj()
    products = np.einsum("nrf,nsf->rs", spectra, conjugate, optimize=True)
    _, components = np.linalg.eigh(products.real)
    descending = components[:, ::-1]
    largest = descending[:, :DIMENSIONS]
    return np.ascontiguousarray(largest.T.astype(np.float32))
