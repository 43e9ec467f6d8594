"""How well coins that models/brl does not know are separated from those that it does.

    python -m benchmarks.unknown_coins foreign
    python -m benchmarks.unknown_coins unseen [LABEL ...]

foreign: Korean and euro coins (ready crops of other cameras) compared with the second day's crops,
without diameters, by the shipped bundle. unseen: for every label, or those named, a bundle is
trained on the first day without it, by the shipped recipe, but with a quarter of the bursts held
out instead of cross-validation folds, and a third of the defect detector's epochs. It is evaluated
on the second day, where that label's coins are out of distribution. Some four minutes each on two
cores. A trained bundle is kept in the folder `unseen` and not trained again. Both need the
photographs.
"""

import sys
from pathlib import Path
from statistics import mean

from benchmarks.inputs import load_classifier, require_photographs
from coinsorter.training.evaluation.ood import measure_ood
from coinsorter.training.evaluation.predictions import FolderPredictions, Prediction, Predictor
from coinsorter.training.progress import hide_progress
from coinsorter.training.recipe import Recipe, load_recipe
from tests.conftest import BRL, ROOT

#: Data sets of ready crops that show coins of other currencies.
FOREIGN = {"Korean coins": "krw-crops", "euro coins": "euro-crops/test"}
#: What int8 may lose of accuracy here. These bundles are for the study only: of so few held-out
#: coins a single one is more than half a percentage point.
MAX_LOSS = 0.02
#: Part of the bursts that is held out.
HOLD_OUT = 0.25


def main() -> None:
    data = require_photographs()
    command, *labels = sys.argv[1:] or [""]
    if command == "foreign":
        compare_foreign(data)
    elif command == "unseen":
        compare_unseen(data, labels)
    else:
        raise SystemExit(__doc__)


def compare_foreign(data: Path) -> None:
    predictor = load_predictor(BRL)
    genuine = predict_day2(predictor, data)
    for name, folder in FOREIGN.items():
        foreign = predict_foreign(predictor, data / folder)
        area = measure_ood(predictor, genuine + foreign, lambda done: None).without_diameter["all"]
        accepted = sum(prediction.accepted for prediction in foreign)
        print(
            f"{len(foreign)} {name} against {len(genuine)} crops of day2, without diameter: "
            f"AUROC {area:.4f}, {accepted} accepted ({100 * accepted / len(foreign):.1f} %)"
        )


def compare_unseen(data: Path, labels: list[str]) -> None:
    recipe = load_recipe(ROOT / "models" / "brl.yaml")
    areas = []
    for label in labels or [label.name for label in recipe.labels]:
        predictor = load_predictor(train_without(label, recipe, data))
        predictions = predict_day2(predictor, data)
        ood = measure_ood(predictor, predictions, lambda done: None)
        own = [prediction for prediction in predictions if prediction.label == label]
        accepted = sum(prediction.accepted for prediction in own)
        areas.append((ood.with_diameter["all"], ood.without_diameter["all"]))
        figures = format_areas(*areas[-1])
        print(f"{label} unseen: {figures}; {accepted} of its coins accepted", flush=True)
    with_diameter, without_diameter = (mean(column) for column in zip(*areas))
    print(f"mean of {len(areas)}: {format_areas(with_diameter, without_diameter)}")


def format_areas(with_diameter: float, without_diameter: float) -> str:
    return f"AUROC {with_diameter:.4f} with diameter, {without_diameter:.4f} without"


def load_predictor(path: Path) -> Predictor:
    classifier = load_classifier(path)
    return Predictor(classifier.bundle, classifier)


def predict_day2(predictor: Predictor, data: Path) -> list[Prediction]:
    folder = data / "brl-frames" / "day2"
    resolve_label = predictor.bundle.resolve_label
    predictions = FolderPredictions(folder, predictor.predict_frame, resolve_label)
    return [prediction for prediction in predictions if prediction.has_coin]


def predict_foreign(predictor: Predictor, folder: Path) -> list[Prediction]:
    return list(
        FolderPredictions(folder, predictor.predict_ready_crop, lambda label: f"foreign {label}")
    )


def train_without(label: str, recipe: Recipe, data: Path) -> Path:
    """The bundle that was trained without a label's coins; trains it where it is not there yet."""
    from coinsorter.training.export import quantize
    from coinsorter.training.train import train_bundle

    out = Path("unseen") / f"without-{label}"
    if not out.exists():
        quantize.MAX_LOSS = MAX_LOSS
        shortened = shorten_recipe(label, recipe)
        train_bundle(shortened, [data / "brl-frames" / "day1"], out, hide_progress)
    return out


def shorten_recipe(label: str, recipe: Recipe) -> Recipe:
    detector = recipe.defect_detector
    if detector:
        detector = detector.model_copy(update={"epochs": detector.epochs // 3})
    return recipe.model_copy(
        update={
            "labels": [other for other in recipe.labels if other.name != label],
            "folds": None,
            "hold_out": HOLD_OUT,
            "defect_detector": detector,
        }
    )


if __name__ == "__main__":
    main()
