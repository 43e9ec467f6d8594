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
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.files.owned_folder import check_folder
from coinsorter.files.ownership import Claim
from coinsorter.recognition.bundle import FORMAT, Manifest
from coinsorter.recognition.bundle_files import AUTOENCODER, CLASSIFIER, DEFECT_DETECTOR, GATE
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.relief import Reliefs
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.recognition.views import count_views, show_crops
from coinsorter.training import html_report
from coinsorter.training.evaluation import plots
from coinsorter.training.export import quantize
from coinsorter.training.export.bundle_writer import (
    BUNDLE_CLAIM,
    BundleContents,
    make_provisional_bundle,
    write_bundle,
)
from coinsorter.training.export.embedding_stats import fit_embedding_stats
from coinsorter.training.export.relief_gallery import build_gallery
from coinsorter.training.export.runtime_parity import TURNS, classify_in_runtimes
from coinsorter.training.exposure.foreign_photos import check_foreign
from coinsorter.training.exposure.mix import ExposureMix
from coinsorter.training.fitting import fit, networks
from coinsorter.training.fitting.batches import PREDICT_BATCH
from coinsorter.training.fitting.fit import FittedNetwork
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recalibrate import set_thresholds
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.assemble import AssembledSamples, assemble_samples
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.heldout import (
    HeldOutSets,
    collect_evidence,
    join_in_order,
    make_golden,
)
from coinsorter.training.thresholds.heldout_store import save_heldout
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

#: Crops that the ranges of int8 are taken from.
REPRESENTATIVE_CROPS = 400

#: Held-out crops that float and int8 are compared on.
COMPARED_CROPS = 4000

#: Crops in a bundle that every start checks its networks with.
GOLDEN_CROPS = 8

#: The stream of random numbers, beside the recipe's seed, by which some crops are chosen.
CHOICE_STREAM = 4
EXPOSURE_STREAM = 15

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
) -> Manifest:
    """Trains the recipe's bundle and writes it to `out`, in place of what is there.

    data: folders of images, or data sets. anomalies: images of objects to reject, which the anomaly
    thresholds are set to separate; no network is trained on them. foreign: folders of photographs
    of foreign things, which the gate is trained to reject. claim: what the bundle may take the
    place of. Finished epochs are kept beside `out` until the bundle is written: started again after
    a kill, training goes on from there.
    """
    check_folder(out, claim)
    for settings in (recipe.classifier, recipe.gate):
        if settings:
            networks.check_weights(settings)
    check_foreign(foreign)
    assembled = assemble_samples(recipe, data, anomalies, open_progress, foreign)
    work = _name_work_folder(out, recipe, assembled)
    networks.reset_layer_names()
    detector = _train_defect_detector(assembled, recipe, open_progress, work)
    folds = [
        _evaluate_fold(assembled, number, recipe, detector, open_progress, work)
        for number in range(len(assembled.folds))
    ]
    trained = train_networks(
        assembled, assembled.training, recipe, detector, open_progress, work / "own"
    )
    if not folds:
        folds = [_evaluate(trained, assembled.held_out, assembled.anomalies, open_progress)]
    evidence = join_in_order([fold.evidence for fold in folds], assembled.held_out_order)
    is_right = _join_comparisons([fold.is_right for fold in folds])
    quantize.check_accuracy_loss(
        is_right, lambda: _find_worst_layer(trained, assembled.held_out, recipe)
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


def _train_defect_detector(
    assembled: AssembledSamples, recipe: Recipe, open_progress: OpenProgress, work: Path
) -> FittedNetwork | None:
    """One defect detector for all folds, if the recipe has one.

    It is trained without the coins of one fold, which is the one that it is evaluated on.
    """
    settings = recipe.defect_detector
    if settings is None:
        return None
    training = assembled.training
    if assembled.folds:
        training, _ = assembled.folds[_choose_detector_fold(assembled)]
    with open_progress("defect detector", settings.epochs) as report:
        return fit.fit_defect_detector(training, assembled.spec, recipe, settings, report, work)


def _choose_detector_fold(assembled: AssembledSamples) -> int:
    """The first fold whose held-out coins are of as many labels as can be."""
    counts = [len(np.unique(held_out.labels)) for _, held_out in assembled.folds]
    return counts.index(max(counts))


@dataclass(frozen=True, eq=False)
class TrainedNetworks:
    """What one training gave.

    fitted: the networks as they were trained, and models: the same as int8 .tflite; both by file
    name. classifier: runs the models as the machine does; its bundle holds what else they know.
    """

    fitted: dict[str, FittedNetwork]
    models: dict[str, bytes]
    classifier: Classifier


@dataclass(frozen=True, eq=False)
class _Evaluation:
    """What networks make of coins that they did not see.

    is_right: which of the coins the classifier names rightly, bool (n,), as floats and as int8 in
    each runtime.
    """

    evidence: HeldOutSets
    is_right: dict[str, np.ndarray]


def _evaluate_fold(
    assembled: AssembledSamples,
    number: int,
    recipe: Recipe,
    detector: FittedNetwork | None,
    open_progress: OpenProgress,
    work: Path,
) -> _Evaluation:
    """Trains the networks of a cross-validation fold and evaluates them on its held-out coins."""
    training, held_out = assembled.folds[number]
    has_detector = number == _choose_detector_fold(assembled)
    name = f"fold {number + 1}"
    open_named = _prefix_titles(open_progress, f"{name}: ")
    trained = train_networks(
        assembled,
        training,
        recipe,
        detector if has_detector else None,
        open_named,
        work / name.replace(" ", "-"),
    )
    evaluation = _evaluate(trained, held_out, assembled.anomalies, open_named)
    if detector is None or has_detector:
        return evaluation
    return replace(evaluation, evidence=evaluation.evidence.without_defects())


def _prefix_titles(open_progress: OpenProgress, prefix: str) -> OpenProgress:
    return lambda title, steps: open_progress(prefix + title, steps)


def train_networks(
    assembled: AssembledSamples,
    training: Samples,
    recipe: Recipe,
    detector: FittedNetwork | None,
    open_progress: OpenProgress,
    work: Path,
) -> TrainedNetworks:
    """Networks trained on some of the assembled samples.

    detector: a trained defect detector to put beside them. work: folder where the training is kept
    from epoch to epoch.
    """
    fitted = _fit_networks(assembled, training, recipe, open_progress, work)
    if detector:
        fitted[DEFECT_DETECTOR] = detector
    models = _quantize(fitted, assembled, training, recipe)
    reliefs = _build_reliefs(assembled, training, recipe)
    bundle = make_provisional_bundle(
        assembled.labels, assembled.spec, assembled.view, models, reliefs
    )
    runtime = pick_runtime("auto")
    embed = Classifier(bundle, runtime).embed
    stats = fit_embedding_stats(training, len(assembled.labels), embed, assembled.spec, recipe)
    classifier = Classifier(replace(bundle, embedding_stats=stats), runtime)
    return TrainedNetworks(fitted, models, classifier)


def _fit_networks(
    assembled: AssembledSamples,
    training: Samples,
    recipe: Recipe,
    open_progress: OpenProgress,
    work: Path,
) -> dict[str, FittedNetwork]:
    """Classifier, gate and autoencoder, by file name; the gate only where the recipe has one."""
    spec, classes = assembled.spec, len(assembled.labels)
    genuine = training.select(training.is_genuine)
    mix = ExposureMix(genuine, assembled.exposure, spec)
    with open_progress("classifier", recipe.classifier.epochs) as report:
        shown = mix if recipe.gate else None
        classifier = fit.fit_classifier(training, classes, spec, recipe, report, work, shown)
    fitted = {CLASSIFIER: classifier}
    if recipe.gate:
        with open_progress("gate", recipe.gate.epochs) as report:
            fitted[GATE] = fit.fit_gate(
                genuine, mix, classes, spec, recipe, recipe.gate, report, work
            )
    with open_progress("autoencoder", recipe.autoencoder.epochs) as report:
        if recipe.autoencoder.network == "features":
            gate = fitted[GATE].model
            fitted[AUTOENCODER] = fit.fit_feature_autoencoder(
                genuine, mix, gate, spec, recipe, report, work
            )
        else:
            fitted[AUTOENCODER] = fit.fit_autoencoder(training, spec, recipe, report, work)
    return fitted


def _choose_crops(samples: Samples, count: int, seed: int) -> np.ndarray:
    """Up to `count` crops of genuine coins: uint8 (k, size, size, 3)."""
    return samples.select(_choose_genuine(samples, count, seed)).crops[:]


def _choose_genuine(samples: Samples, count: int, seed: int) -> np.ndarray:
    """A boolean array, True at up to `count` genuine coins."""
    rng = np.random.default_rng([seed, CHOICE_STREAM])
    chosen = rng.permutation(np.flatnonzero(samples.is_genuine))[:count]
    return np.isin(np.arange(len(samples)), chosen)


def _quantize(
    fitted: dict[str, FittedNetwork], assembled: AssembledSamples, training: Samples, recipe: Recipe
) -> dict[str, bytes]:
    """The networks as int8 .tflite, by file name; the classifier gives its embedding, too.

    The ranges of int8 are taken from genuine coins; those of the gate, and of an autoencoder of its
    features, from what they are to reject as well.
    """
    genuine = _choose_crops(training, REPRESENTATIVE_CROPS, recipe.seed)
    models = {}
    for name, network in fitted.items():
        model = network.model
        representative = genuine
        if name == CLASSIFIER:
            model = networks.add_embedding_output(model)
        elif GATE in fitted and name in (GATE, AUTOENCODER):
            things = _draw_exposure(assembled, training, recipe)
            representative = np.concatenate([genuine, things])
        views = show_crops(representative, model.input_shape[1:], assembled.spec)
        models[name] = quantize.quantize_int8(model, views)
    return models


def _draw_exposure(assembled: AssembledSamples, training: Samples, recipe: Recipe) -> np.ndarray:
    """Some things that are no genuine coins: uint8 (k, size, size, 3)."""
    rng = np.random.default_rng([recipe.seed, EXPOSURE_STREAM])
    genuine = training.select(training.is_genuine)
    mix = ExposureMix(genuine, assembled.exposure, assembled.spec)
    return mix.draw_many(REPRESENTATIVE_CROPS, rng)


def _build_reliefs(
    assembled: AssembledSamples, training: Samples, recipe: Recipe
) -> Reliefs | None:
    if recipe.relief is None:
        return None
    return build_gallery(training, assembled.spec, recipe.relief.per_label, recipe.seed)


def _evaluate(
    trained: TrainedNetworks,
    held_out: Samples,
    anomalies: Samples,
    open_progress: OpenProgress,
) -> _Evaluation:
    evidence = collect_evidence(trained.classifier, held_out, anomalies, open_progress)
    return _Evaluation(evidence, _compare_runtimes(trained, held_out))


def _compare_runtimes(trained: TrainedNetworks, held_out: Samples) -> dict[str, np.ndarray]:
    """Which of some held-out coins the classifier names rightly: see `_Evaluation.is_right`."""
    compared = held_out.select(_choose_genuine(held_out, COMPARED_CROPS, seed=0))
    crops = compared.crops[:]
    spec = trained.classifier.bundle.crop
    numbers = classify_in_runtimes(trained.models[CLASSIFIER], crops, spec)
    numbers[quantize.FLOAT] = _classify_as_floats(trained.fitted[CLASSIFIER], crops, spec)
    return {name: answers == compared.labels for name, answers in numbers.items()}


def _classify_as_floats(network: FittedNetwork, crops: np.ndarray, spec: CropSpec) -> np.ndarray:
    """The likeliest label of each crop in all its views together: int (n,)."""
    model = network.model
    shape = model.input_shape[1:]
    logits = np.float32(0)
    for turn in range(count_views(shape, TURNS)):
        turned = np.rot90(crops, turn, (1, 2))
        views = show_crops(turned, shape, spec).astype(np.float32)
        logits = logits + model.predict(views, batch_size=PREDICT_BATCH, verbose=0)
    numbers: np.ndarray = np.asarray(logits)[:, :-1].argmax(axis=1)
    return numbers


def _join_comparisons(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _find_worst_layer(trained: TrainedNetworks, held_out: Samples, recipe: Recipe) -> str:
    crops = _choose_crops(held_out, REPRESENTATIVE_CROPS, recipe.seed)
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
    relief_weight = content["fusion"]["relief_weight"]
    golden = make_golden(trained.classifier, _choose_golden_crops(simulated), relief_weight)
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
