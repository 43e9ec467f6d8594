"""crop: the same cut for the machine and for training."""

import cv2
import numpy as np
import pytest

from coinsorter.records import Circle
from coinsorter.vision.crop import FILL, CropSpec, cut_crop, mask_coin, rotate_quarters
from tests.conftest import draw_disc

SPEC = CropSpec(64, 1.06, (90.0, 90.0, 90.0))


def around(x: float, y: float, radius: float, surround: float = 90.0) -> Circle:
    return Circle(x, y, radius, 1.0, 1.0, 20.0, (surround,) * 3, True)


def test_a_crop_is_centred_and_to_scale_wherever_the_coin_lies():
    near = cut_crop(draw_disc(70.3, 80.7, 30), around(70.3, 80.7, 30), 20.0, SPEC)
    far = cut_crop(draw_disc(222.8, 141.2, 52), around(222.8, 141.2, 52), 20.0, SPEC)
    assert np.abs(near.astype(int) - far)[mask_coin(SPEC) > 0].mean() < 4


def test_all_outside_the_coin_is_grey():
    crop = cut_crop(draw_disc(160, 120, 40), around(160, 120, 40), 20.0, SPEC)
    assert (crop[mask_coin(SPEC) == 0] == FILL).all()


@pytest.mark.parametrize("light", [0.6, 1.0, 1.5])
def test_the_lamps_brightness_is_taken_out(light):
    lit = np.clip(draw_disc(160, 120, 40, coin=150) * light, 0, 255).astype(np.uint8)
    crop = cut_crop(lit, around(160, 120, 40, 90 * light), 20.0, SPEC)
    assert crop[32, 32] == pytest.approx(150, abs=6)


def test_a_black_belt_does_not_amplify_without_limit():
    crop = cut_crop(draw_disc(160, 120, 40, coin=80, belt=0), around(160, 120, 40, 0.0), 20.0, SPEC)
    assert crop[32, 32].max() <= 205


def test_quarter_turns_are_exact():
    crop = cut_crop(draw_disc(160, 120, 40), around(160, 120, 40), 20.0, SPEC)
    crop[10:20, 30:34] = 255
    turns = rotate_quarters(crop, 4)
    assert turns.shape == (4, 64, 64, 3)
    assert (np.rot90(turns[1], -1) == crop).all() and (turns[2] == crop[::-1, ::-1]).all()


def test_light_is_left_as_it_is_where_a_spec_says_so():
    """A grey coin on a red cloth: brought to a grey belt it would turn green."""
    pixels = np.full((100, 100, 3), (200, 40, 40), np.uint8)
    cv2.circle(pixels, (50, 50), 40, (120, 120, 120), -1)
    seen = Circle(50, 50, 40, 1, 1, 20, (200.0, 40.0, 40.0), True)
    as_lit, corrected = (
        cut_crop(pixels, seen, 20, CropSpec(64, 1.06, (136.0,) * 3, correct_light=said))[
            32, 32
        ].tolist()
        for said in (False, True)
    )
    assert as_lit == [120, 120, 120] and corrected[1] > 2 * corrected[0]


@pytest.mark.parametrize("diameter_mm, reach_px", [(27.0, 30.2), (18.0, 20.1), (40.0, 30.2)])
def test_in_crops_of_true_size_a_smaller_coin_is_smaller_and_nothing_is_too_large(
    diameter_mm, reach_px
):
    """27 mm fill the crop: 64 / 2 / 1.06 = 30.2 px."""
    spec = CropSpec(64, 1.06, (90.0, 90.0, 90.0), full_mm=27.0)
    crop = cut_crop(draw_disc(160, 120, 40), around(160, 120, 40), diameter_mm, spec)
    across = np.flatnonzero(crop[32, :, 0] > 170)
    assert len(across) / 2 == pytest.approx(reach_px, abs=1)
    assert (crop[np.hypot(*np.indices((64, 64)) - 31.5) > 1.03 * reach_px + 1] == FILL).all()


def test_a_gamma_below_one_lifts_the_dark_and_leaves_black_white_and_the_outside():
    picture = draw_disc(160, 120, 40, coin=64, belt=90)
    plain, lifted = (
        cut_crop(
            picture, around(160, 120, 40), 20.0, CropSpec(64, 1.06, (90.0, 90.0, 90.0), gamma=gamma)
        )
        for gamma in (1.0, 0.5)
    )
    on = mask_coin(SPEC) > 0
    assert np.abs(lifted[on] - (255 * plain[on].astype(float)) ** 0.5).max() <= 1
    assert (lifted[~on] == FILL).all()
