"""A recipe and images -> coins to train on, coins to set thresholds on, and their view."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.errors import InputError
from coinsorter.images.image_io import list_images
from coinsorter.recognition.bundle import Bundle, Label
from coinsorter.simulator import coins
from coinsorter.simulator.currency import list_labels
from coinsorter.simulator.simulated_machine import UNSEEN_MOTIFS
from coinsorter.training.dataset.dataset import MANIFEST, Dataset
from coinsorter.training.exposure.foreign_photos import list_foreign_images, read_foreign_photos
from coinsorter.training.exposure.mix import ExposureSource
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples import from_photos, from_simulator, samples
from coinsorter.training.samples.from_photos import PhotographedCoins
from coinsorter.training.samples.from_simulator import OPTICS
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples, make_empty_samples
from coinsorter.vision import scale
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

#: The belt as the simulated camera shows it: RGB 0..255, one grey.
SIMULATED_SURROUND = (95.0, 95.0, 95.0)

#: Streams of random numbers, beside the recipe's seed. Each use has its own, so that a change of
#: one does not change the others.
SPLIT_STREAM = 3
GENUINE_STREAM = 10
HELD_OUT_STREAM = 11
FOREIGN_STREAM = 12  # and 13, for the coins of the invented currency
EXPOSURE_STREAM = 16

#: Kinds of simulated items that a gate is shown.
EXPOSURE_KINDS = ("washer", "button", "blank", "token", coins.GENUINE)


@dataclass(frozen=True, eq=False)
class AssembledSamples:
    """What a bundle is made of.

    training: what its networks are trained on. held_out: the genuine coins that thresholds are set
    on. folds: of each cross-validation fold, what its networks are trained on and what they are
    evaluated on; together the latter are `held_out`. Without folds the bundle's own networks do not
    see `held_out`. held_out_order: int (n,), the places in `held_out` of the folds' coins, one fold
    after the other.

    view: the view's scale. scale_drifts: whether the camera may have moved, so that the machine
    follows the scale. spec: how crops are cut. notes: what bundle.yaml says about the split.
    anomalies: objects from photographs that must be rejected. exposure: things that a gate is shown
    beside near-coins.
    """

    labels: list[Label]
    training: Samples
    held_out: Samples
    folds: list[tuple[Samples, Samples]]
    view: ScalePlane
    scale_drifts: bool
    spec: CropSpec
    notes: dict[str, Any]
    held_out_order: np.ndarray
    anomalies: Samples
    exposure: tuple[ExposureSource, ...] = ()


def assemble_samples(
    recipe: Recipe,
    data: Sequence[Path],
    anomalies: Path | None,
    open_progress: OpenProgress,
    foreign: Sequence[Path] = (),
) -> AssembledSamples:
    """What the recipe's bundle is made of.

    data: folders of images, or data sets. anomalies: a folder of objects to reject, or None.
    foreign: folders of foreign things for the gate or an exposed classifier. Raises InputError
    where they do not go together.
    """
    _check_recipe(recipe, data)
    if foreign and recipe.simulated_exposure is None:
        raise InputError(
            f"recipe {recipe.name} has no gate to show foreign things to; give it one (`gate: "
            "{}`), or set classifier.exposed, or leave --foreign out"
        )
    if recipe.source != "simulated":
        assembled = _assemble_photographs(recipe, data, anomalies, open_progress)
        sources = read_exposure(recipe, foreign, assembled.spec, open_progress)
        return replace(assembled, exposure=tuple(sources))
    if anomalies:
        raise InputError(
            f"recipe {recipe.name} trains on simulated coins: photographs of anomalies say nothing "
            "of them"
        )
    return _assemble_simulated(recipe, open_progress)


def _check_recipe(recipe: Recipe, data: Sequence[Path]) -> None:
    if recipe.source == "simulated":
        _check_simulated(recipe, data)
    else:
        _check_photographs(recipe, data)
    fault = _find_contradiction(recipe)
    if fault:
        raise InputError(f"recipe {recipe.name}: {fault}")


def _check_simulated(recipe: Recipe, data: Sequence[Path]) -> None:
    if data or recipe.labels:
        raise InputError(
            f"recipe {recipe.name} trains on simulated coins: it takes no images and no labels of "
            "its own"
        )
    if recipe.folds or recipe.by_extent:
        raise InputError(
            f"recipe {recipe.name}: folds and by_extent are for photographs; the simulated coins "
            "need neither"
        )


def _check_photographs(recipe: Recipe, data: Sequence[Path]) -> None:
    if not data:
        raise InputError(
            f"recipe {recipe.name} trains on photographs ({recipe.source}): name their folder, or "
            "a data set made of them"
        )
    if len(data) > 1 and recipe.source == "frames":
        raise InputError(
            f"recipe {recipe.name} trains on frames of one camera in one place: name one folder, "
            f"not {len(data)}"
        )
    if len(recipe.labels) < 2:
        raise InputError(
            f"recipe {recipe.name} lists {len(recipe.labels)} labels; at least two are needed"
        )


def _find_contradiction(recipe: Recipe) -> str | None:
    """What two settings of a recipe say that cannot both be; None if nothing."""
    if recipe.max_folds and recipe.max_folds > (recipe.folds or 0):
        return f"asked: {recipe.max_folds} are more than its folds ({recipe.folds or 'none'})"
    if recipe.source == "crops" and recipe.crop.true_size:
        return "crop.true_size: ready crops do not tell how large their coins are"
    network = recipe.classifier.network
    if recipe.autoencoder.network == "features" and recipe.gate is None:
        if not recipe.classifier.exposed or not network.startswith("mobilenet"):
            return (
                "autoencoder.network: features are those of a gate, or of an exposed mobilenet, "
                "and the recipe has neither; set `gate: {}`"
            )
    if recipe.classifier.weights != "none" and not network.startswith("mobilenet"):
        return f"classifier.weights are for the mobilenets; {network} starts from nothing"
    reserved = sorted(set(recipe.motifs) & set(UNSEEN_MOTIFS))
    if reserved:
        return (
            f"motifs {', '.join(reserved)} are kept for the simulated belt; training must not see "
            "them"
        )
    return None


def _assemble_simulated(recipe: Recipe, open_progress: OpenProgress) -> AssembledSamples:
    labels = [Label(**fields) for fields in list_labels()]
    largest_mm = max(label.diameter_mm for label in labels)
    spec = recipe.make_crop_spec(SIMULATED_SURROUND, largest_mm)
    genuine = _simulate_genuine(
        recipe, spec, recipe.images.genuine, GENUINE_STREAM, "drawing coins", open_progress
    )
    held_out = _simulate_genuine(
        recipe,
        spec,
        recipe.images.held_out,
        HELD_OUT_STREAM,
        "drawing held-out coins",
        open_progress,
    )
    foreign = simulate_foreign(recipe, spec, recipe.images.foreign, FOREIGN_STREAM, open_progress)
    training = Samples.concatenate([genuine, foreign])
    view = _fit_view(labels, training, OPTICS.width_px, OPTICS.height_px)
    return AssembledSamples(
        labels=labels,
        training=training,
        held_out=held_out.with_diameters(view),
        folds=[],
        view=view,
        scale_drifts=False,
        spec=spec,
        notes={"split": "by seed"},
        held_out_order=np.arange(len(held_out)),
        anomalies=make_empty_samples(spec),
    )


def _simulate_genuine(
    recipe: Recipe,
    spec: CropSpec,
    count: int,
    stream: int,
    title: str,
    open_progress: OpenProgress,
) -> Samples:
    motifs = tuple(recipe.motifs)
    seed = [recipe.seed, stream]
    with open_progress(title, count) as report:
        return from_simulator.simulate_samples(coins.GENUINE, count, spec, motifs, seed, report)


def simulate_foreign(
    recipe: Recipe, spec: CropSpec, count: int, stream: int, open_progress: OpenProgress
) -> Samples:
    """Simulated objects that are none of the bundle's coins.

    For real coins the invented currency's coins are half of them. stream: of random numbers.
    """
    motifs = tuple(recipe.motifs)
    seed = [recipe.seed, stream]
    with open_progress("drawing foreign objects", count) as report:
        if recipe.source == "simulated":
            return from_simulator.simulate_samples("token", count, spec, motifs, seed, report)
        token_count = count // 2
        tokens = from_simulator.simulate_samples("token", token_count, spec, motifs, seed, report)
        crowns = from_simulator.simulate_samples(
            coins.GENUINE,
            count - token_count,
            spec,
            motifs,
            [recipe.seed, stream + 1],
            report,
        )
    foreign_labels = np.full(len(crowns), FOREIGN_LABEL)
    return Samples.concatenate([tokens, replace(crowns, labels=foreign_labels)])


def read_exposure(
    recipe: Recipe, foreign: Sequence[Path], spec: CropSpec, open_progress: OpenProgress
) -> list[ExposureSource]:
    """What networks are shown beside near-coins; nothing where none is exposed."""
    count = recipe.simulated_exposure
    if count is None:
        return []
    sources = []
    for number, kind in enumerate(EXPOSURE_KINDS):
        seed = [recipe.seed, EXPOSURE_STREAM, number]
        with open_progress(f"drawing: {kind}", count) as report:
            simulated = from_simulator.simulate_samples(
                kind, count, spec, tuple(recipe.motifs), seed, report
            )
        sources.append(ExposureSource(kind, simulated.crops))
    rng = np.random.default_rng([recipe.seed, EXPOSURE_STREAM])
    for folder in foreign:
        with open_progress(f"reading {folder.name}", len(list_foreign_images(folder))) as report:
            sources += read_foreign_photos(folder, spec, report, rng)
    return sources


@dataclass(frozen=True, eq=False)
class _Split:
    """Photographed coins, dealt to training and thresholds; see `AssembledSamples`."""

    training: Samples
    held_out: Samples
    folds: list[tuple[Samples, Samples]]
    held_out_order: np.ndarray
    note: str


def _assemble_photographs(
    recipe: Recipe, data: Sequence[Path], anomalies: Path | None, open_progress: OpenProgress
) -> AssembledSamples:
    from_photos.check_bursts(data, recipe)
    photographed = read_photos(recipe, data, open_progress)
    genuine, spec = photographed.samples, photographed.spec
    foreign = simulate_foreign(recipe, spec, recipe.images.foreign, FOREIGN_STREAM, open_progress)
    anomalous = read_anomalies(recipe, anomalies, photographed, open_progress)
    fold_of = deal_held_out(recipe, genuine)
    if recipe.folds:
        split = _split_into_folds(recipe.folds, fold_of, genuine, foreign)
    else:
        split = _split_once(fold_of, genuine)
    _check_labels(recipe, split)
    view = photographed.plane
    has_scale = recipe.source == "frames"
    if has_scale:
        view = _fit_view(recipe.labels, split.training, view.width_px, view.height_px)
    return AssembledSamples(
        labels=recipe.labels,
        training=Samples.concatenate([split.training, foreign]),
        held_out=split.held_out,
        folds=split.folds,
        view=view,
        scale_drifts=has_scale,
        spec=spec,
        notes=_describe_split(photographed, split),
        held_out_order=split.held_out_order,
        anomalies=anomalous,
    )


def deal_held_out(recipe: Recipe, genuine: Samples) -> np.ndarray:
    """The fold that holds each coin out: int (n,), -1 where none does.

    Without folds in the recipe, 0 are the coins that no network sees. Raises InputError where there
    are fewer bursts than folds.
    """
    rng = np.random.default_rng([recipe.seed, SPLIT_STREAM])
    names = [label.name for label in recipe.labels]
    if recipe.folds is None:
        is_held_out = samples.hold_out(genuine, recipe.hold_out, rng, names)
        return np.where(is_held_out, 0, -1)
    fold_of = samples.deal_folds(genuine, recipe.folds, rng, names)
    filled = len(np.unique(fold_of))
    if filled < recipe.folds:
        raise InputError(
            f"recipe {recipe.name}: folds: {recipe.folds} are more than the images have bursts "
            f"for; {filled} would do"
        )
    return np.where(fold_of < (recipe.max_folds or recipe.folds), fold_of, -1)


def _split_into_folds(
    count: int, fold_of: np.ndarray, genuine: Samples, foreign: Samples
) -> _Split:
    folds = []
    trained = int(fold_of.max()) + 1
    for fold in range(trained):
        seen = Samples.concatenate([genuine.select(fold_of != fold), foreign])
        folds.append((seen, genuine.select(fold_of == fold)))
    is_held_out = fold_of >= 0
    return _Split(
        training=genuine,
        held_out=genuine.select(is_held_out),
        folds=folds,
        held_out_order=np.argsort(fold_of[is_held_out], kind="stable"),
        note=f"by burst, {trained} of {count} folds",
    )


def _split_once(fold_of: np.ndarray, genuine: Samples) -> _Split:
    is_held_out = fold_of >= 0
    held_out = genuine.select(is_held_out)
    return _Split(
        training=genuine.select(~is_held_out),
        held_out=held_out,
        folds=[],
        held_out_order=np.arange(len(held_out)),
        note="by burst",
    )


def _check_labels(recipe: Recipe, split: _Split) -> None:
    parts = [split.held_out, split.training, *(seen for seen, _ in split.folds)]
    for place, label in enumerate(recipe.labels):
        if all((part.labels == place).any() for part in parts):
            continue
        if recipe.max_folds:
            remedy = "set asked to the number of folds"
        else:
            remedy = "add images of other bursts or photographs"
        raise InputError(
            f"label {label.name}: has too few bursts or photographs to train on some and set "
            f"thresholds on others; {remedy}, or take another seed"
        )


def _describe_split(photographed: PhotographedCoins, split: _Split) -> dict[str, Any]:
    return {
        "bursts": len(np.unique(photographed.samples.groups)),
        "left_out": len(photographed.left_out),
        "split": split.note,
        "held_out_bursts": len(np.unique(split.held_out.groups)),
    }


def _fit_view(labels: list[Label], training: Samples, width_px: int, height_px: int) -> ScalePlane:
    genuine = training.select(training.is_genuine)
    diameters_mm = [labels[number].diameter_mm for number in genuine.labels]
    return scale.fit_plane(genuine.circles, diameters_mm, width_px, height_px)


def read_anomalies(
    recipe: Recipe,
    anomalies: Path | None,
    photographed: PhotographedCoins,
    open_progress: OpenProgress,
) -> Samples:
    """Objects to reject from a folder of photographs; no samples where it is None.

    photographed: the coins whose crops and scale they get.
    """
    if anomalies is None:
        return make_empty_samples(photographed.spec)
    with open_progress("reading anomalies", len(list_images(anomalies))) as report:
        return from_photos.read_anomalies(anomalies, recipe, photographed, report)


def read_photos(
    recipe: Recipe,
    data: Sequence[Path],
    open_progress: OpenProgress,
    bundle: Bundle | None = None,
) -> PhotographedCoins:
    """The coins in photographs.

    bundle: cut and measured as for this bundle; None: as the coins themselves suggest. Raises
    InputError where folders and recipe do not go together.
    """
    if recipe.source == "crops":
        return _read_crops(recipe, data, open_progress, bundle)
    if len(data) > 1:
        raise InputError(f"frames are of one camera in one place: name one folder, not {len(data)}")
    (folder,) = data
    if not (folder / MANIFEST).exists():
        count = len(from_photos.list_labelled_images(folder, recipe))
        with open_progress("finding coins", count) as report:
            return from_photos.read_frames(folder, recipe, report, bundle)
    dataset = Dataset.load(folder)
    with open_progress("reading coins", len(from_photos.select_rows(dataset, recipe))) as report:
        return from_photos.read_dataset(dataset, recipe, report, bundle)


def _read_crops(
    recipe: Recipe, data: Sequence[Path], open_progress: OpenProgress, bundle: Bundle | None
) -> PhotographedCoins:
    count = sum(len(from_photos.list_labelled_images(folder, recipe)) for folder in data)
    with open_progress("reading crops", count) as report:
        return from_photos.read_crops(data, recipe, report, bundle)
