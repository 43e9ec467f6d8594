"""What tests of training share."""

import fcntl
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import needs_training, runner_of
from tests.unit.training.tiny import PREPARE_OPTIONS, RECIPE, write_recipe


@pytest.fixture
def command(capsys):
    """Runs `coinsorter-train`; returns its exit status, standard output and standard error."""
    needs_training()
    from coinsorter.training import train_cli

    return runner_of(train_cli.main, capsys)


@pytest.fixture(scope="session")
def frames(tmp_path_factory):
    """Two denominations, two bursts of six images each, some ten seconds apart within a burst."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(1)
    for label in ("bit_10", "crown_20"):
        write_frames(folder / label, label, rng)
    return folder


def write_frames(folder: Path, label: str, rng: np.random.Generator) -> None:
    """Frames of coins of one label, two bursts of six images each, in a folder of their own."""
    folder.mkdir()
    for burst in range(2):
        camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
        for number in range(6):
            sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
            pixels = camera.render_frame([(sprite, *rng.uniform(-40, 40, 2))], 30.0 * number)
            name = f"x_{1000 + 500 * burst + 10 * number}.png"
            cv2.imwrite(str(folder / name), pixels[..., ::-1])


@pytest.fixture(scope="session")
def crops(tmp_path_factory):
    """Ready crops of two denominations, three photographs of five coins each."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(4)
    for label, folder_name in (("bit_10", "bit_10"), ("crown_20", "twenty")):
        (folder / folder_name).mkdir()
        for photograph in range(3):
            for number in range(5):
                camera = SimulatedCamera(Optics(160, 160, 4.0, 0.375), rng)
                sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
                pixels = camera.render_frame([(sprite, 0.0, 0.0)], 30.0 * number)
                path = folder / folder_name / f"shot{photograph}_{number}.png"
                cv2.imwrite(str(path), pixels[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def prepared(frames, tmp_path_factory):
    """A data set made of the frames."""
    needs_training()
    from coinsorter.training import train_cli

    folder = tmp_path_factory.mktemp("prepared") / "coins"
    assert train_cli.main(["prepare", str(frames), "--out", str(folder), *PREPARE_OPTIONS]) == 0
    return folder


@pytest.fixture(scope="session")
def tiny(frames, tmp_path_factory):
    """A bundle trained on next to nothing, by the command; its recipe lies beside it.

    Processes that share the tests share it, too.
    """
    needs_training()
    from coinsorter.training import train_cli

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "tiny"
    with (shared / "tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        out = folder / "bundle"
        if not out.exists():
            folder.mkdir(exist_ok=True)
            recipe = str(write_recipe(folder, RECIPE))
            words = ["bundle", str(frames), "--recipe", recipe, "--out", str(out)]
            assert train_cli.main(words) == 0
    return out
