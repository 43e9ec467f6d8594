"""How well a bundle knows coins that it was taught: `python -m benchmarks.teaching`.

    python -m benchmarks.teaching models/brl krw-crops/train brl-frames/day2

Each folder of ready crops is taught as a new label by a few of its crops, see `coinsorter-train
teach`. Printed are the share of its other crops that get the new label by looks alone, and of the
bundle's own coins, from frames, that lose theirs to it. A folder with too few crops is left out.
"""

import argparse
import tempfile
from collections.abc import Iterator
from math import nan
from pathlib import Path

import numpy as np

from benchmarks.gate import read_genuine
from benchmarks.inputs import load_classifier
from coinsorter.images.image_io import list_images
from coinsorter.recognition.bundle import Label
from coinsorter.recognition.classifier import Classifier
from coinsorter.training.teach import cut_ready_crop, teach_label

#: Crops that a label is taught by, and others that are classified at most.
COUNTS = (5, 30)
MAX_OTHERS = 60
MIN_OTHERS = 10
#: Of every so many of the bundle's own coins one is classified.
EVERY = 5
SEED = 1
NAME = "taught by the benchmark"


def main(arguments: list[str] | None = None) -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("crops", type=Path, help="folders of ready crops of other coins")
    parser.add_argument("coins", type=Path, help="frames of the bundle's own coins")
    options = parser.parse_args(arguments)
    for line in study_teaching(options.bundle, options.crops, options.coins):
        print(line, flush=True)


def study_teaching(bundle: Path, crops: Path, coins: Path) -> Iterator[str]:
    """A line for each folder of crops and number of them, see the module's description."""
    every_own = [crop for crop, _ in read_genuine(load_classifier(bundle), coins)]
    own = every_own[::EVERY]
    for folder in sorted(path for path in crops.iterdir() if path.is_dir()):
        count = len(list_images(folder))
        if count < max(COUNTS) + MIN_OTHERS:
            yield f"{folder.name:<12} left out: {count} crops are too few"
            continue
        for count in COUNTS:
            named, lost = teach_folder(bundle, folder, count, own)
            yield (
                f"{folder.name:<12} by {count:2} crops: {100 * named:5.1f} % named, "
                f"{100 * lost:.1f} % of {len(own)} own coins lost to it"
            )


def teach_folder(
    path: Path, folder: Path, count: int, own: list[np.ndarray]
) -> tuple[float, float]:
    """The shares of a folder's other crops, and of the bundle's own coins, that are named so.

    own: uint8 (size, size, 3) each.
    """
    paths = list_images(folder)
    order = np.random.default_rng(SEED).permutation(len(paths))
    chosen = [paths[place] for place in order]
    label = Label(name=NAME, value=0, currency="", diameter_mm=20)
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "taught"
        teach_label(path, label, chosen[:count], out)
        classifier = load_classifier(out)
    rest = chosen[max(COUNTS) : max(COUNTS) + MAX_OTHERS]
    others = [cut_ready_crop(classifier.bundle, path) for path in rest]
    return _share_named(classifier, others), _share_named(classifier, own)


def _share_named(classifier: Classifier, crops: list[np.ndarray]) -> float:
    verdicts = (classifier.make_verdict(classifier.gather_evidence(crop), nan) for crop in crops)
    return sum(verdict.label == NAME for verdict in verdicts) / len(crops)


if __name__ == "__main__":
    main()
