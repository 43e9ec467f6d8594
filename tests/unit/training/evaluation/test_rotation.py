"""rotation: a rotated crop is the same coin."""

import numpy as np

from coinsorter.vision.crop import FILL
from tests.conftest import needs_training

needs_training()

from coinsorter.training.evaluation.rotation import RotationStudy, rotate_crop, study_rotation


def test_a_rotated_crop_is_the_same_coin_and_its_outside_stays_grey(predictions):
    crop = predictions[0].crop
    half_turn = rotate_crop(crop, 180.0)
    assert np.abs(half_turn[::-1, ::-1].astype(int) - crop).max() <= 2
    assert (rotate_crop(crop, 45.0)[0, :10] == FILL).all()


def test_accuracy_is_measured_at_equally_spaced_angles(predictor, predictions):
    steps: list[int] = []
    study = study_rotation(predictor, predictions[:12], 3, steps.append)
    assert steps == [12]  # coins: they are fewer than a job has
    assert study.angles_deg == (0.0, 120.0, 240.0)
    assert study.accuracy[0] == 1.0
    assert len(study.image_accuracy) == 3
    assert 0 <= study.lowest <= study.highest <= 1


def test_the_range_is_between_the_best_and_the_worst_angle():
    study = RotationStudy((0.0, 180.0), (0.75, 0.5), (1.0, 1.0))
    assert (study.lowest, study.highest, study.accuracy_range) == (0.5, 0.75, 0.25)
