"""What tests of training share."""

import cv2
import numpy as np
import pytest
import yaml

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import needs_training, runner_of
from tests.unit.training.tiny import RECIPE


@pytest.fixture
def command(capsys):
    """Runs `coinsorter-train`; returns its exit status, standard output and standard error."""
    needs_training()
    from coinsorter.training import train_cli

    return runner_of(train_cli.main, capsys)


@pytest.fixture(scope="session")
def frames(tmp_path_factory):
    """Two denominations, two bursts of six pictures each, some ten seconds apart within a burst."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(1)
    for label in ("bit_10", "crown_20"):
        (folder / label).mkdir()
        for burst in range(2):
            camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
            for number in range(6):
                sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
                pixels = camera.render_frame([(sprite, *rng.uniform(-40, 40, 2))], 30.0 * number)
                cv2.imwrite(
                    str(folder / label / f"x_{1000 + 500 * burst + 10 * number}.png"),
                    pixels[..., ::-1],
                )
    return folder


@pytest.fixture(scope="session")
def tiny(frames, tmp_path_factory):
    """A bundle trained on next to nothing, by the command."""
    needs_training()
    from coinsorter.training import train_cli

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    assert (
        train_cli.main(
            [
                "bundle",
                str(frames),
                "--recipe",
                str(folder / "recipe.yaml"),
                "--out",
                str(folder / "bundle"),
            ]
        )
        == 0
    )
    return folder / "bundle"
