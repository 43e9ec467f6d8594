"""What the benchmarks share: photographs and classifiers."""

from pathlib import Path

from coinsorter.recognition.bundle import load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from tests.conftest import data_folder


def require_photographs() -> Path:
    """The folder of the real photographs. Ends the program where there are none."""
    folder = data_folder()
    if folder is None:
        raise SystemExit("no photographs: neither $COINSORTER_DATA nor ../shared/data is there")
    return folder


def load_classifier(path: Path) -> Classifier:
    """The classifier of a bundle, on the runtime that the machine would pick."""
    return Classifier(load_bundle(path), pick_runtime("auto"))
