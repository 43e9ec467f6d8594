"""Photographs of simulated coins, in a folder of their own."""

from pathlib import Path

import numpy as np
import pytest

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.training.dataset import dataset
from tests.unit.training.dataset.helpers import (
    COINS,
    EACH,
    PX_PER_MM,
    fill_the_disk,
    refused,
    write,
)


@pytest.fixture(scope="session")
def frames() -> dict[str, list[np.ndarray]]:
    """Six frames of 200 x 160 pixels for each of two denominations, one coin in each frame."""
    rng = np.random.default_rng(4)
    camera = SimulatedCamera(Optics(200, 160, PX_PER_MM, 0.0), rng)
    return {
        label: [
            camera.render_frame(
                [(camera.draw_item(coins.make_genuine_coin(rng, label)), *rng.uniform(-8, 8, 2))],
                30.0 * number,
            )
            for number in range(EACH)
        ]
        for label in COINS
    }


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photographs(here, frames) -> Path:
    """Folders of photographs taken a hundred seconds apart: bursts of one."""
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            write(f"photographs/{label}/{label[0]}_{1000 + 100 * number}.png", pixels)
    return Path("photographs")


@pytest.fixture
def collection(here, frames) -> list[str]:
    """The lines of a CSV of three coins of each label with two faces."""
    lines = ["path,label,side,coin_id"]
    for label, images in frames.items():
        for number, pixels in enumerate(images):
            write(f"faces/{label[0]}{number}.png", pixels)
            side = "obverse" if number < 3 else "reverse"
            lines.append(f"faces/{label[0]}{number}.png,{label},{side},{label[0]}{number % 3}")
    return lines


@pytest.fixture
def stopped(photographs, capsys) -> Path:
    """A run that stopped short of its end, all images looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "write_table", fill_the_disk)
        assert "No space left on device" in refused(capsys, photographs)
    return Path("set/journal.jsonl")
