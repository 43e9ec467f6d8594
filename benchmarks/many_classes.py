"""A bundle of many classes from few images of each: `python -m benchmarks.many_classes`.

Coins of designs that are drawn at random, each class one design, as ready crops in any rotation
and light. A bundle is trained by the trainer, and judged on other crops of the same designs.
Printed are how long training takes, how large the bundle is, how long one coin takes, and how many
coins are named rightly and accepted, by looks alone.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import yaml

from benchmarks.inputs import load_classifier
from coinsorter.recognition.bundle import load_bundle
from coinsorter.training import train_cli
from coinsorter.training.evaluation.predictions import Predictor, predict_folder

#: Edge of the drawn crops, px, and the coin's radius in them.
SIZE_PX = 96
RADIUS_PX = 44.0
#: Strokes and letters of a design.
STROKES = 9
#: Grey of what is around the coins.
AROUND = 95
#: Diameters of the classes, mm: between the smallest and the largest coin in use.
DIAMETERS_MM = (16.0, 28.0)

RECIPE = {
    "name": "many",
    "seed": 1,
    "source": "crops",
    "px_per_mm": 4.0,
    "group_pattern": r"^(shot[0-9]+)_",
    "folds": 4,
    "max_folds": 1,
    "crop": {"size_px": 64, "correct_light": False},
    "classifier": {"network": "polar", "width": 16, "epochs": 24, "batch": 64, "repeat": 2},
    "autoencoder": {"epochs": 4},
    "relief": {"per_label": 16},
    "augment": {"brightness": 0.3, "contrast": 0.2, "colour": 0.1, "blur_px": 0.8, "noise": 4},
    "budget": {"wrong": 0.01, "genuine_rejected": 0.05},
    "images": {"foreign": 300},
}


def main() -> int:
    options = _parse_options()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        draw_crops(folder / "train", options.classes, options.images, seed=1)
        draw_crops(folder / "test", options.classes, options.judged, seed=2)
        recipe = write_recipe(folder, options.classes)
        bundle = folder / "bundle"
        started_s = time.monotonic()
        words = ["bundle", str(folder / "train"), "--recipe", str(recipe), "--out", str(bundle)]
        status = train_cli.main(words)
        if status:
            return status
        print(f"trained in {(time.monotonic() - started_s) / 60:.1f} min")
        report_size(bundle)
        judge(bundle, folder / "test")
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.many_classes", description=__doc__)
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--images", type=int, default=20, help="of each class, to train on")
    parser.add_argument("--judged", type=int, default=5, help="others of each class")
    return parser.parse_args()


def write_recipe(folder: Path, classes: int) -> Path:
    diameters_mm = np.linspace(*DIAMETERS_MM, classes).round(2).tolist()
    labels = [
        {"name": name_class(number), "value": 1.0, "currency": "", "diameter_mm": diameter_mm}
        for number, diameter_mm in enumerate(diameters_mm)
    ]
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE | {"labels": labels}))
    return path


def name_class(number: int) -> str:
    return f"class_{number:03}"


def draw_crops(folder: Path, classes: int, count: int, seed: int) -> None:
    """Some crops of each class, every fifth of one photograph."""
    for number in range(classes):
        design = draw_design(number)
        rng = np.random.default_rng([seed, number])
        place = folder / name_class(number)
        place.mkdir(parents=True)
        for place_number in range(count):
            path = place / f"shot{place_number // 5}_{place_number}.png"
            cv2.imwrite(str(path), photograph(design, rng))


def draw_design(number: int) -> np.ndarray:
    """A coin's face, uint8 (n, n, 3): metals of core and rim, strokes, and a number."""
    rng = np.random.default_rng([7, number])
    size_px, middle = SIZE_PX * 4, (SIZE_PX * 2, SIZE_PX * 2)
    radius_px = int(4 * RADIUS_PX)
    face = np.full((size_px, size_px, 3), AROUND, np.uint8)
    core, rim = rng.integers(70, 180, (2, 3))
    cv2.circle(face, middle, radius_px, [int(level) for level in rim], -1, cv2.LINE_AA)
    core_px = int(radius_px * rng.uniform(0.6, 0.9))
    cv2.circle(face, middle, core_px, [int(level) for level in core], -1, cv2.LINE_AA)
    for _ in range(STROKES):
        points = middle[0] + rng.normal(0, radius_px / 2.5, (3, 2))
        shade = int(rng.integers(20, 240))
        width_px = int(rng.integers(6, 18))
        cv2.polylines(face, [points.astype(np.int32)], False, [shade] * 3, width_px, cv2.LINE_AA)
    start = (middle[0] - radius_px // 2, middle[1] + radius_px // 3)
    cv2.putText(face, str(number), start, 0, 4.0, (20, 20, 20), 12, cv2.LINE_AA)
    return face


def photograph(design: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A design in some rotation and light: uint8 (SIZE_PX, SIZE_PX, 3)."""
    middle = (SIZE_PX * 2, SIZE_PX * 2)
    turn = cv2.getRotationMatrix2D(middle, rng.uniform(0, 360), rng.uniform(0.97, 1.03))
    around = (AROUND,) * 3
    turned = cv2.warpAffine(design, turn, design.shape[1::-1], borderValue=around)
    blurred = cv2.GaussianBlur(turned, (0, 0), rng.uniform(1, 4))
    small = cv2.resize(blurred, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    slope = np.linspace(-1, 1, SIZE_PX) * rng.uniform(-0.2, 0.2)
    light = rng.uniform(0.75, 1.25) * (1 + slope)[:, None, None]
    noise = rng.normal(0, rng.uniform(1, 5), small.shape)
    return np.clip(small * light + noise, 0, 255).astype(np.uint8)


def report_size(bundle: Path) -> None:
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    started_s = time.monotonic()
    manifest = load_bundle(bundle).manifest
    loaded_s = time.monotonic() - started_s
    print(f"{len(manifest.labels)} labels, {size / 1e6:.2f} MB, loaded in {loaded_s:.2f} s")
    print(f"held out: {manifest.budget}")


def judge(bundle: Path, folder: Path) -> None:
    """Prints what the bundle makes of other crops of its classes."""
    classifier = load_classifier(bundle)
    predictor = Predictor(classifier.bundle, classifier)
    started_s = time.monotonic()
    predictions = list(predict_folder(folder, predictor, crops=True))
    took_s = time.monotonic() - started_s
    named = sum(one.is_correct for one in predictions)
    accepted = sum(one.accepted for one in predictions)
    wrong = sum(one.accepted and not one.is_correct for one in predictions)
    count = len(predictions)
    print(f"{count} other crops: {100 * named / count:.1f} % named rightly by looks alone")
    print(f"{100 * accepted / count:.1f} % accepted, {wrong} of them wrong")
    print(f"{1000 * took_s / count:.1f} ms a crop, reading included")


if __name__ == "__main__":
    sys.exit(main())
