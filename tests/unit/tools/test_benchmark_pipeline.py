"""The way from a frame to a decision, as the benchmark takes it."""

from dataclasses import replace

import numpy as np
import pytest

from coinsorter.recognition import runtime
from coinsorter.records import Frame
from coinsorter.simulator.coins import make_genuine_coin
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.tools.benchmark_pipeline import Pipeline


@pytest.fixture(scope="module")
def pipeline(crowns):
    return Pipeline(crowns, runtime.pick_runtime("auto"), turns=1)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(6)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    sprite = camera.draw_item(make_genuine_coin(rng, "crown_2"))
    return Frame(camera.render_frame([(sprite, 3.0, 4.0)], 0.0), 0, 0.0)


def test_a_coin_is_sorted_into_the_bin_of_its_label(pipeline, frame):
    decision = pipeline.decide(frame)
    assert (decision.bin, decision.reason) == ("crown_2", "sorted")


def test_the_stages_by_themselves_do_what_all_of_them_do(pipeline, frame):
    (circle,) = pipeline.find(frame)
    coin = pipeline.measure(frame, [circle])
    assert coin.diameter_mm == pytest.approx(23.0, rel=0.01)
    assert np.array_equal(pipeline.crop(frame, circle), coin.crops[0])


def test_a_frame_without_a_coin_is_refused(pipeline, frame):
    empty = replace(frame, pixels=np.full_like(frame.pixels, 90))
    with pytest.raises(LookupError, match="frame 0 shows no coin"):
        pipeline.decide(empty)
