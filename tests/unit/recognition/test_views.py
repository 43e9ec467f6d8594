"""views: a network is shown crops as its input asks for."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.recognition.views import (
    COLUMNS,
    UNWRAPPED_SHAPE,
    count_views,
    make_views,
    show_crops,
    unwrap_crop,
)
from coinsorter.vision.crop import CropSpec

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
CROP_SHAPE = (64, 64, 3)
RNG = np.random.default_rng(3)
CROP = cv2.GaussianBlur(RNG.integers(0, 256, CROP_SHAPE).astype(np.uint8), (0, 0), 2)


def test_a_network_that_takes_crops_sees_the_turns_it_was_loaded_for():
    views = make_views(CROP, CROP_SHAPE, SPEC, turns=4)
    assert count_views(CROP_SHAPE, turns=4) == 4
    assert [np.array_equal(view, np.rot90(CROP, turn)) for turn, view in enumerate(views)] == [
        True
    ] * 4


def test_a_network_that_takes_unwrapped_crops_sees_one():
    views = make_views(CROP, UNWRAPPED_SHAPE, SPEC, turns=4)
    assert count_views(UNWRAPPED_SHAPE, turns=4) == 1
    assert views.shape == (1, *UNWRAPPED_SHAPE) and views.dtype == np.uint8
    assert np.array_equal(views[0], unwrap_crop(CROP, SPEC))


def test_crops_are_shown_as_they_are_or_unwrapped():
    crops = np.stack([CROP, CROP[::-1]])
    assert show_crops(crops, CROP_SHAPE, SPEC) is crops
    unwrapped = show_crops(crops, UNWRAPPED_SHAPE, SPEC)
    assert np.array_equal(unwrapped[1], unwrap_crop(np.ascontiguousarray(CROP[::-1]), SPEC))


def test_a_quarter_turn_is_a_shift():
    turned = unwrap_crop(cv2.rotate(CROP, cv2.ROTATE_90_CLOCKWISE), SPEC).astype(int)
    shifted = np.roll(unwrap_crop(CROP, SPEC), COLUMNS // 4, axis=1)
    assert np.abs(turned - shifted).mean() < 3


@settings(max_examples=50, deadline=None)
@given(low=st.integers(0, 255), high=st.integers(0, 255), seed=st.integers(0, 100))
def test_any_crop_becomes_grey_levels(low, high, seed):
    rng = np.random.default_rng(seed)
    crop = rng.integers(min(low, high), max(low, high) + 1, CROP_SHAPE).astype(np.uint8)
    edges = unwrap_crop(crop, SPEC)[..., 3:].astype(int)
    directions = edges[..., 1:] - 127.5
    strength = edges[..., 0] / 255 * 127.5
    assert np.abs(np.hypot(*np.moveaxis(directions, -1, 0)) - strength).max() < 2
