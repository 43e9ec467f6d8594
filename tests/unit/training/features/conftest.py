"""What tests of the measures share: simulated photographs, and tables with known contents."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.simulator import coins, foreign_objects
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import needs_training

needs_training()

from coinsorter.training.features.feature_table import FeatureTable, MeasuredCoin

LABELS = ("bit_10", "crown_2", "crown_20")


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """Simulated frames: three denominations and tokens, two bursts of four images each."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    for name in (*LABELS, "token"):
        (folder / name).mkdir()
        for burst in range(2):
            camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
            for number in range(4):
                thing = (
                    coins.make_genuine_coin(rng, name)
                    if name != "token"
                    else foreign_objects.make_foreign_object(rng, "token", ("heart", "bars"))
                )
                place_mm = rng.uniform(-30, 30, 2)
                pixels = camera.render_frame([(camera.draw_item(thing), *place_mm)], 10.0 * number)
                file = f"x_{1000 + 500 * burst + 6 * number}.png"
                cv2.imwrite(str(folder / name / file), pixels[..., ::-1])
    return folder


def build_table(groups: list[int], labels: list[str], burst_std: float = 0.0) -> FeatureTable:
    """A measure that tells labels apart and one of noise.

    With burst_std the first tells bursts apart instead.
    """
    rng = np.random.default_rng(0)
    coins = []
    for group, label in zip(groups, labels):
        size = float(ord(label[0]))
        if burst_std:
            size = burst_std * np.random.default_rng(group).normal()
        measures = {"size_outline_mm": size + rng.normal(0, 0.01), "edge_noise": rng.normal()}
        coins.append(MeasuredCoin(Path(f"{label}/{len(coins)}.png"), label, group, measures))
    return FeatureTable(tuple(coins), {}, {})


def ignore_progress(done: int) -> None:
    pass
