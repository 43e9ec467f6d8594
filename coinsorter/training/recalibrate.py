"""Evidence on held-out coins -> everything in a bundle that rests on it: fusion to thresholds.

A bundle gets its first thresholds when it is trained. `calibrate` sets them again on other
photographs, of another day or another machine, or within another error budget.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from coinsorter.errors import BundleError, InputError
from coinsorter.files.atomic import replace_folder
from coinsorter.files.owned_folder import check_folder
from coinsorter.files.ownership import Claim
from coinsorter.recognition.bundle import Bundle, Fusion, Label, Manifest, load_bundle
from coinsorter.recognition.bundle_files import GOLDEN, MANIFEST
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.records import Circle
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.export.bundle_writer import (
    BUNDLE_CLAIM,
    copy_other_files,
    write_golden,
    write_manifest,
)
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recipe import Budget, Recipe
from coinsorter.training.samples import assemble
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.anomaly_fit import assign_labels, fit_anomaly
from coinsorter.training.thresholds.choose import choose_thresholds
from coinsorter.training.thresholds.drift_replay import replay_days
from coinsorter.training.thresholds.fusion_fit import fit_fusion
from coinsorter.training.thresholds.heldout import HeldOutSets, collect_evidence, make_golden
from coinsorter.training.thresholds.heldout_store import FILE, load_heldout, save_heldout
from coinsorter.vision.scale import ScalePlane

#: Share of the held-out coins whose outlines may be worse than the bundle's bounds, before the
#: recipe's margin is added.
OUTLINE_SHARE = 0.005


def set_thresholds(
    recipe: Recipe,
    labels: Sequence[Label],
    held: Samples,
    sets: HeldOutSets,
    plane: ScalePlane,
    scale_drifts: bool,
    classifier_odds_weight: float = 0.0,
) -> dict[str, Any]:
    """The parts of bundle.yaml that rest on held-out coins.

    held: those coins, in the order taken. sets: the evidence on them. plane: the view's scale.
    scale_drifts: whether the camera may have moved, so that the machine follows the scale.
    classifier_odds_weight: see `Fusion`; the evidence has those odds in its memberships.
    """
    fitted = fit_fusion(sets.held, labels, recipe.diameter_std)
    fusion = fitted.model_copy(update={"classifier_odds_weight": classifier_odds_weight})
    genuine = assign_labels(sets.held, labels, fusion).impute_defects(recipe.seed)
    anomalies = assign_labels(sets.anomalies, labels, fusion)
    scales, fusion = fit_anomaly(genuine, labels, fusion, recipe.budget.genuine_rejected)
    days = [genuine]
    if scale_drifts:
        days = replay_days(genuine, held.circles, held.groups, plane, labels, fusion, recipe.seed)
    thresholds, proof = choose_thresholds(days, labels, fusion, scales, recipe.budget, anomalies)
    return {
        "outline": _bound_outlines(recipe, held.circles) | {"by_extent": recipe.by_extent},
        "fusion": fusion.model_dump(by_alias=True),
        "anomaly": {name: scale.model_dump(by_alias=True) for name, scale in scales.items()},
        "limits": {name: own.model_dump(by_alias=True) for name, own in thresholds.items()},
        "budget": proof,
    }


def recalibrate_bundle(
    path: Path,
    data: Sequence[Path],
    out: Path,
    open_progress: OpenProgress,
    anomalies: Path | None = None,
    budget: dict[str, float] | None = None,
    claim: Claim = BUNDLE_CLAIM,
) -> Manifest:
    """Set a bundle's thresholds on photographs that its networks never saw, and write it to `out`.

    data, anomalies: as for `train_bundle`. Without data, the thresholds are set on the coins that
    they were set on before; the bundle keeps the evidence on those.
    budget: shares that replace its recipe's, by the names of `recipe.Budget`. claim: what the new
    bundle may take the place of.
    The networks stay as they are; `out` is written whole or not at all. Raises InputError or
    BundleError.
    """
    check_folder(out, claim)
    bundle = load_bundle(path)
    classifier = Classifier(bundle, pick_runtime("auto"))
    classifier.check_golden_crops()
    recipe = read_bundle_recipe(bundle, budget or {})
    if not data and anomalies:
        raise InputError(
            "--anomalies are judged against genuine coins: name photographs of these, too"
        )
    if data:
        held, sets = _collect_photos(recipe, classifier, data, anomalies, open_progress)
    else:
        held, sets = load_heldout(path)
        _check_labels(bundle, sets)
    weight = bundle.manifest.fusion.classifier_odds_weight
    manifest = update_manifest(bundle, recipe, held, sets, weight)
    if data:
        manifest["training"]["calibrated_on"] = [len(held), len(np.unique(held.groups))]
    with replace_folder(out, claim) as folder:
        return write_copy(bundle, classifier, manifest, folder, held, sets)


def _check_labels(bundle: Bundle, sets: HeldOutSets) -> None:
    labels = len(bundle.manifest.labels)
    known = sets.held.similarities.shape[1]
    if known != labels or not set(range(labels)) <= set(sets.held.labels.tolist()):
        raise BundleError(
            f"bundle {bundle.path}: its answers on held-out coins are not of its {labels} labels; "
            "name photographs"
        )


def _collect_photos(
    recipe: Recipe,
    classifier: Classifier,
    data: Sequence[Path],
    anomalies: Path | None,
    open_progress: OpenProgress,
) -> tuple[Samples, HeldOutSets]:
    photos = assemble.read_photos(recipe, data, open_progress, classifier.bundle)
    foreign = assemble.read_anomalies(recipe, anomalies, photos, open_progress)
    return photos.samples, collect_evidence(classifier, photos.samples, foreign, open_progress)


def update_manifest(
    bundle: Bundle,
    recipe: Recipe,
    held: Samples,
    sets: HeldOutSets,
    classifier_odds_weight: float = 0.0,
) -> dict[str, Any]:
    """What bundle.yaml says once thresholds were set on these coins; see `set_thresholds`."""
    labels = bundle.manifest.labels
    scale_drifts = recipe.source == "frames"
    changes = set_thresholds(
        recipe, labels, held, sets, bundle.view, scale_drifts, classifier_odds_weight
    )
    manifest = bundle.manifest.model_dump(by_alias=True) | changes
    manifest["recipe"] = recipe.to_dict()
    return manifest


def write_copy(
    bundle: Bundle,
    classifier: Classifier,
    manifest: dict[str, Any],
    folder: Path,
    held: Samples,
    sets: HeldOutSets,
) -> Manifest:
    """Writes a bundle with another manifest into a folder, with its golden answers made again."""
    copy_other_files(bundle.path, folder)
    for name, content in bundle.contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        if name != MANIFEST:
            manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / FILE).parent.mkdir(exist_ok=True)
    save_heldout(folder, held, sets)
    golden = make_golden(classifier, bundle.golden.crops, Fusion.model_validate(manifest["fusion"]))
    manifest["files"][GOLDEN] = write_golden(folder, golden)
    return write_manifest(folder, manifest)


def read_bundle_recipe(bundle: Bundle, budget: dict[str, float]) -> Recipe:
    """The bundle's own recipe with another budget."""
    try:
        recipe = Recipe.model_validate(bundle.manifest.recipe)
    except ValidationError as error:
        raise BundleError(
            f"bundle {bundle.path}: its recipe is not one that this version knows; train it again"
        ) from error
    if recipe.source == "simulated":
        raise InputError(
            f"bundle {bundle.path} was made for simulated coins: photographs say nothing of them; "
            "train it again"
        )
    changed = Budget.model_validate(recipe.budget.model_dump() | budget)
    return recipe.model_copy(update={"budget": changed})


def _bound_outlines(recipe: Recipe, circles: Sequence[Circle]) -> dict[str, float]:
    """The worst that a lone coin's outline may be like, for bundle.yaml.

    Ready crops were cut by another program, and say nothing about outlines.
    """
    if recipe.source == "crops":
        return dict(LENIENT_SEARCH)
    margin = recipe.margin
    roundness = [circle.roundness for circle in circles]
    quality = [circle.quality for circle in circles]
    off_patch = [-circle.off_patch for circle in circles]
    return {
        "min_roundness": _bound_below(roundness, margin.roundness),
        "min_quality": _bound_below(quality, margin.quality),
        "max_off_patch": -_bound_below(off_patch, margin.off_patch),
    }


def _bound_below(values: list[float], margin: float) -> float:
    return round(float(np.quantile(values, OUTLINE_SHARE)) - margin, 4)
