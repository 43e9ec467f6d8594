"""A source of things that are no genuine coins."""

from dataclasses import dataclass

from coinsorter.training.samples.crop_store import Crops


@dataclass(frozen=True, eq=False)
class ExposureSource:
    """Things of one kind. crops: n of uint8 (size, size, 3) RGB, on the disk."""

    name: str
    crops: Crops
