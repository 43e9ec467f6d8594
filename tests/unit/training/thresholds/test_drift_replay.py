"""drift_replay: diameters as a machine has them that follows its scale."""

import numpy as np
import pytest

from coinsorter.recognition.bundle import Fusion
from coinsorter.records import Circle
from coinsorter.vision.scale import ScalePlane
from tests.conftest import needs_training

needs_training()

from coinsorter.training.thresholds.drift_replay import OTHER_DAYS, replay_day, replay_days
from tests.unit.training.thresholds.helpers import LABELS, make_heldout

FUSION = Fusion(temperature=1, diameter_std=0.01, degrees_of_freedom=4)
VIEW = ScalePlane(4.0, 0.0, 0.0, 640, 480)


def make_circle(x_px: float, y_px: float, radius_px: float) -> Circle:
    return Circle(x_px, y_px, radius_px, 1, 1, 20, (90, 90, 90), True)


def test_a_scale_that_was_3_percent_off_is_right_again_after_some_coins():
    held = make_heldout(300, wrong=0)
    truth = ScalePlane(3.88, 0.0, 0.0, 640, 480)
    places = np.random.default_rng(1).uniform((40, 40), (600, 440), (300, 2))
    circles = [
        make_circle(x, y, diameter_mm / 2 * truth.px_per_mm_at(x, y))
        for (x, y), diameter_mm in zip(places, held.diameters_mm)
    ]
    day = replay_day(held, circles, VIEW, LABELS, FUSION)
    assert day.diameters_mm[0] == pytest.approx(0.97 * held.diameters_mm[0], rel=1e-6)
    assert day.scale_sems[0] >= 0.01
    assert day.diameters_mm[100:] == pytest.approx(held.diameters_mm[100:], rel=0.012)
    assert day.scale_sems[100:].max() < 0.015


def test_a_coin_that_its_images_do_not_name_moves_no_scale():
    held = make_heldout(50, wrong=0)
    unsure = held.select(np.zeros(50, int))
    unsure.logits[:] = 0
    truth = ScalePlane(3.88, 0.0, 0.0, 640, 480)
    circles = [make_circle(320, 240, d / 2 * truth.px_per_mm) for d in unsure.diameters_mm]
    day = replay_day(unsure, circles, VIEW, LABELS, FUSION)
    assert day.diameters_mm == pytest.approx(np.full(50, day.diameters_mm[0]))


@pytest.fixture(scope="module")
def days():
    held = make_heldout(120, wrong=0)
    circles = [make_circle(320, 240, d / 2 * 4.0) for d in held.diameters_mm]
    bursts = np.repeat(np.arange(12), 10)
    return held, replay_days(held, circles, bursts, VIEW, LABELS, FUSION, seed=1)


def test_the_first_day_is_the_one_on_which_the_coins_were_taken(days):
    held, (own, *others) = days
    assert (own.labels == held.labels).all()
    assert own.diameters_mm == pytest.approx(held.diameters_mm, rel=0.008)
    assert len(others) == OTHER_DAYS


def test_other_days_have_the_same_bursts_in_another_order(days):
    held, (_, *others) = days
    bursts = {tuple(burst) for burst in held.reconstruction_errors.reshape(12, 10)}
    for day in others:
        assert (day.reconstruction_errors != held.reconstruction_errors).any()
        assert {tuple(burst) for burst in day.reconstruction_errors.reshape(12, 10)} == bursts


def test_on_other_days_the_camera_has_another_scale(days):
    _, (_, *others) = days
    first = [day.diameters_mm[0] / 20 for day in others if day.labels[0] == 0]
    assert np.std(first) > 0.005
