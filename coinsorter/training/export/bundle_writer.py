"""Networks, and what else a bundle knows -> its folder, whole or not at all."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coinsorter.files.atomic import replace_folder
from coinsorter.files.bounded import read_bounded
from coinsorter.files.ownership import Claim
from coinsorter.files.strict_yaml import dump_yaml
from coinsorter.recognition.bundle import (
    FORMAT,
    AnomalyScale,
    Bundle,
    Fusion,
    Golden,
    Label,
    LabelThresholds,
    Manifest,
    Outline,
)
from coinsorter.recognition.bundle_files import (
    AUTOENCODER,
    CLASSIFIER,
    DEFECT_DETECTOR,
    EMBEDDING,
    GATE,
    GOLDEN,
    MANIFEST,
    MAX_BYTES,
    RELIEFS,
)
from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.recognition.relief import Reliefs
from coinsorter.recognition.seal import write_seal
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

#: Bytes of a file beside those that machines read; the evidence on held-out coins is the largest.
MAX_OTHER_BYTES = 32_000_000
#: Columns that lines of bundle.yaml are wrapped at.
MANIFEST_WIDTH = 120


#: A bundle takes the place of an earlier one that was made by the same program.
BUNDLE_CLAIM = Claim(remedy="name another folder with --out", force=False)


@dataclass(frozen=True, eq=False)
class BundleContents:
    """What a bundle's folder holds beside bundle.yaml.

    models: contents of the .tflite files, by file name.
    reliefs, embedding_stats: None where the bundle has none.
    write_more: writes what no machine reads into the folder: how the training went, and the
    evidence on held-out coins.
    """

    models: dict[str, bytes]
    golden: Golden
    reliefs: Reliefs | None
    embedding_stats: EmbeddingStats | None
    write_more: Callable[[Path], None]


def write_bundle(
    out: Path, manifest: dict[str, Any], contents: BundleContents, claim: Claim = BUNDLE_CLAIM
) -> Manifest:
    """Write a bundle in the place of the one that is there; returns its manifest.

    manifest: by the keys of bundle.yaml; `files` is filled in here. claim: what it may take the
    place of. Raises InputError where `out` cannot be written; then nothing is changed.
    """
    with replace_folder(out, claim) as folder:
        digests = {}
        for name, model in contents.models.items():
            (folder / name).write_bytes(model)
            digests[name] = hashlib.sha256(model).hexdigest()
        (folder / GOLDEN).parent.mkdir()
        digests[GOLDEN] = write_golden(folder, contents.golden)
        if contents.reliefs:
            digests[RELIEFS] = write_arrays(folder / RELIEFS, vars(contents.reliefs))
        if contents.embedding_stats:
            digests[EMBEDDING] = write_arrays(folder / EMBEDDING, vars(contents.embedding_stats))
        manifest["files"] = digests
        contents.write_more(folder)
        return write_manifest(folder, manifest)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> Manifest:
    """Write bundle.yaml and its seal into a bundle's folder; returns what it says, checked.

    manifest: by the keys of bundle.yaml, in the order of its lines.
    """
    checked = Manifest.model_validate(manifest)
    text = dump_yaml(manifest, MANIFEST_WIDTH).encode()
    (folder / MANIFEST).write_bytes(text)
    write_seal(folder, text)
    return checked


def copy_other_files(source: Path, folder: Path) -> None:
    """Copy what else lies in a bundle's folder into another: all but the files that machines read.

    Links are copied as links. What is no plain file, or a large one, is left out. Raises OSError
    where the copy cannot be written.
    """
    for place, folders, names in os.walk(source):
        for name in (*folders, *names):
            path = Path(place) / name
            own = path.relative_to(source)
            if str(own) not in MAX_BYTES:
                _copy_one(path, folder / own)


def _copy_one(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        to.symlink_to(path.readlink())
        return
    if path.is_dir():
        to.mkdir(exist_ok=True)
        return
    try:
        content = read_bounded(path, MAX_OTHER_BYTES)
    except OSError:  # a pipe, a device, a large file
        return
    to.write_bytes(content)


def write_golden(folder: Path, golden: Golden) -> str:
    """Write the golden answers into a bundle's folder; returns the file's SHA-256."""
    return write_arrays(folder / GOLDEN, golden.list_arrays())


def make_provisional_bundle(
    labels: list[Label],
    crop: CropSpec,
    view: ScalePlane,
    models: dict[str, bytes],
    reliefs: Reliefs | None,
    classifier_odds_weight: float = 0.0,
) -> Bundle:
    """A bundle in memory, good enough to run its networks; it accepts nothing.

    models: contents of the .tflite files, by file name. classifier_odds_weight: see `Fusion`.
    """
    fusion = Fusion(
        temperature=1,
        diameter_std=0.1,
        degrees_of_freedom=1,
        classifier_odds_weight=classifier_odds_weight,
    )
    return Bundle(
        path=Path("provisional"),
        manifest=_make_provisional_manifest(labels, crop, view, fusion),
        classifier=models[CLASSIFIER],
        autoencoder=models[AUTOENCODER],
        golden=Golden(*[np.empty(0)] * 6),
        digest="",
        reliefs=reliefs,
        defect_detector=models.get(DEFECT_DETECTOR),
        gate=models.get(GATE),
    )


def _make_provisional_manifest(
    labels: list[Label], crop: CropSpec, view: ScalePlane, fusion: Fusion
) -> Manifest:
    return Manifest(
        format=FORMAT,
        name="provisional",
        labels=labels,
        crop=crop,
        view=view,
        budget={},
        files={},
        outline=Outline(min_roundness=0, min_quality=0, max_off_patch=1),
        fusion=fusion,
        anomaly={label.name: AnomalyScale(median=0.0, mad_std=1.0) for label in labels},
        thresholds={label.name: _reject_all() for label in labels},
        recipe={},
        training={},
    )


def _reject_all() -> LabelThresholds:
    return LabelThresholds(min_confidence=1, max_anomaly=0, tolerance_mm=1e-9, n=0)


def write_arrays(path: Path, arrays: dict[str, Any]) -> str:
    """Write arrays into a file of a bundle; returns its SHA-256."""
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return hashlib.sha256(path.read_bytes()).hexdigest()
