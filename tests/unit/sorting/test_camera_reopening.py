"""camera_reopening: a camera that falls silent again and again is given up."""

import pytest

from coinsorter.sorting.camera_reopening import MAX_REOPENINGS, STEADY_FRAMES, CameraLadder


@pytest.mark.parametrize("frames, may_reopen", [(STEADY_FRAMES - 1, False), (STEADY_FRAMES, True)])
def test_a_camera_that_was_steady_in_between_may_be_reopened_as_often_again(frames, may_reopen):
    ladder = CameraLadder()
    assert [ladder.may_reopen() for _ in range(MAX_REOPENINGS)] == [True] * MAX_REOPENINGS
    for _ in range(frames):
        ladder.count_frame()
    assert ladder.may_reopen() is may_reopen
