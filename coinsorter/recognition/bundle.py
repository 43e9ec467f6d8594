"""A model bundle on disk: a folder with its networks, the facts of its labels, its limits, and golden crops that prove it works here."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coinsorter.errors import BundleError
from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.recognition.relief import CHANNELS, DIMENSIONS, FREQUENCIES, RADII, Reliefs
from coinsorter.records import Thresholds
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

FORMAT = 1
MANIFEST = "bundle.yaml"
CLASSIFIER = "classifier.tflite"
AUTOENCODER = "autoencoder.tflite"
DEFECT_DETECTOR = "inspector.tflite"
GOLDEN = "golden/answers.npz"
RELIEFS = "reliefs.npz"
EMBEDDING = "embedding.npz"

# What numpy raises of a file that holds no arrays, or others.
NOT_ARRAYS = (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile)

# How far a network's answers on the golden crops may be from those of the machine that trained it: the kernels of the two runtimes differ
# (measured between them on the shipped bundles: `python -m benchmarks.runtimes`).
GOLDEN_LOGITS = 1.5
GOLDEN_ERROR = 0.1
GOLDEN_BLEMISH = 1.5
GOLDEN_DISTANCE = 0.15


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )


class Label(_Part):
    """One kind of coin. diameter_mm: as the mint says. details: free text. also: other names that folders of its pictures may have."""

    name: str
    value: float
    currency: str
    diameter_mm: Annotated[float, Field(gt=0)]
    details: str = ""
    aliases: tuple[str, ...] = Field((), alias="also")


class Fusion(_Part):
    """How pictures, relief and diameter are weighed against each other.

    relief_weight: what the relief's likeness, a cosine, counts for beside the classifier's logits. temperature: both together are divided
    by it (Guo et al., 2017). diameter_spread: relative, of genuine coins about their
    nominal diameter. freedom: degrees of freedom of the Student-t distribution that describes it (few: outliers surprise less).
    diameter_weight: what the diameter's likelihood counts for; less than 1 where the pictures show the coin's size too, and say it twice.
    copy_weight, likeness_weight, blemish_weight, distance_weight: what the parts of the anomaly score count for; see `classify.anomaly`.
    """

    temperature: Annotated[float, Field(gt=0)]
    diameter_std: Annotated[float, Field(gt=0, alias="diameter_spread")]
    degrees_of_freedom: Annotated[float, Field(gt=0, alias="freedom")]
    diameter_weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    relief_weight: Annotated[float, Field(ge=0)] = 0.0
    reconstruction_weight: Annotated[float, Field(ge=0, alias="copy_weight")] = 1.0
    similarity_weight: Annotated[float, Field(ge=0, alias="likeness_weight")] = 0.0
    defect_weight: Annotated[float, Field(ge=0, alias="blemish_weight")] = 0.0
    distance_weight: Annotated[float, Field(ge=0)] = 0.0


class Outline(_Part):
    """How outlines are measured, and what a lone round coin's is like at worst in the training camera's view; see `segment.Search`."""

    min_roundness: Annotated[float, Field(ge=0, le=1)]
    min_quality: Annotated[float, Field(ge=0, le=1)]
    max_off_patch: Annotated[float, Field(ge=0)]
    by_extent: bool = False


class RobustStats(_Part):
    """What genuine coins of a label are like in one respect, on coins that no network saw."""

    median: Annotated[float, Field(alias="middle")]
    mad_std: Annotated[float, Field(gt=0, alias="spread")]


class AnomalyScale(RobustStats):
    """A label's genuine coins: the logarithm of the autoencoder's error; how like the label's known coins their reliefs are; how blemished
    the inspector finds them; the logarithm of their embeddings' distance from the label's; and what these make together. Those that a bundle
    does not look at are None.
    """

    similarity: RobustStats | None = Field(None, alias="likeness")
    defect: RobustStats | None = Field(None, alias="blemish")
    distance: RobustStats | None = None
    combined: RobustStats | None = Field(None, alias="together")


class LabelThresholds(_Part):
    """A label's thresholds, and `n`, the held-out genuine coins they were set on."""

    min_confidence: Annotated[float, Field(ge=0, le=1)]
    max_anomaly: float
    tolerance_mm: Annotated[float, Field(gt=0)]
    n: int


class Manifest(_Part):
    """Everything bundle.yaml says. view: the scale of the camera that the training pictures were taken with."""

    format: int
    name: str
    labels: Annotated[list[Label], Field(min_length=1)]
    crop: CropSpec
    outline: Outline
    view: ScalePlane
    fusion: Fusion
    anomaly: dict[str, AnomalyScale]
    thresholds: Annotated[dict[str, LabelThresholds], Field(alias="limits")]
    budget: dict[str, Any]
    files: dict[str, str]
    recipe: dict[str, Any]
    training: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Golden:
    """Crops and what the networks must say of them.

    crops: uint8 (m, n, n, 3). logits: float32 (m, labels + 1). errors: float32 (m,), the autoencoder's mean squared errors. blemishes:
    float32 (m,), the inspector's; zeros without one. distances: float32 (m, labels), of the embeddings; zeros without known ones.
    """

    crops: np.ndarray
    logits: np.ndarray
    reconstruction_errors: np.ndarray
    defect_logits: np.ndarray
    distances: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by the names that they have in golden/answers.npz."""
        return {
            "crops": self.crops,
            "logits": self.logits,
            "errors": self.reconstruction_errors,
            "blemishes": self.defect_logits,
            "distances": self.distances,
        }


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose files are what bundle.yaml says they are.

    digest: sha256 of bundle.yaml, which holds those of all other files. reliefs: of known coins, for bundles that compare them. inspector:
    a network that finds blemishes, for bundles that have one. embedding: of known coins, for bundles whose classifier tells embeddings.
    """

    path: Path
    manifest: Manifest
    classifier: bytes
    autoencoder: bytes
    golden: Golden
    digest: str
    reliefs: Reliefs | None = None
    defect_detector: bytes | None = None
    embedding_stats: EmbeddingStats | None = None

    @property
    def labels(self) -> dict[str, Label]:
        return {label.name: label for label in self.manifest.labels}

    def resolve_label(self, folder: str | None) -> str | None:
        """The label that pictures in a folder of this name have; the name itself where it is none of the bundle's."""
        return next(
            (label.name for label in self.manifest.labels if folder in label.aliases), folder
        )

    @property
    def thresholds(self) -> dict[str, Thresholds]:
        return {
            name: Thresholds(
                limits.min_confidence,
                limits.max_anomaly,
                self.labels[name].diameter_mm,
                limits.tolerance_mm,
            )
            for name, limits in self.manifest.thresholds.items()
        }

    @property
    def view(self) -> ScalePlane:
        return self.manifest.view

    @property
    def crop(self) -> CropSpec:
        return self.manifest.crop


def load_bundle(path: Path) -> Bundle:
    """The bundle in a folder, with every file checked against its hash before anything reads it.

    Raises BundleError naming the file and what to do. Whether the networks answer rightly is for `Classifier.self_test`.
    """
    text = _read(path, MANIFEST)
    manifest = _facts(path / MANIFEST, text)
    contents = {name: _checked(path, name, digest) for name, digest in manifest.files.items()}
    for name in (CLASSIFIER, AUTOENCODER, GOLDEN):
        if name not in contents:
            raise BundleError(
                f"{path / MANIFEST}: files: {name} is missing; export the bundle again"
            )
    return Bundle(
        path=path,
        manifest=manifest,
        classifier=contents[CLASSIFIER],
        autoencoder=contents[AUTOENCODER],
        golden=_golden(path / GOLDEN, manifest),
        digest=hashlib.sha256(text).hexdigest(),
        reliefs=_reliefs(path / RELIEFS, contents[RELIEFS], manifest)
        if RELIEFS in contents
        else None,
        defect_detector=contents.get(DEFECT_DETECTOR),
        embedding_stats=_embedding(path / EMBEDDING, contents[EMBEDDING], manifest)
        if EMBEDDING in contents
        else None,
    )


def _read(path: Path, name: str) -> bytes:
    try:
        return (path / name).read_bytes()
    except OSError as error:
        what = "no such bundle" if not path.is_dir() else f"{name} cannot be read: {error.strerror}"
        raise BundleError(
            f"bundle {path}: {what}; set runtime.bundle, or copy the bundle again"
        ) from error


def _checked(path: Path, name: str, digest: str) -> bytes:
    content = _read(path, name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(
            f"bundle {path}: {name} is damaged or was altered ({len(content)} bytes, wrong sha256); copy the bundle again"
        )
    return content


def _facts(path: Path, text: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BundleError(
            f"{path}: is not YAML: {str(error).splitlines()[0]}; copy the bundle again"
        ) from error
    except ValidationError as error:  # before ValueError, which it is
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(file)"
        raise BundleError(f"{path}: {where}: {first['msg']}; export the bundle again") from error
    except ValueError as error:
        raise BundleError(
            f"{path}: a value cannot be read: {error}; copy the bundle again"
        ) from error
    if manifest.format != FORMAT:
        raise BundleError(
            f"{path}: format {manifest.format}, this coinsorter reads {FORMAT}; export the bundle again"
        )
    names = {label.name for label in manifest.labels}
    if (
        names != set(manifest.thresholds)
        or names != set(manifest.anomaly)
        or len(names) != len(manifest.labels)
    ):
        raise BundleError(
            f"{path}: labels, limits and anomaly do not name the same labels; export the bundle again"
        )
    return manifest


def _golden(path: Path, manifest: Manifest) -> Golden:
    try:
        with np.load(path, allow_pickle=False) as stored:
            errors, without = (
                stored["errors"],
                np.zeros((len(stored["errors"]), len(manifest.labels)), np.float32),
            )
            spoilt, distances = (
                stored.get("blemishes", np.zeros_like(errors)),
                stored.get("distances", without),
            )
            golden = Golden(stored["crops"], stored["logits"], errors, spoilt, distances)
    except NOT_ARRAYS as error:
        raise BundleError(
            f"{path}: holds no golden answers: {error}; export the bundle again"
        ) from error
    count, size, labels = (
        len(golden.reconstruction_errors),
        manifest.crop.size_px,
        len(manifest.labels),
    )
    fit = (
        golden.logits.shape == (count, labels + 1)
        and golden.distances.shape == (count, labels)
        and golden.defect_logits.shape == (count,)
    )
    if golden.crops.shape != (count, size, size, 3) or not fit:
        raise BundleError(
            f"{path}: golden crops or answers do not fit the bundle's crops and labels; export the bundle again"
        )
    return golden


def _reliefs(path: Path, content: bytes, manifest: Manifest) -> Reliefs:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            known = Reliefs(
                stored["spectra"], stored["labels"], stored["projection"], float(stored["step"])
            )
    except NOT_ARRAYS as error:
        raise BundleError(f"{path}: holds no reliefs: {error}; export the bundle again") from error
    count, labels = len(known.spectra), len(manifest.labels)
    fit = known.spectra.shape == (count, DIMENSIONS, FREQUENCIES, 2) and known.projection.shape == (
        DIMENSIONS,
        CHANNELS * RADII,
    )
    if not (
        fit
        and known.labels.shape == (count,)
        and count
        and 0 <= known.labels.min() <= known.labels.max() < labels
    ):
        raise BundleError(
            f"{path}: its reliefs do not fit this coinsorter and the bundle's labels; export the bundle again"
        )
    return known


def _embedding(path: Path, content: bytes, manifest: Manifest) -> EmbeddingStats:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            known = EmbeddingStats(stored["means"], stored["whitening"])
    except NOT_ARRAYS as error:
        raise BundleError(
            f"{path}: holds no embeddings: {error}; export the bundle again"
        ) from error
    length = known.whitening.shape[-1] if known.whitening.ndim else 0
    if known.whitening.shape != (length, length) or known.means.shape != (
        len(manifest.labels),
        length,
    ):
        raise BundleError(
            f"{path}: its embeddings do not fit the bundle's labels; export the bundle again"
        )
    return known
