"""A recipe and pictures -> what a bundle is made of: coins to train on, coins to set limits on, and the view that they were taken in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.errors import InputError
from coinsorter.images import list_images
from coinsorter.recognition.bundle import Bundle, Label
from coinsorter.simulator import coins
from coinsorter.simulator.currency import list_labels
from coinsorter.simulator.simulated_machine import UNSEEN_MOTIFS
from coinsorter.training.dataset import dataset
from coinsorter.training.progress import OpenProgress
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples import from_photos, from_simulator, samples
from coinsorter.training.samples.from_simulator import OPTICS
from coinsorter.training.samples.samples import FOREIGN_LABEL, Samples, make_empty_samples
from coinsorter.vision import scale
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

# The belt as the simulated camera shows it, in one grey.
SIMULATED_SURROUND = (95.0, 95.0, 95.0)


@dataclass(frozen=True, eq=False)
class AssembledSamples:
    """What a bundle is made of.

    seen: what its networks are trained on. held: the genuine coins that limits are set on; asked of the bundle's own networks, which did
    not see them, or part by part of `sisters`, each a pair of what a sister is trained on and what it is asked. plane: the view's scale;
    moved: whether the camera may have moved, so that the machine follows it. order: the places in `held` of the coins that are asked about, in the order they are asked.
    anomalies: strange things from photographs that somebody named as such.
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


def assemble_samples(
    recipe: Recipe, data: Sequence[Path], anomalies: Path | None, bar: OpenProgress
) -> AssembledSamples:
    """What the recipe's bundle is made of. data: folders of pictures, or data sets; anomalies: a folder of strange things, or None.

    Raises InputError where they do not go together.
    """
    _check(recipe, data)
    if anomalies and recipe.source == "simulated":
        raise InputError(
            f"recipe {recipe.name} trains on simulated coins: photographs of anomalies say nothing of them"
        )
    return (
        _simulated(recipe, bar)
        if recipe.source == "simulated"
        else _photographed(recipe, data, anomalies, bar)
    )


def _check(recipe: Recipe, data: Sequence[Path]) -> None:
    if recipe.source == "simulated":
        _check_simulated(recipe, data)
    elif not data:
        raise InputError(
            f"recipe {recipe.name} trains on photographs ({recipe.source}): name their folder, or a data set made of them"
        )
    elif len(data) > 1 and recipe.source == "frames":
        raise InputError(
            f"recipe {recipe.name} trains on frames of one camera in one place: name one folder, not {len(data)}"
        )
    elif len(recipe.labels) < 2:
        raise InputError(
            f"recipe {recipe.name} lists {len(recipe.labels)} labels; at least two are needed"
        )
    if recipe.max_folds and recipe.max_folds > (recipe.folds or 0):
        raise InputError(
            f"recipe {recipe.name}: asked: {recipe.max_folds} are more than its folds ({recipe.folds or 'none'})"
        )
    if recipe.source == "crops" and recipe.crop.true_size:
        raise InputError(
            f"recipe {recipe.name}: crop.true_size: ready crops do not tell how large their coins are"
        )
    if recipe.classifier.weights != "none" and not recipe.classifier.network.startswith(
        "mobilenet"
    ):
        raise InputError(
            f"recipe {recipe.name}: classifier.weights are for the mobilenets; {recipe.classifier.network} starts from nothing"
        )
    unfit = set(recipe.motifs) & set(UNSEEN_MOTIFS)
    if unfit:
        raise InputError(
            f"recipe {recipe.name}: motifs {', '.join(sorted(unfit))} are kept for the simulated belt; training must not see them"
        )


def _check_simulated(recipe: Recipe, data: Sequence[Path]) -> None:
    if data or recipe.labels:
        raise InputError(
            f"recipe {recipe.name} trains on simulated coins: it takes no pictures and no labels of its own"
        )
    if recipe.folds or recipe.by_extent:
        raise InputError(
            f"recipe {recipe.name}: folds and by_extent are for photographs; the simulated coins need neither"
        )


def _simulated(recipe: Recipe, bar: OpenProgress) -> AssembledSamples:
    labels = [Label(**facts) for facts in list_labels()]
    spec = recipe.make_crop_spec(SIMULATED_SURROUND, max(label.diameter_mm for label in labels))
    counts, motifs, seed = recipe.images, tuple(recipe.motifs), recipe.seed
    with bar("drawing coins", counts.genuine) as tell:
        genuine = from_simulator.simulate_samples(
            coins.GENUINE, counts.genuine, spec, motifs, [seed, 10], tell
        )
    with bar("drawing held-out coins", counts.held_out) as tell:
        held = from_simulator.simulate_samples(
            coins.GENUINE, counts.held_out, spec, motifs, [seed, 11], tell
        )
    seen = Samples.concatenate([genuine, simulate_foreign(recipe, spec, counts.foreign, 12, bar)])
    plane = _plane(labels, seen, OPTICS.width_px, OPTICS.height_px)
    return AssembledSamples(
        labels,
        seen,
        held.with_diameters(plane),
        [],
        plane,
        False,
        spec,
        {"split": "by seed"},
        np.arange(len(held)),
        make_empty_samples(spec),
    )


def _photographed(
    recipe: Recipe, data: Sequence[Path], anomalies: Path | None, bar: OpenProgress
) -> AssembledSamples:
    coins_ = read_photos(recipe, data, bar)
    genuine, none = (
        coins_.samples,
        simulate_foreign(recipe, coins_.spec, recipe.images.foreign, 12, bar),
    )
    anomalous = read_anomalies(recipe, anomalies, coins_, bar)
    notes: dict[str, Any] = {
        "bursts": len(np.unique(genuine.groups)),
        "left_out": len(coins_.left_out),
    }
    seen, sisters = genuine, []
    rng = np.random.default_rng([recipe.seed, 3])
    if recipe.folds:
        dealt = samples.deal_folds(genuine, recipe.folds, rng)
        if len(np.unique(dealt)) < recipe.folds:
            raise InputError(
                f"recipe {recipe.name}: folds: {recipe.folds} are more than the pictures have bursts for; {len(np.unique(dealt))} would do"
            )
        asked = recipe.max_folds or recipe.folds
        sisters = [
            (
                Samples.concatenate([genuine.select(dealt != fold), none]),
                genuine.select(dealt == fold),
            )
            for fold in range(asked)
        ]
        held, order = genuine.select(dealt < asked), np.argsort(dealt[dealt < asked], kind="stable")
        notes["split"] = f"by burst, {asked} of {recipe.folds} folds"
    else:
        out = samples.hold_out(genuine, recipe.hold_out, rng)
        seen, held, notes["split"] = genuine.select(~out), genuine.select(out), "by burst"
        order = np.arange(len(held))
    _check_labels(recipe, held, seen, *(one for one, _ in sisters))
    notes["held_out_bursts"] = len(np.unique(held.groups))
    measured = recipe.source == "frames"
    plane = (
        _plane(recipe.labels, seen, coins_.plane.width_px, coins_.plane.height_px)
        if measured
        else coins_.plane
    )
    return AssembledSamples(
        recipe.labels,
        Samples.concatenate([seen, none]),
        held,
        sisters,
        plane,
        measured,
        coins_.spec,
        notes,
        order,
        anomalous,
    )


def _check_labels(recipe: Recipe, held: Samples, *seen: Samples) -> None:
    for place, label in enumerate(recipe.labels):
        if not all((part.labels == place).any() for part in (held, *seen)):
            how = (
                "set asked to the number of folds"
                if recipe.max_folds
                else "add pictures of other bursts or photographs"
            )
            raise InputError(
                f"label {label.name}: has too few bursts or photographs to train on some and set limits on others; {how}, or take another seed"
            )


def read_anomalies(
    recipe: Recipe, anomalies: Path | None, coins_: from_photos.PhotographedCoins, bar: OpenProgress
) -> Samples:
    """Strange things from a folder of photographs, if there is one."""
    if anomalies is None:
        return make_empty_samples(coins_.spec)
    with bar("reading anomalies", len(list_images(anomalies))) as tell:
        return from_photos.read_anomalies(anomalies, recipe, coins_, tell)


def read_photos(
    recipe: Recipe, data: Sequence[Path], bar: OpenProgress, models: Bundle | None = None
) -> from_photos.PhotographedCoins:
    """The coins in photographs; cut and measured as for a bundle, or as the coins themselves suggest."""
    if recipe.source == "crops":
        with bar(
            "reading crops",
            sum(len(from_photos.list_labelled_images(folder, recipe)) for folder in data),
        ) as tell:
            return from_photos.read_crops(data, recipe, tell, models)
    if len(data) > 1:
        raise InputError(f"frames are of one camera in one place: name one folder, not {len(data)}")
    (frames,) = data
    if not (frames / dataset.MANIFEST).exists():
        with bar("finding coins", len(from_photos.list_labelled_images(frames, recipe))) as tell:
            return from_photos.read_frames(frames, recipe, tell, models)
    prepared = dataset.Dataset.load(frames)
    with bar("reading coins", len(from_photos.select_rows(prepared, recipe))) as tell:
        return from_photos.read_dataset(prepared, recipe, tell, models)


def _plane(labels: list[Label], seen: Samples, width_px: int, height_px: int) -> ScalePlane:
    genuine = seen.select(seen.labels != FOREIGN_LABEL)
    return scale.fit_plane(
        genuine.circles, [labels[i].diameter_mm for i in genuine.labels], width_px, height_px
    )


def simulate_foreign(
    recipe: Recipe, spec: CropSpec, count: int, seed: int, bar: OpenProgress
) -> Samples:
    """Simulated things that are none of the bundle's coins; for real coins the invented currency's own coins are among them."""
    motifs = tuple(recipe.motifs)
    with bar("drawing foreign things", count) as tell:
        if recipe.source == "simulated":
            return from_simulator.simulate_samples(
                "token", count, spec, motifs, [recipe.seed, seed], tell
            )
        tokens = from_simulator.simulate_samples(
            "token", count // 2, spec, motifs, [recipe.seed, seed], tell
        )
        others = from_simulator.simulate_samples(
            coins.GENUINE, count - count // 2, spec, motifs, [recipe.seed, seed + 1], tell
        )
    return Samples.concatenate(
        [tokens, replace(others, labels=np.full(len(others), FOREIGN_LABEL))]
    )
