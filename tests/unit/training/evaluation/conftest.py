"""What tests of the evaluation share: simulated photographs, and a bundle for single images."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter.recognition import runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.simulator import coins, foreign_objects
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.predictions import Prediction, Predictor, predict_folder


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """Simulated frames of single coins: three denominations and tokens, four each."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    for kind, name in enumerate(("bit_10", "crown_2", "crown_20", "token")):
        (folder / name).mkdir()
        for number in range(4):
            thing = (
                coins.make_genuine_coin(rng, name)
                if name != "token"
                else foreign_objects.make_foreign_object(rng, "token", ("heart", "bars"))
            )
            pixels = camera.render_frame(
                [(camera.draw_item(thing), *rng.uniform(-30, 30, 2))], 10.0 * number
            )
            cv2.imwrite(str(folder / name / f"coin_{4 * kind + number:03d}.png"), pixels[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def predictor(crowns) -> Predictor:
    return Predictor(crowns, Classifier(crowns, runtime.pick_runtime("auto")))


@pytest.fixture(scope="session")
def predictions(photographs, predictor) -> list[Prediction]:
    return list(predict_folder(photographs, predictor, crops=False))
