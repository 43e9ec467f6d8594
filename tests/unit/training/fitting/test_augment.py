"""augment: crops change as light and a coin's rotation would change them, and in no other way."""

import cv2
import numpy as np
import pytest

from coinsorter.training.fitting.augment import augment_crops, corrupt_crops, shift_colours
from coinsorter.training.recipe import AugmentSettings
from coinsorter.vision.crop import FILL, CropSpec, mask_coin

SPEC = CropSpec(64, 1.06, (95.0, 95.0, 95.0))
NOTHING = {
    "zoom": 0,
    "shift_px": 0,
    "brightness": 0,
    "colour": 0,
    "contrast": 0,
    "blur_px": 0,
    "noise": 0,
}


def make_flag() -> np.ndarray:
    """A crop whose mirror image is no rotation of it."""
    crop = np.full((64, 64, 3), FILL, np.uint8)
    crop[12:32, 30:34] = 255  # the staff up,
    crop[12:20, 34:44] = 255  # its cloth to the right
    return crop


def rotate(crop: np.ndarray, angle_deg: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((31.5, 31.5), angle_deg, 1)
    return cv2.warpAffine(crop, matrix, (64, 64), borderValue=(FILL,) * 3).astype(int)


def augment(crops: np.ndarray, seed: int = 0, **settings: float) -> np.ndarray:
    chosen = AugmentSettings(**(NOTHING | settings))
    return augment_crops(crops, SPEC, chosen, np.random.default_rng(seed))


def test_crops_are_rotated_and_never_mirrored():
    crop = make_flag()
    rotations = [rotate(crop, float(angle)) for angle in range(0, 360, 3)]
    mirrored = [rotation[:, ::-1] for rotation in rotations]
    for augmented in augment(np.repeat(crop[None], 60, 0)):
        as_is = min(np.abs(augmented - rotation).mean() for rotation in rotations)
        flipped = min(np.abs(augmented - mirror).mean() for mirror in mirrored)
        assert as_is < flipped


@pytest.mark.parametrize("settings", [{}, {"noise": 30}, {"blur_px": 2}, {"cut_out": 1, "jpeg": 1}])
def test_outside_of_the_coin_nothing_changes(settings):
    augmented = augment(np.full((8, 64, 64, 3), 200, np.uint8), **settings)
    assert (augmented[:, mask_coin(SPEC) == 0] == FILL).all()


@pytest.mark.parametrize(
    "setting",
    [{"brightness": 0.5}, {"contrast": 0.5}, {"colour": 0.5}, {"noise": 20}, {"cut_out": 1}],
)
def test_every_setting_changes_crops(setting):
    grey = np.full((8, 64, 64, 3), 200, np.uint8)
    is_inside = mask_coin(SPEC) == 1
    assert (augment(grey)[:, is_inside].astype(int) - 200).max() == 0
    assert np.abs(augment(grey, **setting)[:, is_inside].astype(int) - 200).max() > 10


def test_colour_changes_the_balance_and_brightness_does_not():
    grey = np.full((20, 64, 64, 3), 100, np.uint8)
    bright, coloured = augment(grey, brightness=0.5), augment(grey, colour=0.5)
    middle = (slice(None), 32, 32)
    assert np.ptp(bright[middle], axis=1).max() == 0
    assert np.ptp(coloured[middle], axis=1).max() > 20


def test_the_same_seed_changes_crops_alike():
    crops = np.repeat(make_flag()[None], 6, 0)
    assert (augment(crops, seed=1, noise=9) == augment(crops, seed=1, noise=9)).all()
    assert (augment(crops, seed=1, noise=9) != augment(crops, seed=2, noise=9)).any()


def test_corrupted_crops_lose_some_patches_and_the_rest_stays():
    crops = np.random.default_rng(1).integers(0, 256, (40, 64, 64, 3), np.uint8)
    crops[:, mask_coin(SPEC) == 0] = FILL
    intact = crops.copy()
    corrupted = corrupt_crops(crops, SPEC, np.random.default_rng(2))
    assert (crops == intact).all()
    changed = (corrupted != crops).any(axis=3).mean(axis=(1, 2))
    assert 0 < (changed == 0).mean() < 0.5  # a quarter has no patch
    assert 0 < changed.max() < 0.3
    assert (corrupted[:, mask_coin(SPEC) == 0] == FILL).all()


def shift(crop: np.ndarray, count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.stack([shift_colours(crop, SPEC, rng) for _ in range(count)])


def test_shifted_colours_go_as_far_as_another_days_light_and_spare_the_background():
    is_coin = mask_coin(SPEC) > 0
    crop = np.full((64, 64, 3), FILL, np.uint8)
    crop[is_coin] = (150, 110, 60)
    crops = shift(crop, 300)
    assert (crops[:, ~is_coin] == FILL).all()
    red, _, blue = crops[:, is_coin].mean(axis=1).T
    assert 0.3 < (red - blue == 90).mean() < 0.5, "as many stay as they are"
    assert (red - blue).min() < 30, "some are nearly grey"
    assert np.ptp(red + blue) > 60, "some are dark, some are bright"
