"""The whole training of a bundle, from top to bottom: a recipe and images -> a bundle on disk.

Coins are cut out and split, networks are trained and quantised to int8, thresholds are set on coins
that no network saw, and the bundle is written whole.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.files.owned_folder import check_folder
from coinsorter.files.ownership import Claim
from coinsorter.recognition.bundle import FORMAT, Fusion, Manifest
from coinsorter.recognition.bundle_files import CLASSIFIER
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.recognition.views import show_crops
from coinsorter.training import html_report
from coinsorter.training.cross_validation import OWN, cross_validate, evaluate
from coinsorter.training.evaluation import plots
from coinsorter.training.export import quantize
from coinsorter.training.export.bundle_writer import (
    BUNDLE_CLAIM,
    BundleContents,
    write_bundle,
)
from coinsorter.training.exposure.foreign_photos import check_foreign
from coinsorter.training.fitting import networks
from coinsorter.training.parallel import HERE, Workers
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recalibrate import set_thresholds
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.assemble import AssembledSamples, assemble_samples
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.heldout import (
    HeldOutSets,
    join_in_order,
    make_golden,
)
from coinsorter.training.thresholds.heldout_store import save_heldout
from coinsorter.training.trained_networks import (
    REPRESENTATIVE_CROPS,
    TrainedNetworks,
    choose_crops,
    train_defect_detector,
    train_networks,
    weigh_classifier_odds,
)
from coinsorter.vision.scale import ScalePlane

#: Crops in a bundle that every start checks its networks with.
GOLDEN_CROPS = 8

#: Hexadecimal digits in the name of a folder in which a training is kept.
WORK_DIGITS = 16

#: What the trained networks depend on, apart from the images.
NETWORK_FIELDS = {
    "seed",
    "classifier",
    "autoencoder",
    "defect_detector",
    "gate",
    "augment",
    "hold_out",
    "folds",
    "max_folds",
}


def train_bundle(
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    open_progress: OpenProgress,
    anomalies: Path | None = None,
    claim: Claim = BUNDLE_CLAIM,
    foreign: Sequence[Path] = (),
    workers: Workers = HERE,
) -> Manifest:
    """Trains the recipe's bundle and writes it to `out`, in place of what is there.

    data: folders of images, or data sets. anomalies: images of objects to reject, which the anomaly
    thresholds are set to separate; no network is trained on them. foreign: folders of photographs
    of foreign things, which the gate is trained to reject. claim: what the bundle may take the
    place of. workers: where the networks of a cross-validation are trained. Finished epochs are
    kept beside `out` until the bundle is written: started again after a kill, training goes on from
    there.
    """
    check_folder(out, claim)
    for settings in (recipe.classifier, recipe.gate, recipe.defect_detector):
        if settings:
            networks.check_weights(settings)
    check_foreign(foreign)
    assembled = assemble_samples(recipe, data, anomalies, open_progress, foreign)
    work = _name_work_folder(out, recipe, assembled)
    networks.reset_layer_names()
    folds = []
    if assembled.folds:
        folds = cross_validate(assembled, recipe, work, workers, open_progress)
    detector = train_defect_detector(assembled, recipe, open_progress, work)
    own = work / OWN
    trained = train_networks(assembled, assembled.training, recipe, detector, open_progress, own)
    if not folds:
        folds = [evaluate(trained, assembled.held_out, assembled.anomalies, open_progress)]
    evidence = join_in_order([fold.evidence for fold in folds], assembled.held_out_order)
    is_right = _join_comparisons([fold.is_right for fold in folds])
    groups = np.concatenate([fold.groups for fold in folds])
    quantize.check_accuracy_loss(
        is_right, groups, lambda: _find_worst_layer(trained, assembled.held_out, recipe)
    )
    content = _describe_bundle(recipe, assembled, evidence, trained.models)
    content["training"] |= assembled.notes | _describe_accuracy(is_right)
    contents = _collect_contents(recipe, assembled, trained, evidence, content)
    manifest = write_bundle(out, content, contents, claim)
    _remove_work(work.parent)
    return manifest


def _remove_work(folder: Path) -> None:
    """Removes the trainings that were kept in a folder, and it where nothing else is in it."""
    for work in folder.glob("?" * WORK_DIGITS):
        if re.fullmatch("[0-9a-f]*", work.name) and not work.is_symlink():
            shutil.rmtree(work, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _name_work_folder(out: Path, recipe: Recipe, assembled: AssembledSamples) -> Path:
    """Where a training is kept while it runs: beside the bundle.

    It is another folder for all that networks depend on, recipe and images.
    """
    settings = recipe.model_dump_json(by_alias=True, include=NETWORK_FIELDS)
    digest = hashlib.sha256(settings.encode())
    for source in assembled.exposure:
        for crop in source.crops:
            digest.update(crop.tobytes())
    for samples in (assembled.training, assembled.held_out):
        for crop in samples.crops:
            digest.update(crop.tobytes())
        digest.update(samples.labels.tobytes())
        digest.update(samples.groups.tobytes())
    return out.parent / f".{out.name}-training" / digest.hexdigest()[:WORK_DIGITS]


def _join_comparisons(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _find_worst_layer(trained: TrainedNetworks, held_out: Samples, recipe: Recipe) -> str:
    crops = choose_crops(held_out, REPRESENTATIVE_CROPS, recipe.seed)
    model = trained.fitted[CLASSIFIER].model
    views = show_crops(crops, model.input_shape[1:], trained.classifier.bundle.crop)
    return quantize.find_worst_layer(model, views)


def _describe_bundle(
    recipe: Recipe, assembled: AssembledSamples, evidence: HeldOutSets, models: dict[str, bytes]
) -> dict[str, Any]:
    """What bundle.yaml says, by its keys, in their order."""
    spec = assembled.spec
    thresholds = set_thresholds(
        recipe,
        assembled.labels,
        assembled.held_out,
        evidence,
        assembled.view,
        assembled.scale_drifts,
        weigh_classifier_odds(recipe),
    )
    return {
        "format": FORMAT,
        "name": recipe.name,
        "labels": [label.model_dump(by_alias=True) for label in assembled.labels],
        "crop": asdict(spec) | {"surround": list(spec.surround)},
        "view": _describe_view(assembled.view),
        **thresholds,
        "files": {},
        "recipe": recipe.to_dict(),
        "training": {
            "runtime": pick_runtime("auto"),
            "bytes": {name: len(content) for name, content in models.items()},
        },
    }


def _describe_view(view: ScalePlane) -> dict[str, Any]:
    return {
        "px_per_mm": round(view.px_per_mm, 5),
        "tilt_along": round(view.tilt_along, 5),
        "tilt_across": round(view.tilt_across, 5),
        "width_px": view.width_px,
        "height_px": view.height_px,
        "barrel": round(view.barrel, 5),
    }


def _describe_accuracy(is_right: dict[str, np.ndarray]) -> dict[str, Any]:
    """Top-1 accuracy on held-out coins by image alone, and the versions that trained."""
    packages = ("coinsorter", "keras", "numpy")
    return {
        "held_out_accuracy": {
            name: round(float(right.mean()), 5) for name, right in is_right.items()
        },
        "made_with": {name: importlib.metadata.version(name) for name in packages},
    }


def _collect_contents(
    recipe: Recipe,
    assembled: AssembledSamples,
    trained: TrainedNetworks,
    evidence: HeldOutSets,
    content: dict[str, Any],
) -> BundleContents:
    """What the bundle's folder holds beside bundle.yaml.

    Golden crops are simulated, so that a bundle holds no photograph; the evidence on held-out coins
    is for recalibration, which is for photographs.
    """
    if recipe.source == "simulated":
        simulated = assembled.held_out
        heldout = None
    else:
        simulated = assembled.training.select(~assembled.training.is_genuine)
        heldout = (assembled.held_out, evidence)
    fusion = Fusion.model_validate(content["fusion"])
    golden = make_golden(trained.classifier, _choose_golden_crops(simulated), fusion)
    bundle = trained.classifier.bundle
    histories = {Path(name).stem: network.history for name, network in trained.fitted.items()}
    return BundleContents(
        models=trained.models,
        golden=golden,
        reliefs=bundle.reliefs,
        embedding_stats=bundle.embedding_stats,
        write_more=partial(_write_for_people, histories=histories, heldout=heldout),
    )


def _write_for_people(
    folder: Path,
    histories: dict[str, Any],
    heldout: tuple[Samples, HeldOutSets] | None,
) -> None:
    """Writes how the training went, and the evidence on held-out coins; no machine reads them."""
    training = folder / "training"
    training.mkdir()
    (training / "history.json").write_text(json.dumps(histories, indent=1))
    curves = html_report.encode_png(plots.plot_training_curves(histories))
    (training / "curves.png").write_bytes(curves)
    if heldout:
        save_heldout(folder, *heldout)


def _choose_golden_crops(samples: Samples) -> np.ndarray:
    """Some crops, evenly spaced: uint8 (m, size, size, 3)."""
    count = min(GOLDEN_CROPS, len(samples))
    return samples.crops[np.linspace(0, len(samples) - 1, count).astype(int)]
