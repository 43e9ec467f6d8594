"""A recipe: the settings of one bundle's training, read from YAML and kept in the bundle.

Where a field has an alias, the alias is the key in the YAML file and in the bundle.
"""

import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from coinsorter.config.explain import explain_error
from coinsorter.config.load import MAX_BYTES, format_mistakes
from coinsorter.config.yaml_lines import (
    OptionPath,
    UnreadableYamlError,
    Written,
    YamlLines,
    format_option,
)
from coinsorter.errors import InputError
from coinsorter.files.bounded import read_bounded
from coinsorter.files.strict_yaml import BYTE_ORDER_MARK, load_yaml
from coinsorter.recognition.bundle import Label
from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.dataset.splits import TEST
from coinsorter.vision.crop import CropSpec


class _Settings(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, populate_by_name=True
    )


def _check_expression(expression: str) -> str:
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"{expression!r} is no regular expression: {error}") from error
    return expression


Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareBelow1 = Annotated[float, Field(ge=0, lt=1)]
ShareBetween = Annotated[float, Field(gt=0, lt=1)]
ShareToHalf = Annotated[float, Field(ge=0, le=0.5)]
Channels = Annotated[int, Field(ge=4, le=128, multiple_of=4)]
Expression = Annotated[str, AfterValidator(_check_expression)]


class ImageCounts(_Settings):
    """How many coins and foreign objects the simulator renders.

    genuine: coins to train on, and held_out: coins that no network sees; both for the simulated
    currency only, since photographs are held out by whole groups. foreign: examples of objects that
    are none of the labels.
    """

    genuine: Natural = 0
    foreign: Natural = 300
    held_out: Natural = 0


class CropSettings(_Settings):
    """How coins are cut out; see `coinsorter.vision.crop.CropSpec`.

    size_px: edge of the square. margin: half the edge over the coin's radius. true_size: the
    largest coin fills the crop and smaller ones are smaller in it; else every coin fills it.
    gamma: below 1 brightens the dark. correct_light: bring the belt around each coin to one grey;
    not for images in which it may have any colour.
    """

    size_px: Annotated[int, Field(ge=32, le=224, multiple_of=16)] = 64
    margin: Annotated[float, Field(ge=1.0, le=1.5)] = 1.06
    true_size: bool = False
    gamma: Annotated[float, Field(ge=0.3, le=1.5)] = 1.0
    correct_light: bool = True


class ClassifierSettings(_Settings):
    """The classifier and its training.

    network: see `networks`; "polar" sees crops unwrapped and needs no turns. weights, for the
    mobilenets: imagenet, a file, or none. blocks, for mobilenet-v1-025: those of its 13 that are
    taken; the last ones are of ImageNet's classes. width, for separable and polar: channels of the
    first layer. repeat: how often an epoch shows each crop, differently augmented each time.
    patience: epochs without progress on the validation crops after which training stops and goes
    back to the best one; 0: it runs to its end, on all groups. validation_share: share of the crops
    that validate, in whole groups. exposed: it is shown what a gate is shown, as much of that as of
    coins, and its own log odds count: added to a gate's, or in place of one. simulated: objects of
    each simulated kind that it is then shown, where there is no gate to say how many.
    """

    network: Literal[
        "separable", "polar", "mobilenet-v1-025", "mobilenet-v2", "two-conv", "three-conv"
    ] = "separable"
    weights: str = "none"
    blocks: Annotated[int, Field(ge=1, le=13)] = 13
    width: Channels = 24
    epochs: Count = 30
    batch: Count = 128
    learning_rate: Positive = 0.002
    repeat: Count = 1
    patience: Natural = 0
    validation_share: Annotated[float, Field(gt=0, lt=0.5, alias="held_back")] = 0.15
    exposed: bool = False
    simulated: Natural = 600


class AutoencoderSettings(_Settings):
    """The autoencoder and its training.

    network: see `networks`; "features" gives back what the gate sees of a crop, or the exposed
    classifier. width, for squeezing:
    channels of the first layer. code: numbers in the bottleneck. repeat: as for the classifier.
    """

    network: Literal["squeezing", "conv-128", "features"] = "squeezing"
    width: Channels = 16
    code: Count = 64
    epochs: Count = 12
    batch: Count = 64
    learning_rate: Positive = 0.002
    repeat: Count = 1


class ReliefSettings(_Settings):
    """per_label: coins of each label whose reliefs the bundle keeps to compare others with.

    Each takes 0.9 kB.
    """

    per_label: Count = 150


class DefectDetectorSettings(_Settings):
    """The network that learns defects drawn onto genuine coins; one serves all folds.

    network: see `networks`. weights, for mobilenet-v1-025: as for the classifier. width: channels
    of u-net's first layer, and half of those that the pyramid on MobileNetV1 ends with. repeat: as
    for the classifier.
    """

    network: Literal["u-net", "mobilenet-v1-025"] = "u-net"
    weights: str = "none"
    width: Annotated[int, Field(ge=4, le=64, multiple_of=4)] = 16
    epochs: Count = 20
    batch: Count = 64
    learning_rate: Positive = 0.003
    repeat: Count = 8


class GateSettings(_Settings):
    """The gate, which says whether something is one of the bundle's coins at all.

    network, weights, blocks: as for the classifier. size_px: edge of the crops that it looks at;
    others are enlarged or reduced to it. It is shown as many near-coins, simulated objects and
    foreign photographs as genuine crops. batch: genuine crops of one step. simulated: objects of
    each simulated kind. repeat: as for the classifier.
    """

    network: Literal["mobilenet-v1-025"] = "mobilenet-v1-025"
    weights: str = "imagenet"
    blocks: Annotated[int, Field(ge=1, le=13)] = 11
    size_px: Annotated[int, Field(ge=32, le=224, multiple_of=16)] = 96
    epochs: Count = 24
    batch: Count = 32
    learning_rate: Positive = 0.001
    repeat: Count = 2
    simulated: Natural = 600


class AugmentSettings(_Settings):
    """How crops are changed at random: rotated by any angle, never mirrored, as no coin is.

    zoom, brightness, colour, contrast: relative. shift_px, blur_px: in crop pixels. noise: grey
    levels. cut_out: share of crops that lose a patch. jpeg: share that is compressed once more.
    """

    zoom: Annotated[float, Field(ge=0, lt=0.5)] = 0.06
    shift_px: NotNegative = 0.8
    brightness: ShareBelow1 = 0.15
    colour: ShareBelow1 = 0.05
    contrast: ShareBelow1 = 0.1
    blur_px: NotNegative = 0.8
    noise: NotNegative = 4.0
    cut_out: Share = 0.0
    jpeg: Share = 0.0


class Budget(_Settings):
    """The error budget of the thresholds, both as shares.

    wrong: accepted coins that may be of another label. genuine_rejected: genuine coins that the
    thresholds may reject.
    """

    wrong: ShareBetween = 1e-4
    genuine_rejected: ShareBetween = 0.005


class Margin(_Settings):
    """How far a lone coin's outline may lie beyond those of the held-out coins.

    The light of another day moves shadows and glints. In the units of `records.Circle`.
    """

    roundness: ShareToHalf = 0.02
    quality: ShareToHalf = 0.03
    off_patch: ShareToHalf = 0.05


def _check_names(labels: list[Label]) -> list[Label]:
    taught = [label.name for label in labels if label.taught]
    if taught:
        raise ValueError(f"{taught[0]}: `taught` is of a bundle's labels; training trains all")
    names = [name for label in labels for name in (label.name, *label.aliases)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)}: a name of more than one label, or twice of one")
    return labels


class Recipe(_Settings):
    """Everything that a recipe says; see models/crowns.yaml and models/brl.yaml.

    source: "frames" of one camera, whose view gives the coins' sizes; "crops", each filled by one
    coin, which give no sizes; "simulated": the invented currency. diameter_std: for crops, relative
    standard deviation of the diameters that the machine is expected to measure, since its scale is
    calibrated on the machine. by_extent: coins are measured halfway between their edges and all
    that stands out from the belt, shadow included; see `coinsorter.vision.contour`.

    same_coins: crops whose names match the same of these patterns are of the same coins.
    group_pattern: the other crops are of one photograph if their names are alike in what its
    brackets match. Frames are held out by whole bursts and crops by whole groups, `hold_out` of
    them. With `folds` each coin is held out once, by cross-validation: each fold has networks of
    its own, which see the other folds, and the bundle's own networks see all coins (for data sets
    too small to spare any). max_folds: only the first folds are trained, which takes less time.

    gate: None leaves it to the classifier whether something is a coin at all, see its `exposed`.
    relief,
    defect_detector: None leaves that part of the anomaly score out; see
    `coinsorter.recognition.relief` and `coinsorter.training.fitting.defects`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    seed: Natural = 1
    source: Literal["simulated", "frames", "crops"]
    labels: Annotated[list[Label], AfterValidator(_check_names)] = []
    px_per_mm: Positive = 4.0
    by_extent: bool = False
    group_gap_s: Positive = 40.0
    same_coins: list[Expression] = []
    group_pattern: Expression = ""
    diameter_std: Annotated[float, Field(gt=0, lt=0.1, alias="diameter_spread")] = 0.012
    hold_out: ShareBetween = 0.25
    folds: Annotated[int, Field(ge=2, le=10)] | None = None
    max_folds: Count | None = Field(None, alias="asked")
    images: ImageCounts = Field(ImageCounts(), alias="pictures")
    motifs: list[str] = ["ring", "letters", "gear", "cross", "polygon", "blob", "strokes", "dots"]
    crop: CropSettings = CropSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    relief: ReliefSettings | None = None
    defect_detector: DefectDetectorSettings | None = Field(None, alias="inspector")
    gate: GateSettings | None = None
    augment: AugmentSettings = AugmentSettings()
    budget: Budget = Budget()
    margin: Margin = Field(Margin(), alias="slack")

    def make_crop_spec(self, surround: tuple[float, float, float], largest_mm: float) -> CropSpec:
        """How the bundle's crops are cut.

        surround: RGB 0..255 of the belt around a typical coin. largest_mm: diameter of the largest
        label.
        """
        return CropSpec(
            size_px=self.crop.size_px,
            margin=self.crop.margin,
            surround=surround,
            full_mm=largest_mm if self.crop.true_size else 0.0,
            gamma=self.crop.gamma,
            correct_light=self.crop.correct_light,
        )

    @property
    def simulated_exposure(self) -> int | None:
        """Objects of each simulated kind that networks are shown; None where none is exposed."""
        if self.gate:
            return self.gate.simulated
        return self.classifier.simulated if self.classifier.exposed else None

    def to_dict(self) -> dict[str, Any]:
        """The recipe with every default written out, by the keys of the YAML file."""
        return self.model_dump(mode="json", by_alias=True)

    def find_names(self) -> dict[str, str]:
        """The labels' names, by every name that a folder of their images may have."""
        return {name: label.name for label in self.labels for name in (label.name, *label.aliases)}


#: The names that keys have now, and those that they had; a recipe may use either.
OLD_KEYS = {
    "max_folds": "asked",
    "images": "pictures",
    "defect_detector": "inspector",
    "margin": "slack",
    "diameter_std": "diameter_spread",
    "validation_share": "held_back",
}
#: What to do about a file that is no recipe.
READ_REMEDY = "name a recipe such as models/crowns.yaml"
#: The recipe for a data set without one: the settings of models/brl.yaml, which were chosen for a
#: few hundred photographs of worn coins.
DEFAULT_RECIPE: dict[str, Any] = {
    "folds": 4,
    "classifier": {"width": 16, "epochs": 30, "batch": 64, "repeat": 4},
    "autoencoder": {"epochs": 15, "repeat": 4},
    "relief": {"per_label": 150},
    "inspector": {},
    "augment": {
        "shift_px": 1.5,
        "brightness": 0.3,
        "colour": 0.1,
        "contrast": 0.25,
        "blur_px": 1.2,
        "noise": 8,
        "cut_out": 0.3,
    },
    "budget": {"wrong": 0.005, "genuine_rejected": 0.01},
    "slack": {"roundness": 0.04, "quality": 0.08, "off_patch": 0.15},
}


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """The recipe in a file, changed by settings such as "classifier.epochs=40".

    Raises InputError that names what is wrong with it, with the line.
    """
    lines = YamlLines(READ_REMEDY, may_fold=True)
    try:
        content = lines.parse(_read_text(path))
    except UnreadableYamlError as error:
        raise InputError("\n".join(format_mistakes(path, [error.mistake]))) from error
    if lines.mistakes:
        raise InputError("\n".join(format_mistakes(path, lines.mistakes)))
    return _validate_recipe(str(path), content, settings, lines)


def _read_text(path: Path) -> str:
    try:
        return read_bounded(path, MAX_BYTES).decode().removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise InputError(f"{path}: {reason}; {READ_REMEDY}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not YAML: it is not UTF-8 text; {READ_REMEDY}") from error


def make_default_recipe(
    dataset: Dataset, diameters_mm: dict[str, float], name: str, settings: Sequence[str] = ()
) -> Recipe:
    """A recipe for a prepared data set: DEFAULT_RECIPE for its labels, of the given diameters.

    Raises InputError where a diameter is missing or of no label, or where a setting is wrong.
    """
    _check_diameters(dataset.labels, diameters_mm)
    labels = [
        {"name": label, "value": 0, "currency": "", "diameter_mm": diameters_mm[label]}
        for label in dataset.labels
    ]
    if dataset.manifest["crops"]:
        source = _describe_crops()
    else:
        source = _describe_frames(dataset, diameters_mm)
    content = {**deepcopy(DEFAULT_RECIPE), "labels": labels, "name": name, **source}
    return _validate_recipe("--diameters", content, settings)


def _check_diameters(labels: Sequence[str], diameters_mm: dict[str, float]) -> None:
    missing = sorted(set(labels) - set(diameters_mm))
    unknown = sorted(set(diameters_mm) - set(labels))
    if missing:
        fault = f"has no size for {', '.join(missing)}"
    elif unknown:
        fault = f"names {', '.join(unknown)}, which the data set has not"
    else:
        return
    example = ",".join(f"{label}=MM" for label in labels)
    raise InputError(f"--diameters {fault}; say how large every label's coins are: {example}")


def _describe_crops() -> dict[str, Any]:
    return {"source": "crops", "folds": 5, "asked": 1, "crop": {"correct_light": False}}


def _describe_frames(dataset: Dataset, diameters_mm: dict[str, float]) -> dict[str, Any]:
    scales = [
        2 * row.radius_px / diameters_mm[row.label]
        for row in dataset.kept_rows()
        if row.split != TEST
    ]
    return {"source": "frames", "px_per_mm": round(median(scales), 3), "by_extent": True}


def _validate_recipe(
    origin: str, content: Any, settings: Sequence[str], lines: YamlLines | None = None
) -> Recipe:
    """lines: of the file that the content is from; None without one."""
    set_options = {_apply_setting(content, setting): setting for setting in settings}
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        faults = [_describe_fault(fault, origin, lines, set_options) for fault in error.errors()]
        raise InputError("\n".join(faults)) from error


def _describe_fault(
    fault: ErrorDetails,
    origin: str,
    lines: YamlLines | None,
    set_options: dict[OptionPath, str],
) -> str:
    """One line: where it is written, the option, what is wrong with it and what to write."""
    option = fault["loc"]
    for place, setting in set_options.items():
        if option[: len(place)] == place:
            written = _read_setting(setting) if option == place else None
            what = explain_error(fault, written, Recipe)
            return f"--set {setting}: {format_option(option)}: {what}"
    if lines is None:
        return f"{origin}: {format_option(option)}: {explain_error(fault, None, Recipe)}"
    what = explain_error(fault, lines.written(option), Recipe)
    return f"{origin}:{lines.line(option)}: {format_option(option)}: {what}"


def _read_setting(setting: str) -> Written:
    value = setting.partition("=")[2].strip()
    return Written(value.strip("'\""), plain=value[:1] not in ("'", '"'))


def _apply_setting(content: Any, setting: str) -> OptionPath:
    """Puts KEY=VALUE into a recipe's content: dots between a key's parts, the value in YAML.

    Returns where it was put.
    """
    key, equals, value = setting.partition("=")
    *parts, last = key.strip().split(".")
    place: list[str] = []
    try:
        parsed = load_yaml(value)
        section = content
        for part in parts:
            place.append(_spell_as_in(section, part))
            section = _open_section(section, part)
        if not (equals and last):
            raise TypeError
        place.append(_spell_as_in(section, last))
        section[place[-1]] = parsed
    except (TypeError, AttributeError, ValueError, yaml.YAMLError) as error:
        example = "classifier.epochs=40"
        raise InputError(f"--set {setting}: is not KEY=VALUE such as {example}") from error
    return tuple(place)


def _open_section(section: Any, part: str) -> Any:
    name = _spell_as_in(section, part)
    if section.get(name) is None:
        section[name] = {}
    return section[name]


def _spell_as_in(section: Any, part: str) -> str:
    """A key by the name that a recipe has it by, the old or the new one."""
    for names in OLD_KEYS.items():
        if part in names:
            return next((name for name in names if name in section), part)
    return part
