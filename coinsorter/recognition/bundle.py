"""A model bundle on disk: a folder with networks, labels, thresholds and golden crops.

The golden crops prove that the networks answer on this machine as they did in training. The keys of
bundle.yaml are older than the names here; the fields' aliases translate.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coinsorter.errors import BundleError
from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.recognition.relief import CHANNELS, DIMENSIONS, FREQUENCIES, RADII, Reliefs
from coinsorter.records import Thresholds
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

Parsed = TypeVar("Parsed")

#: Version of the bundle's layout that this program reads and writes.
FORMAT = 1

# The files of a bundle, by their names in its folder.
MANIFEST = "bundle.yaml"
CLASSIFIER = "classifier.tflite"
AUTOENCODER = "autoencoder.tflite"
DEFECT_DETECTOR = "inspector.tflite"
GOLDEN = "golden/answers.npz"
RELIEFS = "reliefs.npz"
EMBEDDING = "embedding.npz"

#: What NumPy raises of a file that holds no arrays, or others than expected.
NOT_ARRAYS = (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile)

# How far answers to the golden crops may be from those of the machine that trained the bundle: the
# kernels of the two runtimes differ. Set above what `python -m benchmarks.runtimes` measured
# between them on the shipped bundles.
#: Of any logit, relief included; absolute.
MAX_GOLDEN_LOGIT_DIFFERENCE = 1.5
#: Of the autoencoder's error; relative.
MAX_GOLDEN_ERROR_CHANGE = 0.1
#: Of the defect detector's logit; absolute.
MAX_GOLDEN_DEFECT_DIFFERENCE = 1.5
#: Of any label's distance; relative to the nearest label's.
MAX_GOLDEN_DISTANCE_CHANGE = 0.15


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )


class Label(_Part):
    """One kind of coin.

    value: in its currency. diameter_mm: nominal, as the mint states it. details: free text.
    aliases: other names that folders of its images may have.
    """

    name: str
    value: float
    currency: str
    diameter_mm: Annotated[float, Field(gt=0)]
    details: str = ""
    aliases: tuple[str, ...] = Field((), alias="also")


class Fusion(_Part):
    """How the kinds of evidence are weighed against each other.

    temperature: divides the logits, relief included (Guo et al., 2017).
    diameter_std: relative standard deviation of genuine coins' measured diameters about nominal.
    degrees_of_freedom: of the Student-t distribution of diameters; fewer allow for more outliers.
    diameter_weight: what the diameter's log likelihood counts for; below 1 where images show the
    coin's size too, so that it is not counted twice.
    relief_weight: logits per unit of the relief's similarity, a cosine.
    reconstruction_weight, similarity_weight, defect_weight, distance_weight: of the parts of the
    anomaly score, see `anomaly.score_anomaly`.
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
    """How outlines are measured, and the worst that a lone round coin's may be like.

    The bounds hold in the view of the training's camera; see `vision.detect.Search` and
    `records.Circle` for their units.
    """

    min_roundness: Annotated[float, Field(ge=0, le=1)]
    min_quality: Annotated[float, Field(ge=0, le=1)]
    max_off_patch: Annotated[float, Field(ge=0)]
    by_extent: bool = False


class RobustStats(_Part):
    """Median and robust standard deviation of genuine coins, measured on held-out ones.

    mad_std: 1.4826 times the median absolute deviation.
    """

    median: Annotated[float, Field(alias="middle")]
    mad_std: Annotated[float, Field(gt=0, alias="spread")]


class AnomalyScale(RobustStats):
    """What a label's genuine coins are like in each part of the anomaly score.

    Its own median and mad_std: of the natural logarithm of the autoencoder's error.
    similarity: of the relief's similarity. defect: of the defect logit.
    distance: of the natural logarithm of the embedding's distance.
    combined: of the weighted sum of the parts.
    Parts that the bundle does not look at are None.
    """

    similarity: RobustStats | None = Field(None, alias="likeness")
    defect: RobustStats | None = Field(None, alias="blemish")
    distance: RobustStats | None = None
    combined: RobustStats | None = Field(None, alias="together")


class LabelThresholds(_Part):
    """A label's thresholds as its bundle has them.

    n: how many held-out genuine coins they were set on.
    """

    min_confidence: Annotated[float, Field(ge=0, le=1)]
    max_anomaly: float
    tolerance_mm: Annotated[float, Field(gt=0)]
    n: int

    def bind(self, nominal_mm: float) -> Thresholds:
        """The same as the acceptance rule takes them, about a nominal diameter."""
        return Thresholds(self.min_confidence, self.max_anomaly, nominal_mm, self.tolerance_mm)


class Manifest(_Part):
    """Everything that bundle.yaml says.

    view: the scale of the camera that the training images were taken with.
    anomaly, thresholds: by label. budget: the error budget, and what the held-out coins prove.
    files: SHA-256 of each file, by name. recipe: what it was trained by. training: figures of it.
    """

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
    """Crops, and what networks and reliefs must say of them.

    crops: uint8 (m, n, n, 3) RGB. logits: float32 (m, labels + 1), relief included.
    reconstruction_errors: float32 (m,). defect_logits: float32 (m,), zeros without a detector.
    distances: float32 (m, labels), zeros without known embeddings. See `classifier.Evidence`.
    """

    crops: np.ndarray
    logits: np.ndarray
    reconstruction_errors: np.ndarray
    defect_logits: np.ndarray
    distances: np.ndarray

    def list_arrays(self) -> dict[str, np.ndarray]:
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

    digest: SHA-256 of bundle.yaml, which holds those of all other files.
    classifier, autoencoder, defect_detector: contents of .tflite files.
    reliefs, embedding_stats: of known coins. What a bundle does not use is None.
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
        """The labels by their names, in the order of the networks' outputs."""
        return {label.name: label for label in self.manifest.labels}

    @property
    def thresholds(self) -> dict[str, Thresholds]:
        """The bundle's thresholds by label, as the acceptance rule takes them."""
        labels = self.labels
        return {
            name: own.bind(labels[name].diameter_mm)
            for name, own in self.manifest.thresholds.items()
        }

    @property
    def view(self) -> ScalePlane:
        """The scale of the camera that the training images were taken with."""
        return self.manifest.view

    @property
    def crop(self) -> CropSpec:
        """How the networks want their crops."""
        return self.manifest.crop

    def resolve_label(self, folder: str | None) -> str | None:
        """The label that images in a folder of this name have; the name itself if none has it."""
        for label in self.manifest.labels:
            if folder in label.aliases:
                return label.name
        return folder


def load_bundle(path: Path) -> Bundle:
    """The bundle in a folder, with every file checked against its hash before it is read.

    Raises BundleError naming the file and what to do. Whether the networks answer rightly is for
    `Classifier.check_golden_crops`.
    """
    text = _read_file(path, MANIFEST)
    manifest = _parse_manifest(path / MANIFEST, text)
    contents = {name: _read_checked(path, name, digest) for name, digest in manifest.files.items()}
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
        golden=_parse_golden(path / GOLDEN, contents[GOLDEN], manifest),
        digest=hashlib.sha256(text).hexdigest(),
        reliefs=_parse_reliefs(path / RELIEFS, contents.get(RELIEFS), manifest),
        defect_detector=contents.get(DEFECT_DETECTOR),
        embedding_stats=_parse_embedding(path / EMBEDDING, contents.get(EMBEDDING), manifest),
    )


def _read_file(path: Path, name: str) -> bytes:
    try:
        return (path / name).read_bytes()
    except OSError as error:
        problem = f"{name} cannot be read: {error.strerror}"
        if not path.is_dir():
            problem = "no such bundle"
        raise BundleError(
            f"bundle {path}: {problem}; set runtime.bundle, or copy the bundle again"
        ) from error


def _read_checked(path: Path, name: str, digest: str) -> bytes:
    content = _read_file(path, name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(
            f"bundle {path}: {name} is damaged or was altered ({len(content)} bytes, wrong "
            "sha256); copy the bundle again"
        )
    return content


def _parse_manifest(path: Path, text: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = str(error).splitlines()[0]
        raise BundleError(f"{path}: is not YAML: {problem}; copy the bundle again") from error
    except ValidationError as error:  # before ValueError, which it is
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(file)"
        raise BundleError(f"{path}: {where}: {first['msg']}; export the bundle again") from error
    except ValueError as error:
        raise BundleError(
            f"{path}: a value cannot be read: {error}; copy the bundle again"
        ) from error
    _check_manifest(path, manifest)
    return manifest


def _check_manifest(path: Path, manifest: Manifest) -> None:
    if manifest.format != FORMAT:
        raise BundleError(
            f"{path}: format {manifest.format}, this coinsorter reads {FORMAT}; "
            "export the bundle again"
        )
    names = {label.name for label in manifest.labels}
    is_named_once = len(names) == len(manifest.labels)
    if not is_named_once or not names == set(manifest.thresholds) == set(manifest.anomaly):
        raise BundleError(
            f"{path}: labels, limits and anomaly do not name the same labels; "
            "export the bundle again"
        )


def _parse_arrays(
    path: Path, content: bytes, what: str, build: Callable[[Mapping[str, np.ndarray]], Parsed]
) -> Parsed:
    """What is built of the arrays in a file's content; BundleError where they are not there."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return build(stored)
    except NOT_ARRAYS as error:
        raise BundleError(f"{path}: holds no {what}: {error}; export the bundle again") from error


def _parse_golden(path: Path, content: bytes, manifest: Manifest) -> Golden:
    labels = len(manifest.labels)

    def build(stored: Mapping[str, np.ndarray]) -> Golden:
        errors = stored["errors"]
        defects = stored.get("blemishes", np.zeros_like(errors))
        distances = stored.get("distances", np.zeros((len(errors), labels), np.float32))
        return Golden(stored["crops"], stored["logits"], errors, defects, distances)

    golden = _parse_arrays(path, content, "golden answers", build)
    count = len(golden.reconstruction_errors)
    size_px = manifest.crop.size_px
    fits = (
        golden.crops.shape == (count, size_px, size_px, 3)
        and golden.logits.shape == (count, labels + 1)
        and golden.distances.shape == (count, labels)
        and golden.defect_logits.shape == (count,)
    )
    if not fits:
        raise BundleError(
            f"{path}: golden crops or answers do not fit the bundle's crops and labels; "
            "export the bundle again"
        )
    return golden


def _parse_reliefs(path: Path, content: bytes | None, manifest: Manifest) -> Reliefs | None:
    if content is None:
        return None
    known = _parse_arrays(
        path,
        content,
        "reliefs",
        lambda stored: Reliefs(
            stored["spectra"], stored["labels"], stored["projection"], float(stored["step"])
        ),
    )
    count = len(known.spectra)
    fits = (
        known.spectra.shape == (count, DIMENSIONS, FREQUENCIES, 2)
        and known.projection.shape == (DIMENSIONS, CHANNELS * RADII)
        and known.labels.shape == (count,)
        and count > 0
        and 0 <= known.labels.min() <= known.labels.max() < len(manifest.labels)
    )
    if not fits:
        raise BundleError(
            f"{path}: its reliefs do not fit this coinsorter and the bundle's labels; "
            "export the bundle again"
        )
    return known


def _parse_embedding(
    path: Path, content: bytes | None, manifest: Manifest
) -> EmbeddingStats | None:
    if content is None:
        return None
    known = _parse_arrays(
        path,
        content,
        "embeddings",
        lambda stored: EmbeddingStats(stored["means"], stored["whitening"]),
    )
    length = known.whitening.shape[-1] if known.whitening.ndim else 0
    is_square = known.whitening.shape == (length, length)
    if not is_square or known.means.shape != (len(manifest.labels), length):
        raise BundleError(
            f"{path}: its embeddings do not fit the bundle's labels; export the bundle again"
        )
    return known
