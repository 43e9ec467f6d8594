"""What a bundle accepts that is no coin of its own, by looks alone: `python -m benchmarks.gate`.

    python -m benchmarks.gate models/brl brl-frames/day2 --foreign foreign-test --foreign krw-crops
    python -m benchmarks.gate models/euro euro-crops/test --crops --foreign foreign-test
    python -m benchmarks.gate models/brl brl-frames/day2 --split foreign OUT

Genuine coins come from frames, or ready crops, in folders named as labels, foreign things from
photographs in folders by kind, cut out as coins would be; near-coins are made of the genuine ones,
and damage is drawn on them. Diameters are not looked at. Printed are, for each kind, the accepted
share, and the AUROC of the gate's log odds, of the autoencoder's error, and of the anomaly score,
against the genuine coins. `--split` deals photographs into OUT/train and OUT/test by the column
`source` of their manifest.csv, so that no photograph is on both sides, and ends.
"""

import argparse
import csv
import json
import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from math import inf, log, nan
from pathlib import Path

import numpy as np

from benchmarks.inputs import load_classifier
from coinsorter.recognition.classifier import Classifier
from coinsorter.sorting.acceptance import find_failed_threshold
from coinsorter.training.evaluation.damage_drawing import KINDS as DAMAGE_KINDS
from coinsorter.training.evaluation.damage_drawing import damage_crop
from coinsorter.training.evaluation.metrics import compute_auroc
from coinsorter.training.evaluation.predictions import Predictor, predict_folder
from coinsorter.training.exposure.foreign_photos import read_foreign_photos
from coinsorter.training.exposure.near_coins import KINDS, CoinGrid, make_near_coin

#: Share of the photographs of each kind that `--split` keeps for judging.
TEST_SHARE = 1 / 3
#: Streams of random numbers.
FOREIGN_SEED, NEAR_SEED, DAMAGE_SEED, SPLIT_SEED = 41, 42, 2024, 7


@dataclass(frozen=True)
class Scores:
    """What a bundle says of one crop; each score is higher for what is less like a coin."""

    gate: float
    autoencoder: float
    anomaly: float
    is_accepted: bool


@dataclass(frozen=True)
class Row:
    """Things of one kind. accepted: share by looks alone. The others: AUROC, see above."""

    kind: str
    count: int
    accepted: float
    gate: float | None
    autoencoder: float | None
    anomaly: float | None


def main(arguments: list[str] | None = None) -> None:
    options = _parse_options(arguments)
    if options.split:
        split_photographs(*options.split)
        return
    classifier = load_classifier(options.bundle)
    coins = list(read_genuine(classifier, options.coins, options.crops))[:: options.every]
    genuine = [score(classifier, crop) for crop, _ in coins]
    rows = [summarize("genuine", genuine, genuine)]
    for kind, crops in list_things(classifier, coins, options.foreign):
        rows.append(summarize(kind, [score(classifier, crop) for crop in crops], genuine))
        if not options.json:
            print(format_row(rows[-1]), flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        print(format_row(rows[0]))


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("coins", type=Path, help="frames of its coins")
    parser.add_argument("--crops", action="store_true", help="each is filled by one coin")
    parser.add_argument("--foreign", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--every", type=int, default=3, help="only each so many coins (default: 3)")
    parser.add_argument("--split", type=Path, nargs=2, metavar=("FOREIGN", "OUT"))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def read_genuine(
    classifier: Classifier, folder: Path, crops: bool = False
) -> Iterator[tuple[np.ndarray, str]]:
    """Crop and label of each coin in the images of a folder. crops: these are ready crops."""
    bundle = classifier.bundle
    for image in predict_folder(folder, Predictor(bundle, classifier), crops):
        if image.has_coin and image.label in bundle.labels:
            yield image.crop, image.label


def list_things(
    classifier: Classifier, coins: list[tuple[np.ndarray, str]], foreign: list[Path]
) -> Iterator[tuple[str, Iterable[np.ndarray]]]:
    """Every kind of thing and its crops."""
    spec = classifier.bundle.crop
    for folder in foreign:
        rng = np.random.default_rng(FOREIGN_SEED)
        for source in read_foreign_photos(folder, spec, lambda done: None, rng, None):
            yield f"{folder.name}/{source.name}", source.crops
    for kind in KINDS:
        yield f"near-coin, {kind}", make_near_coins(kind, coins, CoinGrid(spec))
    for number, kind in enumerate(DAMAGE_KINDS):
        rng = np.random.default_rng([DAMAGE_SEED, number])
        yield (
            f"damage, {kind}",
            [damage_crop(kind, crop, spec, None, rng) for crop, _ in coins],
        )


def make_near_coins(
    kind: str, coins: list[tuple[np.ndarray, str]], grid: CoinGrid
) -> Iterator[np.ndarray]:
    """One near-coin of each coin."""
    rng = np.random.default_rng([NEAR_SEED, list(KINDS).index(kind)])
    for crop, label in coins:
        others = [other for other, its_label in coins if its_label != label]
        other = others[int(rng.integers(len(others)))]
        yield make_near_coin(kind, crop, other, grid, rng)


def score(classifier: Classifier, crop: np.ndarray) -> Scores:
    evidence = classifier.gather_evidence(crop)
    verdict = classifier.make_verdict(evidence, nan)
    thresholds = classifier.bundle.thresholds[verdict.label]
    failed = find_failed_threshold(verdict, thresholds, check_diameter=False)
    return Scores(
        gate=0.0 if verdict.membership == inf else -verdict.membership,
        autoencoder=log(evidence.reconstruction_error),
        anomaly=verdict.anomaly,
        is_accepted=failed is None,
    )


def summarize(kind: str, things: list[Scores], genuine: list[Scores]) -> Row:
    def area(name: str) -> float | None:
        own, others = ([getattr(one, name) for one in part] for part in (genuine, things))
        return compute_auroc(own, others)

    accepted = sum(thing.is_accepted for thing in things) / len(things)
    areas = (area(name) for name in ("gate", "autoencoder", "anomaly"))
    return Row(kind, len(things), accepted, *areas)


def format_row(row: Row) -> str:
    areas = (row.gate, row.autoencoder, row.anomaly)
    words = " ".join("  -  " if area is None else f"{area:.3f}" for area in areas)
    return f"{row.kind:<40} {row.count:5} {100 * row.accepted:6.2f} % accepted; AUROC {words}"


def split_photographs(folder: Path, out: Path) -> None:
    """Copies photographs into OUT/train and OUT/test, those of one source to one side."""
    with (folder / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    for kind in sorted({row["kind"] for row in rows}):
        own = [row for row in rows if row["kind"] == kind]
        sources = sorted({row["source"] for row in own})
        random.Random(SPLIT_SEED).shuffle(sources)
        for_test = set(sources[: max(1, round(TEST_SHARE * len(sources)))])
        for row in own:
            side = "test" if row["source"] in for_test else "train"
            place = out / side / row["file"]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / row["file"], place)


if __name__ == "__main__":
    main()
