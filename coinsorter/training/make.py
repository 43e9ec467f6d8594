"""A recipe and its pictures -> a bundle on disk: find, split, fit, quantise, set limits on what no network saw, and write it whole."""

import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from coinsorter import bundle, runtime, scale
from coinsorter.bundle import AUTOENCODER, CLASSIFIER, FACTS, GOLDEN, AnomalyScale, Bundle, Facts, Fusion, Golden, Label, Limits, Outline
from coinsorter.classify import Classifier
from coinsorter.crop import CropSpec
from coinsorter.errors import InputError
from coinsorter.scale import ScalePlane
from coinsorter.simulator import coins
from coinsorter.simulator.machine import UNSEEN_MOTIFS, label_facts
from coinsorter.training import limits, samples
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples import NONE, OPTICS, Samples

REPRESENTATIVE = 400  # crops that int8 ranges are taken from
GOLDEN_CROPS = 8
# What a lone round coin's outline may be like at worst: all but this share of the held-out coins', and the recipe's slack.
OUTLINE_SHARE = 0.005
# The belt as the simulated camera shows it, in one grey.
SIMULATED_SURROUND = (95.0, 95.0, 95.0)

# Opens a progress bar for some work of so many steps; the bar is told how many are done, and a word on how it goes.
Bar = Callable[[str, int], AbstractContextManager[Callable[..., None]]]


@dataclass(frozen=True, eq=False)
class Material:
    """What a bundle is made of.

    seen: what its networks are trained on. held: the genuine coins that limits are set on; asked of the bundle's own networks, which did
    not see them, or part by part of `sisters`, each a pair of what a sister is trained on and what it is asked. plane: the view's scale.
    """

    labels: list[Label]
    seen: Samples
    held: Samples
    sisters: list[tuple[Samples, Samples]]
    plane: ScalePlane
    spec: CropSpec
    notes: dict[str, Any]


def make(recipe: Recipe, frames: Path | None, out: Path, bar: Bar) -> Facts:
    """Trains the recipe's bundle and writes it to `out`, replacing what is there only once it is complete."""
    import keras

    check(recipe, frames)
    keras.utils.set_random_seed(recipe.seed % 2**32)
    material = _simulated(recipe, bar) if frames is None else _photographed(recipe, frames, bar)
    asked = [_ask(material, seen, held, recipe, _numbered(bar, f"sister {n + 1}: ")) for n, (seen, held) in enumerate(material.sisters)]
    judge, models, own = _train(material, material.seen, recipe, bar)
    answers, right = zip(*asked or [_answers(judge, own, material.held, bar)])
    joined = limits.HeldOut.joined(answers)
    facts = _facts(recipe, material, joined, models)
    facts["training"] |= material.notes | _made_with(joined, np.concatenate(right))
    simulated = material.held if recipe.source == "simulated" else material.seen.where(material.seen.labels == NONE)
    return write(out, facts, models, _golden(judge, simulated))


def _numbered(bar: Bar, prefix: str) -> Bar:
    return lambda what, steps: bar(prefix + what, steps)


def _ask(material: Material, seen: Samples, held: Samples, recipe: Recipe, bar: Bar) -> tuple[limits.HeldOut, np.ndarray]:
    """Trains a sister and returns its answers."""
    judge, _, own = _train(material, seen, recipe, bar)
    return _answers(judge, own, held, bar)


def _train(material: Material, seen: Samples, recipe: Recipe, bar: Bar) -> tuple[Classifier, dict[str, bytes], Any]:
    """Networks trained on what is seen: as the machine runs them, as int8 models, and the classifier as it was before."""
    from coinsorter.training import export, fit

    with bar("classifier", recipe.classifier.epochs) as tell:
        classifier = fit.fit_classifier(seen, len(material.labels), material.spec, recipe, tell)
    with bar("autoencoder", recipe.autoencoder.epochs) as tell:
        autoencoder = fit.fit_autoencoder(seen, material.spec, recipe, tell)
    typical = seen.where(_some(seen.labels != NONE, REPRESENTATIVE, recipe.seed)).crops
    models = {CLASSIFIER: export.int8(classifier, typical), AUTOENCODER: export.int8(autoencoder, typical)}
    return Classifier(_provisional(material, models), runtime.pick("auto")), models, classifier


def check(recipe: Recipe, frames: Path | None) -> None:
    """Raises InputError where recipe and pictures do not go together."""
    if recipe.source == "frames" and frames is None:
        raise InputError(f"recipe {recipe.name} trains on frames: name their folder with --frames")
    if recipe.source == "simulated" and (frames or recipe.labels):
        raise InputError(f"recipe {recipe.name} trains on simulated coins: it takes no --frames and no labels of its own")
    if recipe.source == "frames" and len(recipe.labels) < 2:
        raise InputError(f"recipe {recipe.name} lists {len(recipe.labels)} labels; at least two are needed")
    unfit = set(recipe.motifs) & set(UNSEEN_MOTIFS)
    if unfit:
        raise InputError(f"recipe {recipe.name}: motifs {', '.join(sorted(unfit))} are kept for the simulated belt; training must not see them")


def _simulated(recipe: Recipe, bar: Bar) -> Material:
    labels = [Label(**facts) for facts in label_facts()]
    spec = recipe.crop_spec(SIMULATED_SURROUND, max(label.diameter_mm for label in labels))
    counts, motifs, seed = recipe.pictures, tuple(recipe.motifs), recipe.seed
    with bar("drawing coins", counts.genuine) as tell:
        genuine = samples.simulated(coins.GENUINE, counts.genuine, spec, motifs, [seed, 10], tell)
    with bar("drawing held-out coins", counts.held_out) as tell:
        held = samples.simulated(coins.GENUINE, counts.held_out, spec, motifs, [seed, 11], tell)
    seen = Samples.joined([genuine, _foreign(recipe, spec, bar)])
    plane = _plane(labels, seen, OPTICS.width_px, OPTICS.height_px)
    return Material(labels, seen, held.measured(plane), [], plane, spec, {"split": "by seed"})


def _photographed(recipe: Recipe, frames: Path, bar: Bar) -> Material:
    with bar("finding coins", len(samples.picture_paths(frames))) as tell:
        found = samples.from_frames(frames, recipe, tell)
    coins_, foreign = found.samples, _foreign(recipe, found.spec, bar)
    notes = {"bursts": len(np.unique(coins_.groups)), "left_out": len(found.left_out)}
    rng = np.random.default_rng([recipe.seed, 3])
    if recipe.folds:
        dealt = samples.folds(coins_, recipe.folds, rng)
        parts = [(coins_.where(dealt != fold), coins_.where(dealt == fold)) for fold in range(recipe.folds)]
        sisters = [(Samples.joined([seen, foreign]), held) for seen, held in parts]
        seen, held, notes["split"] = coins_, Samples.joined([held for _, held in sisters]), f"by burst, {recipe.folds} folds"
    else:
        out = samples.hold_out(coins_, recipe.hold_out, rng)
        seen, held, sisters, notes["split"] = coins_.where(~out), coins_.where(out), [], "by burst"
    notes["held_out_bursts"] = len(np.unique(held.groups))
    plane = _plane(recipe.labels, seen, found.plane.width_px, found.plane.height_px)
    return Material(recipe.labels, Samples.joined([seen, foreign]), held, sisters, plane, found.spec, notes)


def _plane(labels: list[Label], seen: Samples, width_px: int, height_px: int) -> ScalePlane:
    genuine = seen.where(seen.labels != NONE)
    return scale.fit_plane(genuine.circles, [labels[i].diameter_mm for i in genuine.labels], width_px, height_px)


def _foreign(recipe: Recipe, spec: CropSpec, bar: Bar) -> Samples:
    """Simulated things that are none of the bundle's coins; for real coins the invented currency's own coins are among them."""
    motifs, count = tuple(recipe.motifs), recipe.pictures.foreign
    with bar("drawing foreign things", count) as tell:
        if recipe.source == "simulated":
            return samples.simulated("token", count, spec, motifs, [recipe.seed, 12], tell)
        tokens = samples.simulated("token", count // 2, spec, motifs, [recipe.seed, 12], tell)
        others = samples.simulated(coins.GENUINE, count - count // 2, spec, motifs, [recipe.seed, 13], tell)
    return Samples.joined([tokens, replace(others, labels=np.full(len(others), NONE))])


def _some(of: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A boolean array that is True at up to `count` of the places where `of` is."""
    chosen = np.random.default_rng([seed, 4]).permutation(np.flatnonzero(of))[:count]
    return np.isin(np.arange(len(of)), chosen)


def _answers(judge: Classifier, own: Any, held: Samples, bar: Bar) -> tuple[limits.HeldOut, np.ndarray]:
    """What networks say of coins they did not see; and which of those the classifier named rightly from one picture as it
    lies, as floats and as int8: bool (n, 2)."""
    logits, errors, single = [], [], []
    with bar("held-out coins", len(held)) as tell:
        for number, picture in enumerate(held.crops):
            logits.append(judge.logits(picture))
            errors.append(judge.error(picture))
            single.append(judge.single_logits(picture)[:-1].argmax())
            tell(number + 1)
    floats = own.predict(held.crops.astype(np.float32), batch_size=256, verbose=0)[:, :-1].argmax(axis=1)
    right = np.stack([floats == held.labels, np.array(single) == held.labels], axis=1)
    return limits.HeldOut(held.labels, np.array(logits), np.array(errors), held.diameters_mm), right


def _provisional(material: Material, models: dict[str, bytes]) -> Bundle:
    """A bundle good enough to run its networks; its limits are not known yet."""
    nothing = {label.name: AnomalyScale(middle=0.0, spread=1.0) for label in material.labels}
    none = {label.name: Limits(min_confidence=1, max_anomaly=0, tolerance_mm=1e-9, n=0) for label in material.labels}
    facts = Facts(
        format=bundle.FORMAT, name="provisional", labels=material.labels, crop=material.spec, view=material.plane, budget={}, files={},
        outline=Outline(min_roundness=0, min_quality=0, max_off_patch=1), fusion=Fusion(temperature=1, diameter_spread=1, freedom=1),
        anomaly=nothing, limits=none, recipe={}, training={},
    )  # fmt: skip
    golden = Golden(np.empty(0), np.empty(0), np.empty(0))
    return Bundle(Path("provisional"), facts, models[CLASSIFIER], models[AUTOENCODER], golden, "")


def _facts(recipe: Recipe, material: Material, answers: limits.HeldOut, models: dict[str, bytes]) -> dict[str, Any]:
    labels, plane, spec, held = material.labels, material.plane, material.spec, material.held
    fused, scales = limits.fusion(answers, labels), limits.anomaly_scales(answers, labels)
    found, proof = limits.limits(answers, labels, fused, scales, recipe.budget)
    return {
        "format": bundle.FORMAT,
        "name": recipe.name,
        "labels": [label.model_dump() for label in labels],
        "crop": {"size_px": spec.size_px, "margin": spec.margin, "surround": list(spec.surround), "full_mm": spec.full_mm, "gamma": spec.gamma},
        "outline": {
            "min_roundness": _at_worst([c.roundness for c in held.circles], recipe.slack.roundness),
            "min_quality": _at_worst([c.quality for c in held.circles], recipe.slack.quality),
            "max_off_patch": -_at_worst([-c.off_patch for c in held.circles], recipe.slack.off_patch),
            "by_extent": recipe.by_extent,
        },
        "view": {
            "px_per_mm": round(plane.px_per_mm, 5), "tilt_along": round(plane.tilt_along, 5), "tilt_across": round(plane.tilt_across, 5),
            "width_px": plane.width_px, "height_px": plane.height_px,
        },  # fmt: skip
        "fusion": fused.model_dump(),
        "anomaly": {name: scale_.model_dump() for name, scale_ in scales.items()},
        "limits": {name: own.model_dump() for name, own in found.items()},
        "budget": proof,
        "files": {},
        "recipe": recipe.plain(),
        "training": {"runtime": runtime.pick("auto"), "bytes": {name: len(content) for name, content in models.items()}},
    }


def _at_worst(values: list[float], slack: float) -> float:
    return round(float(np.quantile(values, OUTLINE_SHARE)) - slack, 4)


def _made_with(answers: limits.HeldOut, right: np.ndarray) -> dict[str, Any]:
    """Top-1 accuracy on the held-out coins from pictures alone, as floats and as int8, and what made the networks."""
    averaged = answers.logits[:, :-1].argmax(axis=1) == answers.labels
    names = ("float", "int8", "int8_averaged_turns")
    return {
        "held_out_accuracy": {name: round(float(share), 5) for name, share in zip(names, (*right.mean(axis=0), averaged.mean()))},
        "made_with": {name: importlib.metadata.version(name) for name in ("coinsorter", "keras", "numpy")},
    }


def _golden(judge: Classifier, from_: Samples) -> Golden:
    """Simulated crops, evenly spread, and what the networks say of them."""
    picked = np.linspace(0, len(from_) - 1, min(GOLDEN_CROPS, len(from_))).astype(int)
    crops = from_.crops[picked]
    logits = np.array([judge.logits(picture) for picture in crops], np.float32)
    return Golden(crops, logits, np.array([judge.error(picture) for picture in crops], np.float32))


def write(out: Path, facts: dict[str, Any], models: dict[str, bytes], golden: Golden) -> Facts:
    """Writes the bundle beside `out` first and then in its place: a full disk leaves no half bundle."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        new = Path(folder) / out.name
        (new / GOLDEN).parent.mkdir(parents=True)
        for name, content in models.items():
            (new / name).write_bytes(content)
        with (new / GOLDEN).open("wb") as file:
            np.savez_compressed(file, crops=golden.crops, logits=golden.logits, errors=golden.errors)
        facts["files"] = {name: hashlib.sha256((new / name).read_bytes()).hexdigest() for name in (*models, GOLDEN)}
        checked = Facts.model_validate(facts)
        (new / FACTS).write_text(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
        old = Path(folder) / "old"
        if out.exists():
            os.replace(out, old)
        os.replace(new, out)
        shutil.rmtree(old, ignore_errors=True)
    return checked
