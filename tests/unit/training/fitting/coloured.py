"""Coins of two colours, which any network learns within seconds."""

from typing import Any

import numpy as np

from coinsorter.recognition.bundle import Label
from coinsorter.records import Circle
from coinsorter.training.recipe import Recipe
from coinsorter.training.samples.samples import Samples
from coinsorter.vision.crop import FILL, CropSpec, mask_coin

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
COLOURS = np.array([(190, 90, 60), (80, 120, 190)])  # of two labels
COUNT = 48


def make_coloured_samples() -> Samples:
    """Coins of two colours, as bright or dark as each other."""
    rng = np.random.default_rng(1)
    labels = np.arange(COUNT) % 2
    light = rng.uniform(0.8, 1.2, (COUNT, 1, 1, 1))
    noise = rng.normal(0, 8, (COUNT, 64, 64, 3))
    crops = np.clip(COLOURS[labels][:, None, None] * light + noise, 0, 255).astype(np.uint8)
    crops[:, mask_coin(SPEC) == 0] = FILL
    circle = Circle(320, 240, 40, 1, 1, 20, (95, 95, 95), True)
    return Samples(crops, labels, (circle,) * COUNT, np.full(COUNT, 20.0), np.arange(COUNT))


def make_recipe(**settings: Any) -> Recipe:
    """A recipe for them, with some settings."""
    labels = [Label(name=name, value=1, currency="X", diameter_mm=20.0) for name in "ab"]
    content = {"name": "coloured", "source": "frames", "labels": labels}
    return Recipe.model_validate(content | settings)
