"""Frames that the benchmark sorts."""

import numpy as np

from coinsorter.recognition import runtime
from coinsorter.tools.benchmark_frames import FRAMES, render_frames
from coinsorter.tools.benchmark_pipeline import Pipeline


def test_every_frame_shows_one_coin_in_the_bundles_view(crowns):
    frames = render_frames(crowns)
    pipeline = Pipeline(crowns, runtime.pick_runtime("auto"), turns=1)
    assert [frame.number for frame in frames] == list(range(FRAMES))
    assert {frame.pixels.shape for frame in frames} == {(480, 640, 3)}
    assert [len(pipeline.find(frame)) for frame in frames] == [1] * FRAMES


def test_every_run_measures_the_same_frames(crowns):
    first, second = render_frames(crowns)[-1], render_frames(crowns)[-1]
    assert np.array_equal(first.pixels, second.pixels)
