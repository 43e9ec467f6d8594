"""One set of a bundle's networks: trained, quantised to int8, and run as the machine runs them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coinsorter.recognition.bundle_files import AUTOENCODER, CLASSIFIER, DEFECT_DETECTOR, GATE
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.relief import Reliefs
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.recognition.views import show_crops
from coinsorter.training.export import quantize
from coinsorter.training.export.bundle_writer import make_provisional_bundle
from coinsorter.training.export.embedding_stats import fit_embedding_stats
from coinsorter.training.export.relief_gallery import build_gallery
from coinsorter.training.exposure.mix import ExposureMix
from coinsorter.training.fitting import fit, networks
from coinsorter.training.fitting.fit import FittedNetwork
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.assemble import AssembledSamples
from coinsorter.training.samples.samples import Samples

#: Crops that the ranges of int8 are taken from.
REPRESENTATIVE_CROPS = 400
#: The stream of random numbers, beside the recipe's seed, by which some crops are chosen.
CHOICE_STREAM = 4
EXPOSURE_STREAM = 15


@dataclass(frozen=True, eq=False)
class TrainedNetworks:
    """What one training gave.

    fitted: the networks as they were trained, and models: the same as int8 .tflite; both by file
    name. classifier: runs the models as the machine does; its bundle holds what else they know.
    """

    fitted: dict[str, FittedNetwork]
    models: dict[str, bytes]
    classifier: Classifier


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
    fitted = fit_networks(assembled, training, recipe, open_progress, work)
    if detector:
        fitted[DEFECT_DETECTOR] = detector
    models = _quantize(fitted, assembled, training, recipe)
    reliefs = _build_reliefs(assembled, training, recipe)
    weight = weigh_classifier_odds(recipe)
    bundle = make_provisional_bundle(
        assembled.labels, assembled.spec, assembled.view, models, reliefs, weight
    )
    runtime = pick_runtime("auto")
    embed = Classifier(bundle, runtime).embed
    stats = fit_embedding_stats(training, len(assembled.labels), embed, assembled.spec, recipe)
    classifier = Classifier(replace(bundle, embedding_stats=stats), runtime)
    return TrainedNetworks(fitted, models, classifier)


def weigh_classifier_odds(recipe: Recipe) -> float:
    """What the classifier's log odds count for beside the gate's: see `Fusion`."""
    return 1.0 if recipe.classifier.exposed else 0.0


def fit_networks(
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
        things = mix if recipe.classifier.exposed else None
        classifier = fit.fit_classifier(training, classes, spec, recipe, report, work, things)
    fitted = {CLASSIFIER: classifier}
    if recipe.gate:
        with open_progress("gate", recipe.gate.epochs) as report:
            fitted[GATE] = fit.fit_gate(
                genuine, mix, classes, spec, recipe, recipe.gate, report, work
            )
    with open_progress("autoencoder", recipe.autoencoder.epochs) as report:
        if recipe.autoencoder.network == "features":
            exposed = fitted[GATE if recipe.gate else CLASSIFIER].model
            fitted[AUTOENCODER] = fit.fit_feature_autoencoder(
                genuine, mix, exposed, spec, recipe, report, work
            )
        else:
            fitted[AUTOENCODER] = fit.fit_autoencoder(training, spec, recipe, report, work)
    return fitted


def choose_crops(samples: Samples, count: int, seed: int) -> np.ndarray:
    """Up to `count` crops of genuine coins: uint8 (k, size, size, 3)."""
    return samples.select(choose_genuine(samples, count, seed)).crops[:]


def choose_genuine(samples: Samples, count: int, seed: int) -> np.ndarray:
    """A boolean array, True at up to `count` genuine coins."""
    rng = np.random.default_rng([seed, CHOICE_STREAM])
    chosen = rng.permutation(np.flatnonzero(samples.is_genuine))[:count]
    return np.isin(np.arange(len(samples)), chosen)


def _quantize(
    fitted: dict[str, FittedNetwork], assembled: AssembledSamples, training: Samples, recipe: Recipe
) -> dict[str, bytes]:
    """The networks as int8 .tflite, by file name; the classifier gives its embedding, too.

    The ranges of int8 are taken from genuine coins; those of networks that were shown other things,
    and of an autoencoder of their features, from these as well.
    """
    genuine = choose_crops(training, REPRESENTATIVE_CROPS, recipe.seed)
    exposed = {GATE} if recipe.gate else {CLASSIFIER}
    exposed |= {AUTOENCODER} if recipe.autoencoder.network == "features" else set()
    models = {}
    for name, network in fitted.items():
        model = network.model
        representative = genuine
        if recipe.simulated_exposure is not None and name in exposed:
            things = _draw_exposure(assembled, training, recipe)
            representative = np.concatenate([genuine, things])
        if name == CLASSIFIER:
            model = networks.add_embedding_output(model)
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


def train_defect_detector(
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
        training, _ = assembled.folds[choose_detector_fold(assembled)]
    with open_progress("defect detector", settings.epochs) as report:
        return fit.fit_defect_detector(training, assembled.spec, recipe, settings, report, work)


def choose_detector_fold(assembled: AssembledSamples) -> int:
    """The first fold whose held-out coins are of as many labels as can be."""
    counts = [len(np.unique(held_out.labels)) for _, held_out in assembled.folds]
    return counts.index(max(counts))
