"""Crops of known coins -> what the machine compares reliefs with; see `coinsorter.recognition.relief`."""

import numpy as np

from coinsorter.recognition import relief
from coinsorter.recognition.relief import ANGLES, DIMENSIONS, FREQUENCIES, Reliefs
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples
from coinsorter.vision.crop import CropSpec

# Coefficients beyond this share of the largest are cut to it: a coin is not to be known by one strong spoke alone. Chosen with relief's own.
LARGEST = 0.4


def build_gallery(seen: Samples, spec: CropSpec, per_label: int, seed: int) -> Reliefs:
    """The coins among some samples as known ones: of each label at most `per_label`, any."""
    rng = np.random.default_rng([seed, 7])
    chosen = np.concatenate(
        [
            rng.permutation(np.flatnonzero(seen.labels == label))[:per_label]
            for label in np.unique(seen.labels[seen.labels != FOREIGN_LABEL])
        ]
    )
    found = np.array([relief.compute_edges(seen.crops[place], spec) for place in chosen])
    projection = _projection(found)
    spectra = np.array([relief.compute_spectra(edges, projection) for edges in found]).view(
        np.float32
    )
    step = LARGEST * float(np.abs(spectra).max()) / 127
    rounded = np.clip(np.round(spectra / step), -127, 127).astype(np.int8)
    return Reliefs(
        rounded.reshape(len(found), DIMENSIONS, FREQUENCIES, 2),
        seen.labels[chosen],
        projection,
        step,
    )


def _projection(found: np.ndarray) -> np.ndarray:
    """The rows' principal components over the frequencies that are kept, but for the lowest, which turns with nothing: float32."""
    spectra = np.fft.rfft(found, axis=2)[:, :, 1:FREQUENCIES] / ANGLES
    covariance = np.einsum("nrf,nsf->rs", spectra, spectra.conj(), optimize=True).real
    return np.ascontiguousarray(
        np.linalg.eigh(covariance)[1][:, ::-1][:, :DIMENSIONS].T.astype(np.float32)
    )
