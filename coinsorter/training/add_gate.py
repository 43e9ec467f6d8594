"""A gate for a bundle that was trained without one; its other networks stay as they are.

Coins are held out as they were from its other networks: what gates say of coins that they did not
see sets the threshold. The bundle's own gate sees all coins, but for those that none of its
networks sees.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.errors import InputError
from coinsorter.files.atomic import replace_folder
from coinsorter.files.owned_folder import check_folder
from coinsorter.files.ownership import Claim
from coinsorter.recognition.bundle import Bundle, Manifest, load_bundle
from coinsorter.recognition.bundle_files import GATE
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.training.export import quantize
from coinsorter.training.export.bundle_writer import BUNDLE_CLAIM
from coinsorter.training.exposure.foreign_photos import check_foreign
from coinsorter.training.exposure.mix import ExposureMix, ExposureSource
from coinsorter.training.fitting import fit, networks
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recalibrate import read_bundle_recipe, update_manifest, write_copy
from coinsorter.training.recipe import GateSettings, Recipe
from coinsorter.training.samples.assemble import deal_held_out, read_exposure, read_photos
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.heldout_store import load_heldout

#: Stream of random numbers by which the crops that int8's ranges are taken from are chosen.
CHOICE_STREAM = 18
#: Genuine crops, and as many things, that int8's ranges are taken from.
REPRESENTATIVE_CROPS = 400


def add_gate(
    path: Path,
    data: Sequence[Path],
    foreign: Sequence[Path],
    out: Path,
    open_progress: OpenProgress,
    claim: Claim = BUNDLE_CLAIM,
    changes: dict[str, Any] | None = None,
) -> Manifest:
    """Trains a gate for a bundle, sets the thresholds again, and writes the bundle to `out`.

    data: the images that the bundle was trained on. foreign: photographs of foreign things. claim:
    what the new bundle may take the place of. changes: of the recipe's settings of the gate, by the
    names of `GateSettings`. Raises InputError or BundleError.
    """
    check_folder(out, claim)
    bundle = load_bundle(path)
    recipe = read_bundle_recipe(bundle, {})
    _check_trained(bundle)
    settings = (recipe.gate or GateSettings()).model_copy(update=changes or {})
    recipe = recipe.model_copy(update={"gate": settings})
    networks.check_weights(settings)
    check_foreign(foreign)
    coins = read_photos(recipe, data, open_progress, bundle).samples
    held, sets = load_heldout(path)
    fold_of = deal_held_out(recipe, coins)
    _check_same_coins(path, coins.select(fold_of >= 0), held)
    sources = read_exposure(recipe, foreign, bundle.crop, open_progress)
    networks.reset_layer_names()
    gate_logits, memberships = _cross_validate(
        bundle, recipe, coins, fold_of, sources, open_progress
    )
    seen = coins if recipe.folds else coins.select(fold_of < 0)
    gate = _train_gate(bundle, recipe, seen, sources, "gate", open_progress)
    gated = _replace_gate(bundle, gate)
    answers = replace(sets.held, gate_logits=gate_logits, memberships=memberships)
    answered = replace(sets, held=answers)
    manifest = update_manifest(gated, recipe, held, answered)
    classifier = Classifier(gated, pick_runtime("auto"))
    with replace_folder(out, claim) as folder:
        return write_copy(gated, classifier, manifest, folder, held, answered)


def _check_trained(bundle: Bundle) -> None:
    taught = [label.name for label in bundle.manifest.labels if label.taught]
    if taught:
        raise InputError(
            f"bundle {bundle.path}: its label {taught[0]} was taught without training; give the "
            "bundle that it was taught to a gate, and teach it again"
        )


def _replace_gate(bundle: Bundle, gate: bytes) -> Bundle:
    """A bundle in memory with another gate, whose answer no classifier's odds are added to."""
    manifest = bundle.manifest
    fusion = manifest.fusion.model_copy(update={"classifier_odds_weight": 0.0})
    return replace(
        bundle,
        manifest=manifest.model_copy(update={"fusion": fusion}),
        gate=gate,
        contents={**bundle.contents, GATE: gate},
        digest="",
    )


def _check_same_coins(path: Path, coins: Samples, held: Samples) -> None:
    is_same = (coins.labels.tolist(), coins.groups.tolist())
    if is_same != (held.labels.tolist(), held.groups.tolist()):
        raise InputError(
            f"bundle {path}: its thresholds were set on {len(held)} other coins than the "
            f"{len(coins)} of these images that are held out; name the images that it was trained "
            "on, in the same order"
        )


def _cross_validate(
    bundle: Bundle,
    recipe: Recipe,
    coins: Samples,
    fold_of: np.ndarray,
    sources: Sequence[ExposureSource],
    open_progress: OpenProgress,
) -> tuple[np.ndarray, np.ndarray]:
    """What gates say of the n coins that are held out: logits, (n, labels), and log odds, (n,)."""
    gate_logits = np.empty((len(coins), len(bundle.labels)), np.float32)
    memberships = np.empty(len(coins))
    count = int(fold_of.max()) + 1
    for fold in range(count):
        is_held_out = fold_of == fold
        title = f"gate, fold {fold + 1} of {count}"
        seen = coins.select(~is_held_out)
        gate = _train_gate(bundle, recipe, seen, sources, title, open_progress)
        classifier = Classifier(replace(bundle, gate=gate, digest=""), pick_runtime("auto"))
        answers = [classifier.run_gate(crop) for crop in coins.select(is_held_out).crops]
        gate_logits[is_held_out] = [logits for logits, _ in answers]
        memberships[is_held_out] = [log_odds for _, log_odds in answers]
    return gate_logits[fold_of >= 0], memberships[fold_of >= 0]


def _train_gate(
    bundle: Bundle,
    recipe: Recipe,
    coins: Samples,
    sources: Sequence[ExposureSource],
    title: str,
    open_progress: OpenProgress,
) -> bytes:
    """A gate as int8 .tflite."""
    settings = recipe.gate or GateSettings()
    mix = ExposureMix(coins, sources, bundle.crop)
    classes = len(bundle.labels)
    with open_progress(title, settings.epochs) as report:
        fitted = fit.fit_gate(coins, mix, classes, bundle.crop, recipe, settings, report)
    return quantize.quantize_int8(fitted.model, _choose_representative(coins, mix, recipe))


def _choose_representative(coins: Samples, mix: ExposureMix, recipe: Recipe) -> np.ndarray:
    """Genuine crops and things, from which int8's ranges are taken: uint8 (k, size, size, 3)."""
    rng = np.random.default_rng([recipe.seed, CHOICE_STREAM])
    places = rng.permutation(len(coins))[:REPRESENTATIVE_CROPS]
    return np.concatenate([coins.crops[places], mix.draw_many(len(places), rng)])
