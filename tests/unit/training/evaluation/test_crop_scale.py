"""crop_scale: diameters of coins in ready crops, where all were cut at one scale."""

import cv2
import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.recognition import runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.sorting.assembly import build_search
from coinsorter.vision.detect import find_circles
from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.crop_scale import measure_crop_scale
from coinsorter.training.evaluation.predictions import Predictor, predict_folder


@pytest.fixture(scope="module")
def ready_crops(crowns, tmp_path_factory):
    """Ready crops of every label: of one scale in `one`, enlarged to fill the crop in `many`."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    search = build_search(crowns, crowns.view)
    for number, name in enumerate([*crowns.labels] * 4):
        pixels = camera.render_frame(
            [(camera.draw_item(coins.make_genuine_coin(rng, name)), 0.0, 0.0)], 0.0
        )
        (circle,) = (circle for circle in find_circles(pixels, search) if circle.quality)
        for kind, half in (("one", 58), ("many", round(1.1 * circle.radius_px))):
            x, y = round(circle.x_px), round(circle.y_px)
            square = pixels[y - half : y + half, x - half : x + half, ::-1]
            path = folder / kind / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), cv2.resize(square, (116, 116)))
    return folder


def ignore_progress(done: int) -> None:
    pass


def test_crops_of_one_scale_tell_diameters(crowns, ready_crops):
    scale = measure_crop_scale(ready_crops / "one", crowns, ignore_progress)
    assert scale.px_per_mm == pytest.approx(crowns.view.px_per_mm, rel=0.02)
    assert scale.mad_std < 0.02
    predictor = Predictor(crowns, Classifier(crowns, runtime.pick_runtime("auto")), scale)
    measured = 0
    for prediction in predict_folder(ready_crops / "one", predictor, crops=True):
        nominal_mm = crowns.labels[prediction.label].diameter_mm
        if prediction.diameter_mm is not None:
            assert prediction.diameter_mm == pytest.approx(nominal_mm, rel=0.06)
            measured += 1
    assert measured >= 20


def test_crops_of_many_scales_are_refused(crowns, ready_crops):
    with pytest.raises(InputError, match="of many scales; leave --scale-from out"):
        measure_crop_scale(ready_crops / "many", crowns, ignore_progress)


def test_too_few_crops_are_refused(crowns, photographs, tmp_path):
    (tmp_path / "bit_10").mkdir()
    cv2.imwrite(str(tmp_path / "bit_10" / "a.png"), np.full((90, 90, 3), 90, np.uint8))
    (tmp_path / "bit_10" / "b.png").write_bytes(b"no image")
    steps: list[int] = []
    with pytest.raises(InputError, match="0 coins of known labels"):
        measure_crop_scale(tmp_path, crowns, steps.append)
    assert steps == [1, 2]
