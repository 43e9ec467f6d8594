"""A recipe: the knobs of one bundle's training, read from YAML and kept in the bundle."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coinsorter.bundle import Label
from coinsorter.crop import CropSpec
from coinsorter.errors import InputError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class Pictures(_Part):
    """How many simulated things are drawn. held_out: genuine coins no network sees (frames are held out by whole bursts instead)."""

    genuine: Annotated[int, Field(ge=0)] = 0
    foreign: Annotated[int, Field(ge=0)] = 0
    held_out: Annotated[int, Field(ge=0)] = 0


class Crop(_Part):
    """size_px: edge of the square. margin: half the edge over the coin's radius.

    true_size: the largest coin fills the crop and smaller ones are shown smaller; else every coin fills it. gamma: below 1 lifts the dark.
    """

    size_px: Annotated[int, Field(ge=32, le=224, multiple_of=16)] = 64
    margin: Annotated[float, Field(ge=1.0, le=1.5)] = 1.06
    true_size: bool = False
    gamma: Annotated[float, Field(ge=0.3, le=1.5)] = 1.0


class ClassifierKnobs(_Part):
    """network: see `networks`. weights, for the mobilenets: imagenet, a file, or none. width, for separable: channels of the first layer.

    repeat: how often an epoch shows each crop, differently augmented each time. patience: epochs without progress on held-back groups
    after which training stops and goes back to the best; 0: it runs to its end, on all groups. held_back: their share of the crops.
    """

    network: Literal["separable", "mobilenet-v1-025", "mobilenet-v2", "two-conv", "three-conv"] = "separable"
    weights: str = "none"
    width: Annotated[int, Field(ge=4, le=128, multiple_of=4)] = 24
    epochs: Count = 30
    batch: Count = 128
    learning_rate: Rate = 0.002
    repeat: Count = 1
    patience: Annotated[int, Field(ge=0)] = 0
    held_back: Annotated[float, Field(gt=0, lt=0.5)] = 0.15


class AutoencoderKnobs(_Part):
    """network: see `networks`. width, for squeezing: channels of the first layer. code: numbers that a coin is squeezed through."""

    network: Literal["squeezing", "conv-128"] = "squeezing"
    width: Annotated[int, Field(ge=4, le=128, multiple_of=4)] = 16
    code: Count = 64
    epochs: Count = 12
    batch: Count = 64
    learning_rate: Rate = 0.002
    repeat: Count = 1


class ReliefKnobs(_Part):
    """per_label: coins of each label whose reliefs the bundle keeps, at 0.9 kB each, to compare others with."""

    per_label: Count = 150


class Augment(_Part):
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


class Budget(_Part):
    """wrong: accepted coins that may be of another label. genuine_rejected: genuine coins that the limits may reject; both as shares."""

    wrong: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    genuine_rejected: Annotated[float, Field(gt=0, lt=1)] = 0.005


class Slack(_Part):
    """How far beyond the held-out coins' own a lone coin's outline may lie: the light of another day moves shadows and glints.

    roundness, quality, off_patch: in the units of `records.Circle`.
    """

    roundness: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    quality: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    off_patch: Annotated[float, Field(ge=0, le=0.5)] = 0.05


class Recipe(_Part):
    """Everything a recipe says; see models/crowns.yaml and models/brl.yaml.

    by_extent: coins are measured halfway between their edges and all that stands out from the belt, shadow included; see `outline`.
    relief: where it is given, coins are compared with known ones by their relief too; see `coinsorter.relief`.
    Frames are held out by whole bursts, `hold_out` of them. With `folds` every burst is held out once instead: as many sister networks are
    trained as the bundle's, each without the bursts that it is asked about, and the bundle's own sees all (too few coins to spare any).
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    seed: Annotated[int, Field(ge=0)] = 1
    source: Literal["simulated", "frames"]
    labels: list[Label] = []
    px_per_mm: Annotated[float, Field(gt=0)] = 4.0
    by_extent: bool = False
    group_gap_s: Annotated[float, Field(gt=0)] = 40.0
    hold_out: Annotated[float, Field(gt=0, lt=1)] = 0.25
    folds: Annotated[int, Field(ge=2, le=10)] | None = None
    pictures: Pictures = Pictures()
    motifs: list[str] = []
    crop: Crop = Crop()
    classifier: ClassifierKnobs = ClassifierKnobs()
    autoencoder: AutoencoderKnobs = AutoencoderKnobs()
    relief: ReliefKnobs | None = None
    augment: Augment = Augment()
    budget: Budget = Budget()
    slack: Slack = Slack()

    def crop_spec(self, surround: tuple[float, float, float], largest_mm: float) -> CropSpec:
        return CropSpec(self.crop.size_px, self.crop.margin, surround, largest_mm if self.crop.true_size else 0.0, self.crop.gamma)

    def plain(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def load(path: Path) -> Recipe:
    """The recipe in a file. Raises InputError naming what is wrong with it."""
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; name a recipe such as models/crowns.yaml") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or '(file)'}: {e['msg']}" for e in error.errors())
        raise InputError(f"{path}: {wrong}") from error
