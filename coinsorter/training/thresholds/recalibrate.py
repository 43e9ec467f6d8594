"""Answers on coins that no network saw -> all of a bundle that rests on them: limits within an error budget, and what proves them.

A bundle gets its first when it is made; `calibrate` sets them anew on other photographs, of another day or another machine.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from coinsorter.atomic import replace_folder
from coinsorter.errors import BundleError, InputError
from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.bundle import GOLDEN, MANIFEST, Bundle, Label, Manifest
from coinsorter.recognition.classifier import Classifier
from coinsorter.training.dataset.quality import LENIENT_SEARCH
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recipe import Budget, Recipe
from coinsorter.training.samples import assemble
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds import choose, heldout, heldout_store
from coinsorter.training.thresholds.heldout import HeldOutSets
from coinsorter.vision.scale import ScalePlane

# What a lone round coin's outline may be like at worst: all but this share of the held-out coins', and the recipe's slack.
OUTLINE_SHARE = 0.005


def set_thresholds(
    recipe: Recipe,
    labels: list[Label],
    held: Samples,
    told: HeldOutSets,
    plane: ScalePlane,
    moved: bool,
) -> dict[str, Any]:
    """The parts of bundle.yaml that rest on held-out coins. held: those coins, in the order taken; plane, moved: see `material.Material`."""
    fused = choose.fit_fusion(told.held, labels, recipe.diameter_std)
    genuine, anomalies = (
        choose.assign_labels(group, labels, fused) for group in (told.held, told.anomalies)
    )
    genuine = genuine.impute_defects(recipe.seed)
    scales, fused = choose.fit_anomaly(genuine, labels, fused, recipe.budget.genuine_rejected)
    days = (
        choose.replay_days(genuine, held.circles, held.groups, plane, labels, fused, recipe.seed)
        if moved
        else [genuine]
    )
    found, proof = choose.choose_thresholds(days, labels, fused, scales, recipe.budget, anomalies)
    return {
        "outline": _outline(recipe, held) | {"by_extent": recipe.by_extent},
        "fusion": fused.model_dump(by_alias=True),
        "anomaly": {name: scale.model_dump(by_alias=True) for name, scale in scales.items()},
        "limits": {name: own.model_dump(by_alias=True) for name, own in found.items()},
        "budget": proof,
    }


def recalibrate_bundle(
    path: Path,
    data: Sequence[Path],
    out: Path,
    bar: OpenProgress,
    anomalies: Path | None = None,
    budget: dict[str, float] | None = None,
) -> Manifest:
    """Sets a bundle's limits anew on photographs that its networks never saw, and writes it to `out`, whole or not at all.

    data, anomalies: as for `make`; without data the limits are set on the coins that they were set on before, whose answers the bundle keeps.
    budget: another than its recipe's, by the names of `recipe.Budget`. The networks stay as they are.
    """
    models = bundle.load_bundle(path)
    judge = Classifier(models, runtime.pick_runtime("auto"))
    judge.check_golden_crops()
    recipe = _recipe(models, budget or {})
    if not data and anomalies:
        raise InputError("--anomalies are told from genuine coins: name photographs of these, too")
    held, told = (
        _asked(recipe, models, judge, data, anomalies, bar)
        if data
        else heldout_store.load_heldout(path)
    )
    facts = models.manifest.model_dump(by_alias=True) | set_thresholds(
        recipe, models.manifest.labels, held, told, models.view, recipe.source == "frames"
    )
    facts["recipe"] = recipe.to_dict()
    if data:
        facts["training"]["calibrated_on"] = [len(held), len(np.unique(held.groups))]
    with replace_folder(out) as new:
        shutil.copytree(path, new, dirs_exist_ok=True)
        heldout_store.save_heldout(new, held, told)
        facts["files"][GOLDEN] = _reweighed(
            models, judge, facts["fusion"]["relief_weight"], new / GOLDEN
        )
        checked = Manifest.model_validate(facts)
        (new / MANIFEST).write_text(dump_manifest(facts), encoding="utf-8")
    return checked


def _asked(
    recipe: Recipe,
    models: Bundle,
    judge: Classifier,
    data: Sequence[Path],
    anomalies: Path | None,
    bar: OpenProgress,
) -> tuple[Samples, HeldOutSets]:
    found = assemble.read_photos(recipe, data, bar, models)
    given = assemble.read_anomalies(recipe, anomalies, found, bar)
    return found.samples, heldout.collect_evidence(judge, found.samples, given, bar)


def _reweighed(models: Bundle, judge: Classifier, relief_weight: float, path: Path) -> str:
    """Writes the golden answers with another weight of the reliefs; returns their hash."""
    with path.open("wb") as file:
        np.savez_compressed(
            file, **heldout.make_golden(judge, models.golden.crops, relief_weight).list_arrays()
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def dump_manifest(facts: dict[str, Any]) -> str:
    """What bundle.yaml says, as YAML."""
    return yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=120)


def _recipe(models: Bundle, budget: dict[str, float]) -> Recipe:
    try:
        recipe = Recipe.model_validate(models.manifest.recipe)
    except ValidationError as error:
        raise BundleError(
            f"bundle {models.path}: its recipe is not one that this version knows; train it again"
        ) from error
    if recipe.source == "simulated":
        raise InputError(
            f"bundle {models.path} was made for simulated coins; there is nothing to calibrate on photographs"
        )
    return recipe.model_copy(
        update={"budget": Budget.model_validate(recipe.budget.model_dump() | budget)}
    )


def _outline(recipe: Recipe, held: Samples) -> dict[str, float]:
    """What a lone coin's outline is like at worst; ready crops, which were cut by another program, do not tell."""
    if recipe.source == "crops":
        return dict(LENIENT_SEARCH)
    return {
        "min_roundness": _at_worst([c.roundness for c in held.circles], recipe.margin.roundness),
        "min_quality": _at_worst([c.quality for c in held.circles], recipe.margin.quality),
        "max_off_patch": -_at_worst([-c.off_patch for c in held.circles], recipe.margin.off_patch),
    }


def _at_worst(values: list[float], slack: float) -> float:
    return round(float(np.quantile(values, OUTLINE_SHARE)) - slack, 4)
