"""What tests of commands share: settings without hardware, photographs, one simulated run."""

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from coinsorter import cli
from coinsorter.config.load import read_config
from coinsorter.simulator import coins, foreign_objects
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import CONFIG, CROWNS


@pytest.fixture
def settings(tmp_path, without_hardware):
    """A config.yaml with a recorded belt for a camera, and mock servos."""
    path = tmp_path / "config.yaml"
    path.write_text(without_hardware)
    assert read_config(path)[1] == []
    return path


@pytest.fixture
def shipped_settings(tmp_path):
    """A copy of config.yaml, with the shipped bundle beside it."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text())
    shutil.copytree(CROWNS, tmp_path / "models" / "crowns")
    return path


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """Simulated frames of single coins: four each of three denominations and of tokens."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    number = 0
    for name in ("bit_10", "crown_2", "crown_20", "token"):
        (folder / name).mkdir()
        for _ in range(4):
            number += 1
            thing = (
                coins.make_genuine_coin(rng, name)
                if name != "token"
                else foreign_objects.make_foreign_object(rng, "token", ("heart", "bars"))
            )
            pixels = camera.render_frame(
                [(camera.draw_item(thing), *rng.uniform(-30, 30, 2))], 10.0 * number
            )
            cv2.imwrite(str(folder / name / f"coin_{number:03d}.png"), pixels[..., ::-1])
    return folder


@dataclass(frozen=True)
class SimulatedRun:
    """A simulated run of ten things: its exit status, what `--json` printed, and its folder."""

    status: int
    result: dict[str, Any]
    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"


@pytest.fixture(scope="session")
def simulated_run(tmp_path_factory) -> SimulatedRun:
    folder = tmp_path_factory.mktemp("simulated-run")
    options = ["--coins", "10", "--seed", "3", "--out", str(folder), "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = cli.main(["run", "--config", str(CONFIG), "--simulate", *options])
    return SimulatedRun(status, json.loads(printed.getvalue()), folder)
