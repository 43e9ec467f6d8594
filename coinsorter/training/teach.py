"""A few crops of a new coin -> the bundle with one label more, without training.

The networks stay as they are: the new label is known by the embeddings of its coins (nearest class
mean) and by their reliefs. No coin of it was held out, so that its thresholds are borrowed: the
strictest of the other labels'. It is provisional until they are set on photographs of all labels.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from coinsorter.errors import BundleError, InputError
from coinsorter.files.atomic import replace_folder
from coinsorter.files.owned_folder import check_folder
from coinsorter.files.ownership import Claim
from coinsorter.images.image_io import list_images, read_image
from coinsorter.recognition.bundle import (
    MAX_LABELS,
    AnomalyScale,
    Bundle,
    Label,
    LabelThresholds,
    Manifest,
    RobustStats,
    load_bundle,
)
from coinsorter.recognition.bundle_files import EMBEDDING, GOLDEN, MANIFEST, RELIEFS
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.recognition.relief import Reliefs, compute_edges, compute_spectra
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.training.dataset import quality
from coinsorter.training.export.bundle_writer import (
    BUNDLE_CLAIM,
    copy_other_files,
    write_arrays,
    write_golden,
    write_manifest,
)
from coinsorter.training.export.relief_gallery import round_spectra
from coinsorter.training.fitting.augment import augment_crops
from coinsorter.training.recipe import AugmentSettings
from coinsorter.training.thresholds.heldout import make_golden
from coinsorter.vision.crop import cut_crop

#: Crops that a label is taught by, at least: fewer say nothing about how its coins differ.
MIN_CROPS = 3
#: Crops that are used at most; training does better with as many.
MAX_CROPS = 300
#: Altered copies of each crop that are embedded, in other rotations and other light.
COPIES = 8
#: Confidence and margin, in log odds, that a provisional label is asked for at least.
MIN_CONFIDENCE = 0.99
MIN_MARGIN = 4.6
TEACH_SEED = 20261127


def teach_label(
    path: Path,
    label: Label,
    images: Sequence[Path],
    out: Path,
    claim: Claim = BUNDLE_CLAIM,
) -> Manifest:
    """Adds a label to a bundle, and writes it to `out`.

    images: ready crops of its coins, each filled by one, or folders of such. claim: what the new
    bundle may take the place of. Raises InputError or BundleError.
    """
    check_folder(out, claim)
    bundle = load_bundle(path)
    _check_bundle(bundle, label)
    classifier = Classifier(bundle, pick_runtime("auto"))
    classifier.check_golden_crops()
    crops = _read_crops(bundle, images)
    taught = _teach(bundle, classifier, label.model_copy(update={"taught": len(crops)}), crops)
    with replace_folder(out, claim) as folder:
        return _write(bundle, taught, folder)


def _check_bundle(bundle: Bundle, label: Label) -> None:
    known = {name for own in bundle.manifest.labels for name in (own.name, *own.aliases)}
    taken = known & {label.name, *label.aliases}
    if taken:
        raise InputError(f"bundle {bundle.path} has a label {min(taken)} already; name another")
    if bundle.embedding_stats is None:
        raise BundleError(
            f"bundle {bundle.path} keeps no embeddings to know a new coin by; train it again"
        )
    if bundle.crop.full_mm:
        raise InputError(
            f"bundle {bundle.path} shows its networks how large a coin is, and ready crops do not: "
            "its labels are to be trained"
        )
    if len(bundle.manifest.labels) >= MAX_LABELS:
        raise InputError(f"bundle {bundle.path} has {MAX_LABELS} labels, which is all it can have")


def _read_crops(bundle: Bundle, images: Sequence[Path]) -> np.ndarray:
    """The images as the bundle's networks want them: uint8 (n, size, size, 3)."""
    paths = [path for image in images for path in _list_images(image)]
    crops = [cut_ready_crop(bundle, path) for path in paths[:MAX_CROPS]]
    if len(crops) < MIN_CROPS:
        raise InputError(
            f"{len(crops)} crops do not teach a label; give at least {MIN_CROPS}, of several coins"
        )
    return np.stack(crops)


def _list_images(path: Path) -> list[Path]:
    return list_images(path) if path.is_dir() else [path]


def cut_ready_crop(bundle: Bundle, path: Path) -> np.ndarray:
    """An image that one coin fills as the bundle's networks want it: uint8 (size, size, 3).

    Raises InputError where it cannot be read.
    """
    pixels = read_image(path)
    if pixels is None:
        raise InputError(f"{path}: cannot be read as an image; leave it out")
    circle = quality.locate_in_crop(pixels, bundle.crop.surround)
    return cut_crop(pixels, circle, 0.0, bundle.crop)


def _teach(bundle: Bundle, classifier: Classifier, label: Label, crops: np.ndarray) -> Bundle:
    """The bundle in memory with one label more, the last."""
    stats = bundle.embedding_stats
    assert stats is not None  # checked before
    mean = _embed(bundle, classifier, crops).mean(axis=0)
    means = np.vstack([stats.means, mean]).astype(np.float32)
    number = len(bundle.manifest.labels)
    return replace(
        bundle,
        manifest=_extend_manifest(bundle.manifest, label),
        digest="",
        embedding_stats=EmbeddingStats(means, stats.whitening),
        reliefs=bundle.reliefs and _extend_reliefs(bundle, bundle.reliefs, crops, number),
    )


def _embed(bundle: Bundle, classifier: Classifier, crops: np.ndarray) -> np.ndarray:
    """The embeddings of altered copies of each crop: float32 (n, length)."""
    settings = AugmentSettings.model_validate(bundle.manifest.recipe.get("augment", {}))
    rng = np.random.default_rng(TEACH_SEED)
    copies = augment_crops(np.repeat(crops, COPIES, axis=0), bundle.crop, settings, rng)
    return np.array([classifier.embed(copy) for copy in copies])


def _extend_reliefs(bundle: Bundle, known: Reliefs, crops: np.ndarray, number: int) -> Reliefs:
    edges = (compute_edges(crop, bundle.crop) for crop in crops)
    spectra = np.array([compute_spectra(one, known.projection) for one in edges])
    rounded = round_spectra(spectra, known.step)
    return replace(
        known,
        spectra=np.concatenate([known.spectra, rounded]),
        labels=np.concatenate([known.labels, np.full(len(crops), number)]),
    )


def _extend_manifest(manifest: Manifest, label: Label) -> Manifest:
    scales = list(manifest.anomaly.values())
    thresholds = list(manifest.thresholds.values())
    diameters_mm = [own.diameter_mm for own in manifest.labels]
    tolerance = min(own.tolerance_mm / mm for own, mm in zip(thresholds, diameters_mm))
    borrowed = LabelThresholds(
        min_confidence=max(MIN_CONFIDENCE, *(own.min_confidence for own in thresholds)),
        max_anomaly=min(own.max_anomaly for own in thresholds),
        tolerance_mm=round(tolerance * label.diameter_mm, 3),
        n=0,
        min_margin=max(MIN_MARGIN, *(own.min_margin for own in thresholds)),
    )
    return manifest.model_copy(
        update={
            "labels": [*manifest.labels, label],
            "recipe": _extend_recipe(manifest.recipe, label),
            "anomaly": manifest.anomaly | {label.name: _borrow_scale(scales)},
            "thresholds": manifest.thresholds | {label.name: borrowed},
        }
    )


def _extend_recipe(recipe: dict[str, Any], label: Label) -> dict[str, Any]:
    """The recipe with the label, so that its images are read where thresholds are set again."""
    fields = label.model_dump(mode="json", by_alias=True, exclude={"taught"})
    return recipe | {"labels": [*recipe.get("labels", []), fields]}


def _borrow_scale(scales: Sequence[AnomalyScale]) -> AnomalyScale:
    """What the middle one of the other labels is like in each part of the anomaly score."""
    parts = ("similarity", "defect", "distance", "combined")
    middle = partial(_take_middle, scales)
    return AnomalyScale(**middle(None), **{part: middle(part) for part in parts})


def _take_middle(scales: Sequence[AnomalyScale], part: str | None) -> Any:
    own = [getattr(scale, part) if part else scale for scale in scales]
    if None in own:
        return None
    values = {name: median(getattr(one, name) for one in own) for name in ("median", "mad_std")}
    return RobustStats(**values) if part else values


def _write(bundle: Bundle, taught: Bundle, folder: Path) -> Manifest:
    """Writes the taught bundle; what it shares with the other one is copied."""
    copy_other_files(bundle.path, folder)
    for name, content in bundle.contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    digests = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in bundle.contents.items()
        if name != MANIFEST
    }
    digests[EMBEDDING] = write_arrays(folder / EMBEDDING, vars(taught.embedding_stats))
    if taught.reliefs:
        digests[RELIEFS] = write_arrays(folder / RELIEFS, vars(taught.reliefs))
    classifier = Classifier(taught, pick_runtime("auto"))
    golden = make_golden(classifier, bundle.golden.crops, taught.manifest.fusion)
    digests[GOLDEN] = write_golden(folder, golden)
    return write_manifest(folder, taught.manifest.model_dump(by_alias=True) | {"files": digests})
