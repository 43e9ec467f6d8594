"""coinsorter-train evaluate: its usage, and that its report and its JSON agree."""

import json

import numpy as np
import pytest

from coinsorter.files.ownership import Claim
from coinsorter.images.image_io import write_image
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import CROWNS, only_line


@pytest.fixture
def photographs(tmp_path):
    """One frame each of two denominations."""
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    for number, label in enumerate(("bit_10", "crown_20")):
        sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
        pixels = camera.render_frame([(sprite, 0.0, 0.0)], 10.0 * number)
        write_image(
            tmp_path / "photographs" / label / f"coin_{number}.png", pixels, Claim(), "test"
        )
    return tmp_path / "photographs"


@pytest.mark.parametrize("turns", ["-1", "361", "half"])
def test_rotations_are_a_whole_number_of_steps(command, turns):
    with pytest.raises(SystemExit) as stop:
        command("evaluate", CROWNS, "data", f"--rotations={turns}")
    assert stop.value.code == 2


def test_a_bundle_that_is_absent_is_named(command, photographs, tmp_path):
    words = [tmp_path / "none", photographs, "--out", tmp_path / "out"]
    status, out, err = command("evaluate", *words)
    assert status == 78 and out == "" and str(tmp_path / "none") in only_line(err)
    assert not (tmp_path / "out").exists()


def test_json_is_what_the_reports_metrics_say(command, photographs, tmp_path):
    words = [CROWNS, photographs, "--out", tmp_path / "out", "--json"]
    status, out, _ = command("evaluate", *words)
    assert status == 0
    assert json.loads(out) == json.loads((tmp_path / "out" / "metrics.json").read_text())
