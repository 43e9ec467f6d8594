"""A recipe and its pictures -> a bundle on disk: find, split, fit, quantise, set limits on what no network saw, and write it whole."""

import hashlib
import importlib.metadata
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.bundle import AUTOENCODER, CLASSIFIER, DEFECT_DETECTOR, Manifest
from coinsorter.recognition.classifier import Classifier
from coinsorter.training.export import embedding_stats, quantize, relief_gallery, runtime_parity
from coinsorter.training.export.bundle_writer import (
    BundleContents,
    make_provisional_bundle,
    write_bundle,
)
from coinsorter.training.fitting import fit, networks
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples import assemble
from coinsorter.training.samples.assemble import AssembledSamples
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples
from coinsorter.training.thresholds import recalibrate
from coinsorter.training.thresholds.heldout import (
    HeldOutSets,
    collect_evidence,
    join_in_order,
    make_golden,
)

REPRESENTATIVE = 400  # crops that int8 ranges are taken from
GOLDEN_CROPS = 8
COMPARED = 4000  # held-out crops that float and int8 are compared on


@dataclass(frozen=True, eq=False)
class TrainedBundle:
    """Networks as they were trained and as int8 models, both by file name, and as the machine runs them; its bundle holds what else they know."""

    fitted: dict[str, fit.FittedNetwork]
    models: dict[str, bytes]
    judge: Classifier


def train_bundle(
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    bar: OpenProgress,
    anomalies: Path | None = None,
) -> Manifest:
    """Trains the recipe's bundle and writes it to `out`, replacing what is there only once it is complete.

    anomalies: pictures of strange things that the anomaly limits are to keep out; no network is trained on them.

    What was trained so far is kept beside `out` until then: killed and started again, it goes on from there.
    """
    import keras

    networks.check_weights(recipe.classifier)
    found = assemble.assemble_samples(recipe, data, anomalies, bar)
    work = _work(out, recipe, found)
    keras.utils.clear_session()  # layers are numbered from 0 whatever was trained before: their names are in the bundle's files
    inspector = _inspector(found, recipe, bar, work)
    asked = [
        _ask(found, n, recipe, inspector if n == _inspected(found) else {}, bar, work)
        for n in range(len(found.folds))
    ]
    own = _train(found, found.training, recipe, inspector, bar, work / "own")
    answers, rights = zip(
        *(
            asked
            or [
                (
                    collect_evidence(own.judge, found.held_out, found.anomalies, bar),
                    _named(own, found.held_out),
                )
            ]
        )
    )
    told = join_in_order(answers, found.held_out_order)
    right = {name: np.concatenate([one[name] for one in rights]) for name in rights[0]}
    typical = found.held_out.select(
        _some(found.held_out.labels != FOREIGN_LABEL, REPRESENTATIVE, recipe.seed)
    ).crops[:]
    quantize.check_accuracy_loss(
        right, lambda: quantize.find_worst_layer(own.fitted[CLASSIFIER].model, typical)
    )
    facts = _facts(recipe, found, told, own.models)
    facts["training"] |= found.notes | _made_with(right)
    simulated = (
        found.held_out
        if recipe.source == "simulated"
        else found.training.select(found.training.labels == FOREIGN_LABEL)
    )
    asked_about = (
        None if recipe.source == "simulated" else (found.held_out, told)
    )  # `calibrate` is for photographs
    contents = BundleContents(
        models=own.models,
        golden=make_golden(own.judge, _spread(simulated), facts["fusion"]["relief_weight"]),
        reliefs=own.judge.bundle.reliefs,
        embedding_stats=own.judge.bundle.embedding_stats,
        histories={Path(name).stem: fitted.history for name, fitted in own.fitted.items()},
        heldout=asked_about,
    )
    manifest = write_bundle(out, facts, contents)
    shutil.rmtree(work.parent, ignore_errors=True)
    return manifest


def _work(out: Path, recipe: Recipe, material: AssembledSamples) -> Path:
    """Where a training is kept while it runs: beside the bundle, and another one for all that networks depend on, recipe and pictures."""
    digest = hashlib.sha256(
        recipe.model_dump_json(
            by_alias=True,
            include={
                "seed",
                "classifier",
                "autoencoder",
                "defect_detector",
                "augment",
                "hold_out",
                "folds",
                "max_folds",
            },
        ).encode()
    )
    for part in (material.training, material.held_out):
        for picture in part.crops:
            digest.update(picture.tobytes())
        digest.update(part.labels.tobytes())
        digest.update(part.groups.tobytes())
    return out.parent / f".{out.name}-training" / digest.hexdigest()[:16]


def _numbered(bar: OpenProgress, prefix: str) -> OpenProgress:
    return lambda what, steps: bar(prefix + what, steps)


def _inspector(
    material: AssembledSamples, recipe: Recipe, bar: OpenProgress, work: Path
) -> dict[str, fit.FittedNetwork]:
    """The inspector, where the recipe has one: one for all, trained without the coins that one of the sisters is asked about."""
    if not recipe.defect_detector:
        return {}
    seen = material.folds[_inspected(material)][0] if material.folds else material.training
    with bar("inspector", recipe.defect_detector.epochs) as tell:
        return {
            DEFECT_DETECTOR: fit.fit_defect_detector(
                seen, material.spec, recipe, recipe.defect_detector, tell, work
            )
        }


def _inspected(material: AssembledSamples) -> int:
    """The sister whose coins the inspector is asked about: one that has coins of as many labels as can be."""
    counts = [len(np.unique(held.labels)) for _, held in material.folds]
    return counts.index(max(counts)) if counts else 0


def _ask(
    material: AssembledSamples,
    number: int,
    recipe: Recipe,
    inspector: dict[str, fit.FittedNetwork],
    bar: OpenProgress,
    work: Path,
) -> tuple[HeldOutSets, dict[str, np.ndarray]]:
    """Trains a sister and returns its answers, and which of its coins it names rightly."""
    (seen, held), bar = material.folds[number], _numbered(bar, f"sister {number + 1}: ")
    trained = _train(material, seen, recipe, inspector, bar, work / f"sister-{number + 1}")
    told = collect_evidence(trained.judge, held, material.anomalies, bar)
    return told if inspector or not recipe.defect_detector else told.without_defects(), _named(
        trained, held
    )


def _train(
    material: AssembledSamples,
    seen: Samples,
    recipe: Recipe,
    inspector: dict[str, fit.FittedNetwork],
    bar: OpenProgress,
    work: Path,
) -> TrainedBundle:
    """Networks trained on what is seen, and a trained inspector if there is one."""
    fitted = {}
    with bar("classifier", recipe.classifier.epochs) as tell:
        fitted[CLASSIFIER] = fit.fit_classifier(
            seen, len(material.labels), material.spec, recipe, tell, work
        )
    with bar("autoencoder", recipe.autoencoder.epochs) as tell:
        fitted[AUTOENCODER] = fit.fit_autoencoder(seen, material.spec, recipe, tell, work)
    fitted |= inspector
    typical = seen.select(_some(seen.labels != FOREIGN_LABEL, REPRESENTATIVE, recipe.seed)).crops[:]
    telling = {
        name: networks.add_embedding_output(own.model) if name == CLASSIFIER else own.model
        for name, own in fitted.items()
    }
    models = {name: quantize.quantize_int8(model, typical) for name, model in telling.items()}
    known = (
        relief_gallery.build_gallery(seen, material.spec, recipe.relief.per_label, recipe.seed)
        if recipe.relief
        else None
    )
    provisional = make_provisional_bundle(
        material.labels, material.spec, material.view, models, known
    )
    picked = runtime.pick_runtime("auto")
    embedding = embedding_stats.fit_embedding_stats(
        seen, len(material.labels), Classifier(provisional, picked).embed, material.spec, recipe
    )
    return TrainedBundle(
        fitted, models, Classifier(replace(provisional, embedding_stats=embedding), picked)
    )


def _some(of: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A boolean array that is True at up to `count` of the places where `of` is."""
    chosen = np.random.default_rng([seed, 4]).permutation(np.flatnonzero(of))[:count]
    return np.isin(np.arange(len(of)), chosen)


def _named(trained: TrainedBundle, held: Samples) -> dict[str, np.ndarray]:
    """Which of some held-out coins the classifier names rightly, as floats and as int8 in each runtime: bool (n,)."""
    some = held.select(_some(held.labels != FOREIGN_LABEL, COMPARED, 0))
    crops = some.crops[:]
    found = runtime_parity.classify_in_runtimes(trained.models[CLASSIFIER], crops)
    turned = (
        np.rot90(crops, turn, (1, 2)).astype(np.float32) for turn in range(runtime_parity.TURNS)
    )
    floats = sum(
        trained.fitted[CLASSIFIER].model.predict(
            some_turned, batch_size=fit.PREDICT_BATCH, verbose=0
        )
        for some_turned in turned
    )
    found[quantize.FLOAT] = floats[:, :-1].argmax(axis=1)
    return {name: answer == some.labels for name, answer in found.items()}


def _facts(
    recipe: Recipe, material: AssembledSamples, told: HeldOutSets, models: dict[str, bytes]
) -> dict[str, Any]:
    labels, plane, spec = material.labels, material.view, material.spec
    return {
        "format": bundle.FORMAT,
        "name": recipe.name,
        "labels": [label.model_dump(by_alias=True) for label in labels],
        "crop": asdict(spec) | {"surround": list(spec.surround)},
        "view": {
            "px_per_mm": round(plane.px_per_mm, 5),
            "tilt_along": round(plane.tilt_along, 5),
            "tilt_across": round(plane.tilt_across, 5),
            "width_px": plane.width_px,
            "height_px": plane.height_px,
            "barrel": round(plane.barrel, 5),
        },
        **recalibrate.set_thresholds(
            recipe, labels, material.held_out, told, plane, material.scale_drifts
        ),
        "files": {},
        "recipe": recipe.to_dict(),
        "training": {
            "runtime": runtime.pick_runtime("auto"),
            "bytes": {name: len(content) for name, content in models.items()},
        },
    }


def _made_with(right: dict[str, np.ndarray]) -> dict[str, Any]:
    """Top-1 accuracy on held-out coins from pictures alone, as floats and as int8 in each runtime; and what made the networks."""
    shares = {name: own.mean() for name, own in right.items()}
    return {
        "held_out_accuracy": {name: round(float(share), 5) for name, share in shares.items()},
        "made_with": {
            name: importlib.metadata.version(name) for name in ("coinsorter", "keras", "numpy")
        },
    }


def _spread(of: Samples) -> np.ndarray:
    """Some crops, evenly spread: uint8 (m, size, size, 3)."""
    return of.crops[np.linspace(0, len(of) - 1, min(GOLDEN_CROPS, len(of))).astype(int)]
