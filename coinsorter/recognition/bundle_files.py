"""The files of a bundle: their names, how large they may be, and how they are read."""

import os
from pathlib import Path

from coinsorter.errors import BundleError
from coinsorter.files.bounded import read_bounded

# The files of a bundle, by their names in its folder.
MANIFEST = "bundle.yaml"
SEAL = "bundle.sha256"
CLASSIFIER = "classifier.tflite"
AUTOENCODER = "autoencoder.tflite"
DEFECT_DETECTOR = "inspector.tflite"
GATE = "gate.tflite"
GOLDEN = "golden/answers.npz"
RELIEFS = "reliefs.npz"
EMBEDDING = "embedding.npz"

#: Bytes of a network: MobileNetV2 in int8, the largest that training offers, has 3 million.
MAX_NETWORK_BYTES = 12_000_000
#: Bytes of a file of arrays; the largest of ours has 0.4 million.
MAX_ARRAYS_BYTES = 8_000_000
#: The most bytes that each file may have. Two hundred labels make a manifest of 120,000.
MAX_BYTES = {
    MANIFEST: 200_000,
    SEAL: 20_000,
    CLASSIFIER: MAX_NETWORK_BYTES,
    AUTOENCODER: MAX_NETWORK_BYTES,
    DEFECT_DETECTOR: MAX_NETWORK_BYTES,
    GATE: MAX_NETWORK_BYTES,
    GOLDEN: MAX_ARRAYS_BYTES,
    RELIEFS: MAX_ARRAYS_BYTES,
    EMBEDDING: MAX_ARRAYS_BYTES,
}
#: Those that are networks.
NETWORKS = (CLASSIFIER, AUTOENCODER, DEFECT_DETECTOR, GATE)
#: The files whose SHA-256 bundle.yaml may name, in the order that they are written in.
LISTED = (*NETWORKS, GOLDEN, RELIEFS, EMBEDDING)
#: Those that no bundle is without.
NEEDED = (CLASSIFIER, AUTOENCODER, GOLDEN)


def read_bundle_file(folder: Path, name: str) -> bytes:
    """The content of one of a bundle's files.

    Raises BundleError where it is missing, too large, no plain file, or a link out of the folder.
    """
    path = folder / name
    try:
        content = read_bounded(path, MAX_BYTES[name])
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise BundleError(_explain_unread(folder, name, error)) from error
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise BundleError(
            f"bundle {folder}: {name} is a link out of the bundle's folder; "
            "put the file itself there"
        )
    return content


def _explain_unread(folder: Path, name: str, error: OSError | ValueError) -> str:
    problem = f"{name} cannot be read: {getattr(error, 'strerror', None) or error}"
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises of a long path
        problem = "no such bundle"
    return f"bundle {folder}: {problem}; set runtime.bundle, or copy the bundle again"
