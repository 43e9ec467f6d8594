"""Weights trained on ImageNet and published with Keras: fetched once, kept where Keras does."""

import shutil
import urllib.error
import urllib.request
from pathlib import Path

from coinsorter.errors import InputError
from coinsorter.files.atomic import replace_file
from coinsorter.files.ownership import Claim

#: Where Keras publishes them.
BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"

#: The networks' files there, without their last layers.
WEIGHT_FILES = {
    "mobilenet-v1-025": "mobilenet/mobilenet_2_5_224_tf_no_top.h5",
    "mobilenet-v2": (
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    ),
}

#: Seconds without an answer after which a transfer is given up.
TIMEOUT_S = 30


def fetch_weights(network: str, base_url: str = BASE_URL) -> Path:
    """The file of a network's published weights.

    Raises InputError where it is not on the disk yet and cannot be fetched.
    """
    path = Path.home() / ".keras" / "models" / Path(WEIGHT_FILES[network]).name
    if path.is_file():
        return path
    try:
        _download(f"{base_url}/{WEIGHT_FILES[network]}", path)
    except OSError as error:  # urllib's errors are
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise InputError(
            f"the published weights of {network} could not be fetched ({reason}); copy them to "
            f"{path}, or name a file, or none"
        ) from error
    return path


def _download(url: str, path: Path) -> None:
    """Saves a file beside its place first: a broken transfer leaves no half file there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path, Claim(remedy="move it away")) as part:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
            expected_bytes = int(answer.headers.get("Content-Length", file.tell()))
        saved_bytes = part.stat().st_size
        if saved_bytes != expected_bytes:
            raise OSError(f"broke off after {saved_bytes} of {expected_bytes} bytes")
