"""How surely coins that models/brl does not know are told from those it does: `python -m benchmarks.strangers foreign` or `unseen [LABEL ...]`.

foreign: Korean and euro coins (ready crops of other cameras) against the second day's crops, without diameters, by the shipped bundle.
unseen: for every label (or those named) a bundle is trained on the first day without it, by the shipped recipe but with a quarter of the
bursts held out instead of sisters, and a third of the inspector's epochs; it is asked about the second day, where that label's coins are
strange. Some four minutes each on two cores; a trained bundle is kept in the folder `unseen` and not trained again. Needs the photographs.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.training.evaluation.ood import measure_ood
from coinsorter.training.evaluation.predictions import FolderPredictions, Prediction, Predictor
from tests.conftest import BRL, ROOT, data_folder

FOREIGN = {"Korean coins": "krw-crops", "euro coins": "euro-crops/test"}


@contextmanager
def quiet(what: str, steps: int):
    yield lambda done, figures=None: None


def load_predictor(path: Path) -> Predictor:
    models = bundle.load_bundle(path)
    return Predictor(models, Classifier(models, runtime.pick_runtime("auto")))


def day2(predictor: Predictor, data: Path) -> list[Prediction]:
    return [
        record
        for record in FolderPredictions(
            data / "brl-frames" / "day2", predictor.predict_frame, predictor.bundle.resolve_label
        )
        if record.has_coin
    ]


def foreign(data: Path) -> None:
    predictor = load_predictor(BRL)
    genuine = day2(predictor, data)
    for name, folder in FOREIGN.items():
        others = list(
            FolderPredictions(
                data / folder, predictor.predict_ready_crop, lambda label: f"foreign {label}"
            )
        )
        area = measure_ood(predictor, genuine + others, lambda done: None).without_diameter["all"]
        accepted = sum(record.accepted for record in others)
        print(
            f"{len(others)} {name} against {len(genuine)} crops of day2, without diameter: AUROC {area:.4f}, {accepted} accepted ({100 * accepted / len(others):.1f} %)"
        )


def unseen(data: Path, labels: list[str]) -> None:
    from coinsorter.training import recipe
    from coinsorter.training.export import quantize
    from coinsorter.training.train import train_bundle

    quantize.MAX_LOSS = 0.02  # these bundles are for the study only: of so few held-out coins a single one is more than half a point
    written = recipe.load_recipe(ROOT / "models" / "brl.yaml")
    found = {}
    for label in labels or [own.name for own in written.labels]:
        known = [own for own in written.labels if own.name != label]
        out = Path("unseen") / f"without-{label}"
        if not out.exists():
            inspector = written.defect_detector and written.defect_detector.model_copy(
                update={"epochs": written.defect_detector.epochs // 3}
            )
            shorter = {
                "labels": known,
                "folds": None,
                "hold_out": 0.25,
                "defect_detector": inspector,
            }
            train_bundle(
                written.model_copy(update=shorter), [data / "brl-frames" / "day1"], out, quiet
            )
        predictor = load_predictor(out)
        records = day2(predictor, data)
        areas = measure_ood(predictor, records, lambda done: None)
        accepted = sum(record.accepted for record in records if record.label == label)
        found[label] = areas.with_diameter["all"], areas.without_diameter["all"]
        print(
            f"{label} unseen: AUROC {found[label][0]:.4f} with diameter, {found[label][1]:.4f} without; {accepted} of its coins accepted",
            flush=True,
        )
    print(
        f"mean of {len(found)}: AUROC {mean(own[0] for own in found.values()):.4f} with diameter, {mean(own[1] for own in found.values()):.4f} without"
    )


def main() -> None:
    data = data_folder()
    if data is None:
        raise SystemExit("no photographs: neither $COINSORTER_DATA nor ../shared/data is there")
    if sys.argv[1:2] == ["foreign"]:
        foreign(data)
    elif sys.argv[1:2] == ["unseen"]:
        unseen(data, sys.argv[2:])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
