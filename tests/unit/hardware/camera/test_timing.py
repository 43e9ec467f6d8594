"""timing: how long a live camera may be silent."""

import pytest

from coinsorter.hardware.camera.timing import SILENCE_FRAMES, compute_max_silence_s
from tests.unit.hardware.camera.conftest import camera_settings


@pytest.mark.parametrize("frames_per_s, silence_s", [(60, 0.25), (30, 0.5), (1, SILENCE_FRAMES)])
def test_a_slow_camera_may_be_silent_for_longer(frames_per_s, silence_s):
    settings = camera_settings(frames_per_s=frames_per_s)
    assert compute_max_silence_s(settings) == pytest.approx(silence_s)
