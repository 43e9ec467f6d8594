"""A recipe: the knobs of one bundle's training, read from YAML and kept in the bundle."""

import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from coinsorter.errors import InputError
from coinsorter.recognition.bundle import Label
from coinsorter.training.dataset.dataset import Dataset
from coinsorter.training.dataset.splits import TEST
from coinsorter.vision.crop import CropSpec


class _Settings(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )


Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class ImageCounts(_Settings):
    """How many simulated things are drawn. held_out: genuine coins no network sees (photographs are held out by whole groups instead).

    foreign: what "none of these" looks like.
    """

    genuine: Annotated[int, Field(ge=0)] = 0
    foreign: Annotated[int, Field(ge=0)] = 300
    held_out: Annotated[int, Field(ge=0)] = 0


class CropSettings(_Settings):
    """size_px: edge of the square. margin: half the edge over the coin's radius.

    true_size: the largest coin fills the crop and smaller ones are shown smaller; else every coin fills it. gamma: below 1 lifts the dark.
    correct_light: bring the belt around each coin to one grey; not for pictures in which it may have any colour.
    """

    size_px: Annotated[int, Field(ge=32, le=224, multiple_of=16)] = 64
    margin: Annotated[float, Field(ge=1.0, le=1.5)] = 1.06
    true_size: bool = False
    gamma: Annotated[float, Field(ge=0.3, le=1.5)] = 1.0
    correct_light: bool = True


class ClassifierSettings(_Settings):
    """network: see `networks`. weights, for the mobilenets: imagenet, a file, or none. width, for separable: channels of the first layer.

    repeat: how often an epoch shows each crop, differently augmented each time. patience: epochs without progress on held-back groups
    after which training stops and goes back to the best; 0: it runs to its end, on all groups. held_back: their share of the crops.
    """

    network: Literal["separable", "mobilenet-v1-025", "mobilenet-v2", "two-conv", "three-conv"] = (
        "separable"
    )
    weights: str = "none"
    width: Annotated[int, Field(ge=4, le=128, multiple_of=4)] = 24
    epochs: Count = 30
    batch: Count = 128
    learning_rate: Rate = 0.002
    repeat: Count = 1
    patience: Annotated[int, Field(ge=0)] = 0
    validation_share: Annotated[float, Field(gt=0, lt=0.5, alias="held_back")] = 0.15


class AutoencoderSettings(_Settings):
    """network: see `networks`. width, for squeezing: channels of the first layer. code: numbers that a coin is squeezed through."""

    network: Literal["squeezing", "conv-128"] = "squeezing"
    width: Annotated[int, Field(ge=4, le=128, multiple_of=4)] = 16
    code: Count = 64
    epochs: Count = 12
    batch: Count = 64
    learning_rate: Rate = 0.002
    repeat: Count = 1


class ReliefSettings(_Settings):
    """per_label: coins of each label whose reliefs the bundle keeps, at 0.9 kB each, to compare others with."""

    per_label: Count = 150


class DefectDetectorSettings(_Settings):
    """A network that learns blemishes drawn onto genuine coins, one for all folds. width: channels of its first layer."""

    width: Annotated[int, Field(ge=4, le=64, multiple_of=4)] = 16
    epochs: Count = 20
    batch: Count = 64
    learning_rate: Rate = 0.003
    repeat: Count = 8


class AugmentSettings(_Settings):
    """How crops are changed at random; any rotation always, a mirror never (no coin's face is mirrored).

    zoom, brightness, colour, contrast: relative. shift_px, blur_px: in crop pixels. noise: grey levels. cut_out: share of crops that lose
    a patch. jpeg: share that is compressed once more.
    """

    zoom: Annotated[float, Field(ge=0, lt=0.5)] = 0.06
    shift_px: Annotated[float, Field(ge=0)] = 0.8
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.15
    colour: Annotated[float, Field(ge=0, lt=1)] = 0.05
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.1
    blur_px: Annotated[float, Field(ge=0)] = 0.8
    noise: Annotated[float, Field(ge=0)] = 4.0
    cut_out: Annotated[float, Field(ge=0, le=1)] = 0.0
    jpeg: Annotated[float, Field(ge=0, le=1)] = 0.0


class Budget(_Settings):
    """wrong: accepted coins that may be of another label. genuine_rejected: genuine coins that the limits may reject; both as shares."""

    wrong: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    genuine_rejected: Annotated[float, Field(gt=0, lt=1)] = 0.005


class Margin(_Settings):
    """How far beyond the held-out coins' own a lone coin's outline may lie: the light of another day moves shadows and glints.

    roundness, quality, off_patch: in the units of `records.Circle`.
    """

    roundness: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    quality: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    off_patch: Annotated[float, Field(ge=0, le=0.5)] = 0.05


def _expression(words: str) -> str:
    try:
        re.compile(words)
    except re.error as error:
        raise ValueError(f"{words!r} is no regular expression: {error}") from error
    return words


def _distinct(labels: list[Label]) -> list[Label]:
    names = [name for label in labels for name in (label.name, *label.aliases)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)}: a name of more than one label, or twice of one")
    return labels


class Recipe(_Settings):
    """Everything a recipe says; see models/crowns.yaml and models/brl.yaml.

    by_extent: coins are measured halfway between their edges and all that stands out from the belt, shadow included; see `outline`.
    relief: where it is given, coins are compared with known ones by their relief too; see `coinsorter.recognition.relief`.
    inspector: where it is given, a third network looks for scratches, holes, paint and stains; see `blemishes`.
    source: "frames" of one camera, whose view tells how large coins are; "crops", each filled by one coin, which tell no sizes: then
    `diameter_spread` is what the machine's view is expected to measure to, relative, and its scale is to be calibrated on the machine;
    "simulated": the invented currency. same_coins: crops whose names match the same of these show the same coins, as photographs of one
    sitting do. group_pattern: of the others, crops alike in what its brackets match in their names are of one photograph.
    Frames are held out by whole bursts, crops by sittings or photographs, `hold_out` of them. With `folds` each is held out once instead: as many
    sister networks are trained as the bundle's, each without what it is asked about, and the bundle's own sees all (too few coins to spare
    any). asked: only so many of the folds have a sister, which takes the less time.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    seed: Annotated[int, Field(ge=0)] = 1
    source: Literal["simulated", "frames", "crops"]
    labels: Annotated[list[Label], AfterValidator(_distinct)] = []
    px_per_mm: Annotated[float, Field(gt=0)] = 4.0
    by_extent: bool = False
    group_gap_s: Annotated[float, Field(gt=0)] = 40.0
    same_coins: list[Annotated[str, AfterValidator(_expression)]] = []
    group_pattern: Annotated[str, AfterValidator(_expression)] = ""
    diameter_std: Annotated[float, Field(gt=0, lt=0.1, alias="diameter_spread")] = 0.012
    hold_out: Annotated[float, Field(gt=0, lt=1)] = 0.25
    folds: Annotated[int, Field(ge=2, le=10)] | None = None
    max_folds: Count | None = Field(None, alias="asked")
    images: ImageCounts = Field(ImageCounts(), alias="pictures")
    motifs: list[str] = ["ring", "letters", "gear", "cross", "polygon", "blob", "strokes", "dots"]
    crop: CropSettings = CropSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    relief: ReliefSettings | None = None
    defect_detector: DefectDetectorSettings | None = Field(None, alias="inspector")
    augment: AugmentSettings = AugmentSettings()
    budget: Budget = Budget()
    margin: Margin = Field(Margin(), alias="slack")

    def make_crop_spec(self, surround: tuple[float, float, float], largest_mm: float) -> CropSpec:
        full_mm = largest_mm if self.crop.true_size else 0.0
        return CropSpec(
            self.crop.size_px,
            self.crop.margin,
            surround,
            full_mm,
            self.crop.gamma,
            self.crop.correct_light,
        )

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


# What a recipe says where nobody wrote one: that of models/brl, which was chosen for few photographs of worn coins.
DEFAULT_RECIPE = {
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
    """The recipe in a file, with settings such as "classifier.epochs=40" put in. Raises InputError naming what is wrong with it."""
    try:
        words = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; name a recipe such as models/crowns.yaml"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from error
    return _checked(str(path), words, settings)


def make_default_recipe(
    data: Dataset, diameters_mm: dict[str, float], name: str, settings: Sequence[str] = ()
) -> Recipe:
    """The recipe for a prepared data set that nobody wrote one for: its labels, of the given diameters, and UNWRITTEN.

    Raises InputError where a diameter is missing or of no label, or a setting is wrong.
    """
    missing, unknown = (
        sorted(set(data.labels) - set(diameters_mm)),
        sorted(set(diameters_mm) - set(data.labels)),
    )
    if missing or unknown:
        what = (
            f"has no size for {', '.join(missing)}"
            if missing
            else f"names {', '.join(unknown)}, which the data set has not"
        )
        raise InputError(
            f"--diameters {what}; say how large every label's coins are: {','.join(f'{label}=MM' for label in data.labels)}"
        )
    crops = bool(data.manifest["crops"])
    labels = [
        {"name": label, "value": 0, "currency": "", "diameter_mm": diameters_mm[label]}
        for label in data.labels
    ]
    seen = [
        2 * row.radius_px / diameters_mm[row.label] for row in data.kept_rows() if row.split != TEST
    ]
    own = (
        {"name": name, "source": "crops", "folds": 5, "asked": 1, "crop": {"correct_light": False}}
        if crops
        else {
            "name": name,
            "source": "frames",
            "px_per_mm": round(median(seen), 3),
            "by_extent": True,
        }
    )
    return _checked("--diameters", {**deepcopy(DEFAULT_RECIPE), "labels": labels, **own}, settings)


def _checked(where: str, words: Any, settings: Sequence[str]) -> Recipe:
    try:
        return Recipe.model_validate(_with(words, settings))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or '(file)'}: {e['msg']}" for e in error.errors()
        )
        raise InputError(f"{where}: {wrong}") from error


def _with(words: Any, settings: Sequence[str]) -> Any:
    """A recipe's words with settings put in, each KEY=VALUE with dots between a key's parts and a value in YAML."""
    for setting in settings:
        key, equals, value = setting.partition("=")
        *parts, last = key.strip().split(".")
        try:
            place, found = words, yaml.safe_load(value)
            for part in parts:
                place[part] = {} if place.get(part) is None else place[part]
                place = place[part]
            if not (equals and last):
                raise TypeError
            place[last] = found
        except (TypeError, AttributeError, ValueError, yaml.YAMLError) as error:
            raise InputError(
                f"--set {setting}: is not KEY=VALUE such as classifier.epochs=40"
            ) from error
    return words
