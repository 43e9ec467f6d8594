"""A recipe and its pictures -> a bundle on disk: find, split, fit, quantise, set limits on what no network saw, and write it whole."""

import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from coinsorter import bundle, runtime, scale
from coinsorter.bundle import AUTOENCODER, CLASSIFIER, FACTS, GOLDEN, AnomalyScale, Bundle, Facts, Fusion, Golden, Label, Limits
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
# What a lone round coin's outline may be like at worst: the held-out coins' own, and some slack.
OUTLINE_SHARE, ROUNDNESS_SLACK, QUALITY_SLACK, OFF_PATCH_SLACK = 0.005, 0.02, 0.03, 0.05
# The belt as the simulated camera shows it, in one grey.
SIMULATED_SURROUND = (95.0, 95.0, 95.0)

# Opens a progress bar for some work of so many steps; the bar is told how many are done, and a word on how it goes.
Bar = Callable[[str, int], AbstractContextManager[Callable[..., None]]]


def make(recipe: Recipe, frames: Path | None, out: Path, bar: Bar) -> Facts:
    """Trains the recipe's bundle and writes it to `out`, replacing what is there only once it is complete."""
    import keras

    from coinsorter.training import export, fit

    check(recipe, frames)
    keras.utils.set_random_seed(recipe.seed % 2**32)
    labels, seen, held, plane, spec, notes = _pictures(recipe, frames, bar)
    with bar("classifier", recipe.classifier.epochs) as tell:
        classifier = fit.fit_classifier(seen, len(labels), spec, recipe, tell)
    with bar("autoencoder", recipe.autoencoder.epochs) as tell:
        autoencoder = fit.fit_autoencoder(seen, spec, recipe, tell)
    typical = seen.where(_some(seen.labels != NONE, REPRESENTATIVE, recipe.seed)).crops
    models = {CLASSIFIER: export.int8(classifier, typical), AUTOENCODER: export.int8(autoencoder, typical)}
    provisional = _provisional(labels, spec, models)
    judge = Classifier(provisional, runtime.pick("auto"))
    with bar("held-out coins", len(held)) as tell:
        answers = _answers(judge, held, plane, tell)
    facts = _facts(recipe, labels, plane, spec, held, answers, models)
    facts["training"] |= notes | _scores(classifier, judge, held, answers)
    golden = _golden(judge, held if recipe.source == "simulated" else seen.where(seen.labels == NONE))
    return write(out, facts, models, golden)


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


def _pictures(recipe: Recipe, frames: Path | None, bar: Bar) -> tuple[list[Label], Samples, Samples, ScalePlane, CropSpec, dict[str, Any]]:
    return _simulated(recipe, bar) if frames is None else _photographed(recipe, frames, bar)


def _simulated(recipe: Recipe, bar: Bar) -> tuple[list[Label], Samples, Samples, ScalePlane, CropSpec, dict[str, Any]]:
    spec = CropSpec(recipe.crop.size_px, recipe.crop.margin, SIMULATED_SURROUND)
    counts, motifs, seed = recipe.pictures, tuple(recipe.motifs), recipe.seed
    with bar("drawing coins", counts.genuine) as tell:
        genuine = samples.simulated(coins.GENUINE, counts.genuine, spec, motifs, [seed, 10], tell)
    with bar("drawing held-out coins", counts.held_out) as tell:
        held = samples.simulated(coins.GENUINE, counts.held_out, spec, motifs, [seed, 11], tell)
    seen = Samples.joined([genuine, _foreign(recipe, spec, bar)])
    labels = [Label(**facts) for facts in label_facts()]
    diameters = [labels[i].diameter_mm for i in genuine.labels]
    plane = scale.fit_plane(genuine.circles, diameters, OPTICS.width_px, OPTICS.height_px)
    return labels, seen, held, plane, spec, {"split": "by seed"}


def _photographed(recipe: Recipe, frames: Path, bar: Bar) -> tuple[list[Label], Samples, Samples, ScalePlane, CropSpec, dict[str, Any]]:
    with bar("finding coins", len(samples.picture_paths(frames))) as tell:
        found = samples.from_frames(frames, recipe, tell)
    held = samples.hold_out(found.samples, recipe.hold_out, np.random.default_rng([recipe.seed, 3]))
    seen, unseen = found.samples.where(~held), found.samples.where(held)
    diameters = [recipe.labels[i].diameter_mm for i in seen.labels]
    plane = scale.fit_plane(seen.circles, diameters, found.plane.width_px, found.plane.height_px)
    notes = {
        "split": "by burst",
        "held_out_bursts": len(np.unique(unseen.groups)),
        "bursts": len(np.unique(found.samples.groups)),
        "left_out": len(found.left_out),
    }
    return recipe.labels, Samples.joined([seen, _foreign(recipe, found.spec, bar)]), unseen, plane, found.spec, notes


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


def _answers(judge: Classifier, held: Samples, plane: ScalePlane, tell: Callable[[int], None]) -> limits.HeldOut:
    logits, errors = [], []
    for number, picture in enumerate(held.crops):
        logits.append(judge.logits(picture))
        errors.append(judge.error(picture))
        tell(number + 1)
    diameters = np.array([plane.diameter_mm(circle) for circle in held.circles])
    return limits.HeldOut(held.labels, np.array(logits), np.array(errors), diameters)


def _provisional(labels: list[Label], spec: CropSpec, models: dict[str, bytes]) -> Bundle:
    """A bundle good enough to run its networks; its limits are not known yet."""
    nothing = {label.name: AnomalyScale(middle=0.0, spread=1.0) for label in labels}
    none = {label.name: Limits(min_confidence=1, max_anomaly=0, tolerance_mm=1e-9, n=0) for label in labels}
    facts = Facts(
        format=bundle.FORMAT, name="provisional", labels=labels, crop={}, outline={}, view={}, budget={}, files={}, recipe={}, training={},
        fusion=Fusion(temperature=1, diameter_spread=1, freedom=1), anomaly=nothing, limits=none,
    )  # fmt: skip
    golden = Golden(np.empty(0), np.empty(0), np.empty(0))
    return Bundle(Path("provisional"), facts, spec, models[CLASSIFIER], models[AUTOENCODER], golden, "")


def _facts(recipe: Recipe, labels: list[Label], plane: ScalePlane, spec: CropSpec, held: Samples, answers: limits.HeldOut, models) -> dict[str, Any]:
    fused, scales = limits.fusion(answers, labels), limits.anomaly_scales(answers, labels)
    found, proof = limits.limits(answers, labels, fused, scales, recipe.budget)
    return {
        "format": bundle.FORMAT,
        "name": recipe.name,
        "labels": [label.model_dump() for label in labels],
        "crop": {"size_px": spec.size_px, "margin": spec.margin, "surround": list(spec.surround)},
        "outline": {
            "min_roundness": _at_worst([c.roundness for c in held.circles], ROUNDNESS_SLACK),
            "min_quality": _at_worst([c.quality for c in held.circles], QUALITY_SLACK),
            "max_off_patch": -_at_worst([-c.off_patch for c in held.circles], OFF_PATCH_SLACK),
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


def _scores(classifier: Any, judge: Classifier, held: Samples, answers: limits.HeldOut) -> dict[str, Any]:
    """Top-1 accuracy on the held-out coins from single pictures alone, as floats and as int8, and what made the networks."""
    floats = classifier.predict(held.crops.astype(np.float32), batch_size=256, verbose=0)[:, :-1].argmax(axis=1)
    quantised = np.array([judge.single_logits(picture)[:-1].argmax() for picture in held.crops])
    return {
        "held_out_accuracy": {
            "float": round(float((floats == held.labels).mean()), 5),
            "int8": round(float((quantised == held.labels).mean()), 5),
            "int8_averaged_turns": round(float((answers.logits[:, :-1].argmax(axis=1) == held.labels).mean()), 5),
        },
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
