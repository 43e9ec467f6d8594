"""A model bundle on disk: a folder with networks, labels, thresholds and golden crops.

The golden crops prove that the networks answer on this machine as they did in training. The keys of
bundle.yaml are older than the names here; the fields' aliases translate.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from coinsorter.errors import BundleError
from coinsorter.files.strict_yaml import load_yaml
from coinsorter.recognition.bundle_arrays import (
    EMBEDDING_RULES,
    GOLDEN_RULES,
    RELIEF_RULES,
    ArrayRule,
    read_arrays,
)
from coinsorter.recognition.bundle_files import (
    AUTOENCODER,
    CLASSIFIER,
    DEFECT_DETECTOR,
    EMBEDDING,
    GATE,
    GOLDEN,
    LISTED,
    MANIFEST,
    NEEDED,
    NETWORKS,
    RELIEFS,
    read_bundle_file,
)
from coinsorter.recognition.embedding import EmbeddingStats
from coinsorter.recognition.relief import CHANNELS, DIMENSIONS, FREQUENCIES, RADII, Reliefs
from coinsorter.recognition.seal import check_seal, compute_digest, describe_yaml_error
from coinsorter.records import Thresholds
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.scale import ScalePlane

#: Version of the bundle's layout that this program reads and writes.
FORMAT = 1

#: The most labels of a bundle. A manifest of 200 has 113 kB and takes 0.7 s to read.
MAX_LABELS = 250

#: What a .tflite file has behind its first four bytes (the schema's file_identifier).
TFLITE_MARK = b"TFL3"
TFLITE_MARK_PLACE = slice(4, 8)

# What the arrays of a bundle may take, unpacked. Reliefs take four times as much in use.
#: 64 crops of 224 pixels take 10 MB.
MAX_GOLDEN_BYTES = 16_000_000
#: 9,000 known coins; 604 are the most of ours.
MAX_RELIEFS_BYTES = 8_000_000
#: 1,280 numbers, MobileNetV2's embedding, take 3 MB.
MAX_EMBEDDING_BYTES = 8_000_000
#: Golden crops, each of which takes time at every start; training keeps 8.
MAX_GOLDEN_CROPS = 64

#: Characters of a key in a message.
MAX_KEY_LENGTH = 80

# What the numbers of a manifest may be: beyond, no training has set them, and whoever wrote them
# did not mean them.
#: Confidence that a threshold asks for at least: a coin is likelier what it is taken for than not.
MIN_CONFIDENCE = 0.5
#: Of an anomaly score, robust standard deviations: genuine coins' thresholds are 3 to 5.
MAX_ANOMALY = 30.0
#: Of the logarithm of odds: a network's logits are smaller.
MAX_LOG_ODDS = 30.0
#: Of the median and the standard deviation of a logarithm, a cosine, a logit or a score.
MAX_STATISTIC = 100.0
#: Of the weights of the anomaly score's parts together.
MIN_WEIGHTS = 0.01
#: Of a diameter's tolerance, relative; twice the widest that training sets for a usual camera.
MAX_TOLERANCE = 0.25
#: Of how far a coin may lie from the middle of its patch, in its radii.
MAX_OFF_PATCH = 2.0
#: By the fields of `CropSpec`; a recipe's own ranges, and what an older one may have had.
CROP_RANGES = {"size_px": (16, 256), "margin": (1.0, 2.0), "gamma": (0.1, 5.0)}
#: By the fields of `ScalePlane`; tilts and barrel as config.yaml has them, which is in per cent.
VIEW_RANGES = {
    "px_per_mm": (0.2, 200.0),
    "tilt_along": (-0.4, 0.4),
    "tilt_across": (-0.4, 0.4),
    "barrel": (-0.4, 0.4),
    "width_px": (16, 20_000),
    "height_px": (16, 20_000),
}

# How far answers to the golden crops may be from those of the machine that trained the bundle: the
# kernels of the two runtimes differ. Set above what `python -m benchmarks.runtimes` measured
# between them on the shipped bundles.
#: Of any logit, relief included; absolute.
MAX_GOLDEN_LOGIT_DIFFERENCE = 1.5
#: Of the gate's logarithm of odds; absolute.
MAX_GOLDEN_MEMBERSHIP_DIFFERENCE = 1.5
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


def _check_plain(text: str) -> str:
    """Raises ValueError for what moves the cursor, such as a line's end or a terminal's escape."""
    if not text.isprintable():
        raise ValueError("it holds characters that cannot be printed")
    return text


def _check_name(name: str) -> str:
    """Raises ValueError for what is no name of a folder."""
    if "/" in name or "\\" in name or name.startswith(".") or name != name.strip():
        raise ValueError("a name has no slash in it, no dot before it and no space around it")
    return _check_plain(name)


#: Text that is printed in one line.
PlainText = Annotated[str, Field(max_length=200), AfterValidator(_check_plain)]
#: A name that folders of images may have.
Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_check_name)]
#: SHA-256 in hexadecimal digits.
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: What one part of the anomaly score counts for: those that training sets add up to 1.
Weight = Annotated[float, Field(ge=0, le=10)]


class Label(_Part):
    """One kind of coin.

    value: in its currency. diameter_mm: nominal, as the mint states it: coins in use have 10 to
    45 mm, the largest medals 100. details: free text.
    aliases: other names that folders of its images may have. taught: the crops that it was taught
    by without training, see `taught`; 0 of a label that the networks were trained on.
    """

    name: Name
    value: Annotated[float, Field(ge=0, le=1e6)]
    currency: PlainText
    diameter_mm: Annotated[float, Field(ge=5, le=100)]
    details: PlainText = ""
    aliases: Annotated[tuple[Name, ...], Field(alias="also", max_length=100)] = ()
    taught: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    @model_serializer(mode="wrap")
    def _leave_out_untaught(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Older programs know no `taught`: only labels that were have it written."""
        written: dict[str, Any] = serialize(self)
        if not self.taught:
            written.pop("taught", None)
        return written


class Fusion(_Part):
    """How the kinds of evidence are weighed against each other.

    temperature: divides the logits, relief included (Guo et al., 2017).
    diameter_std: relative standard deviation of genuine coins' measured diameters about nominal.
    degrees_of_freedom: of the Student-t distribution of diameters; fewer allow for more outliers.
    diameter_weight: what the diameter's log likelihood counts for; below 1 where images show the
    coin's size too, so that it is not counted twice.
    relief_weight: logits per unit of the relief's similarity, a cosine.
    gate_weight: what the gate's logits of the labels count for beside the classifier's.
    classifier_odds_weight: what the classifier's log odds that it is any of the labels count for,
    beside a gate's or in place of one; 0 for one that was not shown what a gate is.
    reconstruction_weight, similarity_weight, defect_weight, distance_weight: of the parts of the
    anomaly score, see `anomaly.score_anomaly`.
    """

    temperature: Annotated[float, Field(ge=0.01, le=100)]
    diameter_std: Annotated[float, Field(ge=1e-5, le=0.2, alias="diameter_spread")]
    degrees_of_freedom: Annotated[float, Field(ge=0.5, le=1000, alias="freedom")]
    diameter_weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    relief_weight: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    gate_weight: Annotated[float, Field(ge=0, le=10)] = 0.0
    classifier_odds_weight: Annotated[float, Field(ge=0, le=10)] = 0.0
    reconstruction_weight: Annotated[Weight, Field(alias="copy_weight")] = 1.0
    similarity_weight: Annotated[Weight, Field(alias="likeness_weight")] = 0.0
    defect_weight: Annotated[Weight, Field(alias="blemish_weight")] = 0.0
    distance_weight: Weight = 0.0

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        weights = (
            self.reconstruction_weight,
            self.similarity_weight,
            self.defect_weight,
            self.distance_weight,
        )
        if sum(weights) < MIN_WEIGHTS:
            raise ValueError("the weights of the anomaly score are 0: it would let anything pass")
        return self


class Outline(_Part):
    """How outlines are measured, and the worst that a lone round coin's may be like.

    The bounds hold in the view of the training's camera; see `vision.detect.Search` and
    `records.Circle` for their units.
    """

    min_roundness: Annotated[float, Field(ge=0, le=1)]
    min_quality: Annotated[float, Field(ge=0, le=1)]
    max_off_patch: Annotated[float, Field(ge=0, le=MAX_OFF_PATCH)]
    by_extent: bool = False


class RobustStats(_Part):
    """Median and robust standard deviation of genuine coins, measured on held-out ones.

    mad_std: 1.4826 times the median absolute deviation.
    """

    median: Annotated[float, Field(ge=-MAX_STATISTIC, le=MAX_STATISTIC, alias="middle")]
    mad_std: Annotated[float, Field(ge=1e-5, le=MAX_STATISTIC, alias="spread")]


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

    n: how many held-out genuine coins they were set on. min_margin, min_membership: see
    `records.Thresholds`; the latter is None without a gate.
    """

    min_confidence: Annotated[float, Field(ge=MIN_CONFIDENCE, le=1)]
    max_anomaly: Annotated[float, Field(ge=-MAX_ANOMALY, le=MAX_ANOMALY)]
    tolerance_mm: Annotated[float, Field(gt=0)]
    n: Annotated[int, Field(ge=0)]
    min_margin: Annotated[float, Field(ge=0, le=MAX_LOG_ODDS)] = 0.0
    min_membership: Annotated[float, Field(ge=-MAX_LOG_ODDS, le=MAX_LOG_ODDS)] | None = None

    def bind(self, nominal_mm: float) -> Thresholds:
        """The same as the acceptance rule takes them, about a nominal diameter."""
        return Thresholds(
            self.min_confidence,
            self.max_anomaly,
            nominal_mm,
            self.tolerance_mm,
            self.min_margin,
            -inf if self.min_membership is None else self.min_membership,
        )


def _check_crop(spec: CropSpec) -> CropSpec:
    _check_ranges(spec, CROP_RANGES)
    if spec.full_mm and not 5 <= spec.full_mm <= 100:
        raise ValueError(f"full_mm {spec.full_mm:g} is neither 0 nor from 5 to 100")
    if not all(0 <= level <= 255 for level in spec.surround):
        raise ValueError("surround is not from 0 to 255")
    return spec


def _check_view(plane: ScalePlane) -> ScalePlane:
    _check_ranges(plane, VIEW_RANGES)
    return plane


def _check_ranges(record: CropSpec | ScalePlane, ranges: dict[str, tuple[float, float]]) -> None:
    for name, (lowest, highest) in ranges.items():
        value = getattr(record, name)
        if not lowest <= value <= highest:
            raise ValueError(f"{name} {value:g} is not from {lowest:g} to {highest:g}")


class Manifest(_Part):
    """Everything that bundle.yaml says.

    view: the scale of the camera that the training images were taken with.
    anomaly, thresholds: by label. budget: the error budget, and what the held-out coins prove.
    files: SHA-256 of each file, by name. recipe: what it was trained by. training: figures of it.
    """

    format: int
    name: Name
    labels: Annotated[list[Label], Field(min_length=1, max_length=MAX_LABELS)]
    crop: Annotated[CropSpec, AfterValidator(_check_crop)]
    outline: Outline
    view: Annotated[ScalePlane, AfterValidator(_check_view)]
    fusion: Fusion
    anomaly: dict[str, AnomalyScale]
    thresholds: Annotated[dict[str, LabelThresholds], Field(alias="limits")]
    budget: dict[str, Any]
    files: dict[str, Sha256]
    recipe: dict[str, Any]
    training: dict[str, Any]

    @property
    def trained_labels(self) -> int:
        """How many labels the networks were trained on; those that were taught follow them."""
        return sum(label.taught == 0 for label in self.labels)

    @property
    def provisional(self) -> list[str]:
        """The labels whose thresholds were set on no held-out coin of theirs."""
        return [name for name, own in self.thresholds.items() if not own.n]

    @property
    def judges_membership(self) -> bool:
        """Whether a network says if something is one of the coins at all: a gate, or its like."""
        return GATE in self.files or self.fusion.classifier_odds_weight > 0


@dataclass(frozen=True, eq=False)
class Golden:
    """Crops, and what networks and reliefs must say of them.

    crops: uint8 (m, n, n, 3) RGB. logits: float32 (m, labels + 1), relief included.
    reconstruction_errors: float32 (m,). defect_logits: float32 (m,), zeros without a detector.
    distances: float32 (m, labels), zeros without known embeddings. memberships: float32 (m,), zeros
    without a gate. See `classifier.Evidence`.
    """

    crops: np.ndarray
    logits: np.ndarray
    reconstruction_errors: np.ndarray
    defect_logits: np.ndarray
    distances: np.ndarray
    memberships: np.ndarray

    def list_arrays(self) -> dict[str, np.ndarray]:
        """The arrays by the names that they have in golden/answers.npz."""
        return {
            "crops": self.crops,
            "logits": self.logits,
            "errors": self.reconstruction_errors,
            "blemishes": self.defect_logits,
            "distances": self.distances,
            "memberships": self.memberships,
        }


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose files are what bundle.yaml says they are.

    digest: SHA-256 of bundle.yaml, which holds those of all other files; empty for a bundle that
    was made in memory.
    classifier, autoencoder, defect_detector, gate: contents of .tflite files.
    reliefs, embedding_stats: of known coins. What a bundle does not use is None.
    contents: of the files that it was made of, by their names; empty for one made in memory.
    """

    path: Path
    manifest: Manifest
    classifier: bytes
    autoencoder: bytes
    golden: Golden
    digest: str
    reliefs: Reliefs | None = None
    defect_detector: bytes | None = None
    gate: bytes | None = None
    embedding_stats: EmbeddingStats | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict)

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
    text = read_bundle_file(path, MANIFEST)
    check_seal(path, text)
    return read_bundle(path, text)


def read_bundle(path: Path, text: bytes) -> Bundle:
    """The bundle in a folder by what its bundle.yaml says, `text`, whether that is sealed or not.

    Raises BundleError as `load_bundle` does.
    """
    manifest = _parse_manifest(path / MANIFEST, text)
    files = {name: _read_checked(path, name, digest) for name, digest in manifest.files.items()}
    return _assemble_bundle(path, manifest, {MANIFEST: text, **files})


def build_bundle(path: Path, contents: Mapping[str, bytes]) -> Bundle:
    """The bundle that is made of the contents of files, bundle.yaml among them.

    path: where they are from, for messages. Raises BundleError where they make no bundle.
    """
    manifest = _parse_manifest(path / MANIFEST, contents[MANIFEST])
    return _assemble_bundle(path, manifest, contents)


def _assemble_bundle(path: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> Bundle:
    for name in NETWORKS:
        _check_network(path / name, contents.get(name))
    return Bundle(
        path=path,
        manifest=manifest,
        classifier=contents[CLASSIFIER],
        autoencoder=contents[AUTOENCODER],
        golden=_parse_golden(path / GOLDEN, contents[GOLDEN], manifest),
        digest=compute_digest(contents[MANIFEST]),
        reliefs=_parse_reliefs(path / RELIEFS, contents.get(RELIEFS), manifest),
        defect_detector=contents.get(DEFECT_DETECTOR),
        gate=contents.get(GATE),
        embedding_stats=_parse_embedding(path / EMBEDDING, contents.get(EMBEDDING), manifest),
        contents=contents,
    )


def _check_network(path: Path, content: bytes | None) -> None:
    if content is not None and content[TFLITE_MARK_PLACE] != TFLITE_MARK:
        raise BundleError(f"{path}: is no network of TensorFlow Lite; export the bundle again")


def _read_checked(path: Path, name: str, digest: str) -> bytes:
    content = read_bundle_file(path, name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(
            f"bundle {path}: {name} is damaged or was altered ({len(content)} bytes, wrong "
            "sha256); copy the bundle again"
        )
    return content


def _parse_manifest(path: Path, text: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate(load_yaml(text))
    except ValidationError as error:  # before ValueError, which it is
        problem = _describe_invalid(error)
        raise BundleError(f"{path}: {problem}; export the bundle again") from error
    except (yaml.YAMLError, ValueError) as error:
        problem = describe_yaml_error(error)
        raise BundleError(f"{path}: is not YAML: {problem}; copy the bundle again") from error
    _check_manifest(path, manifest)
    return manifest


def _describe_invalid(error: ValidationError) -> str:
    """Where the first wrong value is, and what is wrong with it, in printable characters."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:MAX_KEY_LENGTH] or "(file)"
    option = where if where.isprintable() else ascii(where)
    return f"{option}: {first['msg'].removeprefix('Value error, ')}"


def _check_manifest(path: Path, manifest: Manifest) -> None:
    if manifest.format != FORMAT:
        raise BundleError(
            f"{path}: format {manifest.format}, this coinsorter reads {FORMAT}; "
            "export the bundle again"
        )
    problem = _find_contradiction(manifest)
    if problem:
        raise BundleError(f"{path}: {problem}; export the bundle again")


def _find_contradiction(manifest: Manifest) -> str | None:
    """What in a manifest contradicts the rest of it; None where nothing does."""
    labels = {label.name: label for label in manifest.labels}
    is_named_once = len(labels) == len(manifest.labels)
    if not is_named_once or not set(labels) == set(manifest.thresholds) == set(manifest.anomaly):
        return "labels, limits and anomaly do not name the same labels"
    names = [name for label in manifest.labels for name in (label.name, *label.aliases)]
    if len(set(names)) < len(names):
        return "labels: a name is that of more than one label, or twice of one"
    for name, own in manifest.thresholds.items():
        widest_mm = MAX_TOLERANCE * labels[name].diameter_mm
        if own.tolerance_mm > widest_mm:
            return f"limits.{name}.tolerance_mm: {own.tolerance_mm:g} is above {widest_mm:g}"
    if not manifest.trained_labels:
        return "labels: none of them was trained"
    if any(label.taught for label in manifest.labels[: manifest.trained_labels]):
        return "labels: one that was taught stands before one that was trained"
    if EMBEDDING not in manifest.files and manifest.trained_labels < len(labels):
        return f"labels: one was taught, and {EMBEDDING} is missing"
    is_judged = manifest.judges_membership
    judged = [own.min_membership is not None for own in manifest.thresholds.values()]
    taught = [labels[name].taught > 0 for name in manifest.thresholds]
    if any(one != (is_judged and not new) for one, new in zip(judged, taught)):
        return (
            f"limits: min_membership goes with {GATE} or fusion.classifier_odds_weight, for every "
            "label that was trained, and one of them is missing"
        )
    unknown = [name for name in manifest.files if name not in LISTED]
    if unknown:
        return f"files: {unknown[0]!r} is no file of a bundle"
    missing = [name for name in NEEDED if name not in manifest.files]
    return f"files: {missing[0]} is missing" if missing else None


def _parse_arrays(
    path: Path, content: bytes, rules: Mapping[str, ArrayRule], max_bytes: int
) -> dict[str, np.ndarray]:
    try:
        return read_arrays(content, rules, max_bytes)
    except ValueError as error:
        raise BundleError(f"{path}: {error}; export the bundle again") from error


def _parse_golden(path: Path, content: bytes, manifest: Manifest) -> Golden:
    labels = len(manifest.labels)
    stored = _parse_arrays(path, content, GOLDEN_RULES, MAX_GOLDEN_BYTES)
    errors = stored["errors"]
    count = len(errors)
    defects = stored.get("blemishes", np.zeros_like(errors))
    distances = stored.get("distances", np.zeros((count, labels), np.float32))
    memberships = stored.get("memberships", np.zeros_like(errors))
    golden = Golden(stored["crops"], stored["logits"], errors, defects, distances, memberships)
    size_px = manifest.crop.size_px
    fits = (
        1 <= count <= MAX_GOLDEN_CROPS
        and golden.crops.shape == (count, size_px, size_px, 3)
        and golden.logits.shape == (count, labels + 1)
        and golden.distances.shape == (count, labels)
        and golden.defect_logits.shape == (count,)
        and golden.memberships.shape == (count,)
        and errors.min() > 0
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
    stored = _parse_arrays(path, content, RELIEF_RULES, MAX_RELIEFS_BYTES)
    known = Reliefs(
        stored["spectra"], stored["labels"], stored["projection"], float(stored["step"])
    )
    count = len(known.spectra)
    fits = (
        known.spectra.shape == (count, DIMENSIONS, FREQUENCIES, 2)
        and known.projection.shape == (DIMENSIONS, CHANNELS * RADII)
        and known.labels.shape == (count,)
        and count > 0
        and 0 <= known.labels.min() <= known.labels.max() < len(manifest.labels)
        and known.step > 0
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
    stored = _parse_arrays(path, content, EMBEDDING_RULES, MAX_EMBEDDING_BYTES)
    known = EmbeddingStats(stored["means"], stored["whitening"])
    length = known.whitening.shape[1]
    is_square = known.whitening.shape == (length, length)
    if not is_square or known.means.shape != (len(manifest.labels), length):
        raise BundleError(
            f"{path}: its embeddings do not fit the bundle's labels; export the bundle again"
        )
    return known
