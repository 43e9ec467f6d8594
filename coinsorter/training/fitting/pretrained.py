"""Weights that were trained on ImageNet and published with Keras: fetched once, and kept where Keras keeps them."""

import shutil
import urllib.error
import urllib.request
from pathlib import Path

from coinsorter.atomic import replace_file
from coinsorter.errors import InputError

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
WEIGHT_FILES = {
    "mobilenet-v1-025": "mobilenet/mobilenet_2_5_224_tf_no_top.h5",
    "mobilenet-v2": "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5",
}
TIMEOUT_S = 30


def fetch_weights(network: str, at: str = BASE_URL) -> Path:
    """The file of a network's published weights. Raises InputError where it is not kept yet and cannot be fetched."""
    path = Path.home() / ".keras" / "models" / Path(WEIGHT_FILES[network]).name
    if not path.is_file():
        try:
            _fetch(f"{at}/{WEIGHT_FILES[network]}", path)
        except OSError as error:  # which urllib's are
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise InputError(
                f"classifier.weights: {network}'s could not be fetched ({reason}); copy them to {path}, or name a file, or none"
            ) from error
    return path


def _fetch(url: str, path: Path) -> None:
    """Beside it first: a transfer that breaks off leaves no half file to be taken for a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as part:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
            whole = int(answer.headers.get("Content-Length", file.tell()))
        if part.stat().st_size != whole:
            raise OSError(f"broke off after {part.stat().st_size} of {whole} bytes")
