"""A view that cannot show coins as it must is a mistake, at the limit and just past it."""

import pytest

from coinsorter.config.view_checks import (
    MAX_BLUR_MM,
    MIN_COIN_MM,
    MIN_COIN_PX,
    count_sightings,
    measure_view_mm,
)
from coinsorter.recognition.bundle import Label
from coinsorter.vision.crop import CropSpec
from coinsorter.vision.detect import HOUGH_RADIUS_PX
from tests.unit.config.conftest import change_text, list_mistakes

LARGEST_MM = 27.5  # of the crowns
COINS = {"bit_10": Label(name="bit_10", value=1, currency="x", diameter_mm=20)}


def far_flaps(*changes: tuple[str, str]) -> str:
    """The shipped settings with one far bin, so that only what the test changes is wrong."""
    text = change_text(*changes)
    bin_ = "bins:\n  - name: a\n    labels: [bit_10]\n    flap: {pin: 5, distance_mm: 4000}\n"
    return text[: text.index("bins:\n")] + bin_ + text[text.index("reject_bin:") :]


def assert_limit(tmp_path, allowed, refused, complaint, coins=COINS, crop=None):
    assert list_mistakes(tmp_path, allowed, coins, crop) == []
    (mistake,) = list_mistakes(tmp_path, refused, coins, crop)
    assert complaint in mistake


def test_an_exposure_longer_than_a_frame_is_refused(tmp_path):
    slow = [("speed_mm_s: 250 ", "speed_mm_s: 20 "), ("frames_per_s: 60 ", "frames_per_s: 100 ")]
    assert_limit(
        tmp_path,
        far_flaps(*slow, ("exposure_us: 1500", "exposure_us: 10000")),
        far_flaps(*slow, ("exposure_us: 1500", "exposure_us: 10001")),
        "config.yaml:11: camera.exposure_us: 10001 is longer than a frame at 100 a second; "
        "write at most 10000",
    )


def test_an_exposure_that_smears_coins_is_refused(tmp_path):
    assert MAX_BLUR_MM == 1.75
    assert_limit(
        tmp_path,
        far_flaps(("exposure_us: 1500", "exposure_us: 7000")),
        far_flaps(("exposure_us: 1500", "exposure_us: 7001")),
        "camera.exposure_us: 7001 smears a coin by 1.8 mm; write at most 7000, or slow the belt",
    )


def test_images_of_a_folder_are_exposed_already(tmp_path):
    changes = [("source: pi ", "source: folder "), ("folder: null ", "folder: x ")]
    text = far_flaps(*changes, ("exposure_us: 1500", "exposure_us: 30000"))
    assert list_mistakes(tmp_path, text) == []


def test_a_coin_that_the_view_cannot_hold_is_refused(tmp_path):
    near = [("px_per_mm: 4.0 ", "px_per_mm: 20 "), ("frames_per_s: 60 ", "frames_per_s: 120 ")]
    assert_limit(
        tmp_path,
        far_flaps(*near, ("height_px: 480 ", "height_px: 402 ")),
        far_flaps(*near, ("height_px: 480 ", "height_px: 400 ")),
        "belt.px_per_mm: 20 makes the view 32 by 20 mm: a coin of 20 mm does not fit",
    )


def test_a_coin_that_is_seen_too_seldom_is_refused(tmp_path):
    fast = [
        ("px_per_mm: 4.0 ", "px_per_mm: 20 "),
        ("tolerance_percent: 1.5", "tolerance_percent: 0"),
    ]
    assert_limit(
        tmp_path,
        far_flaps(*fast, ("frames_per_s: 60 ", "frames_per_s: 63 ")),
        far_flaps(*fast, ("frames_per_s: 60 ", "frames_per_s: 62 ")),
        "camera.frames_per_s: 62 shows a coin of 20 mm 2 times while it crosses the view, "
        "and 3 are needed; write at least 63, or slow the belt",
    )


def test_too_few_pixels_of_a_coin_are_refused(tmp_path):
    assert 2 * HOUGH_RADIUS_PX == MIN_COIN_PX
    assert_limit(
        tmp_path,
        far_flaps(("px_per_mm: 4.0 ", "px_per_mm: 1 ")),
        far_flaps(("px_per_mm: 4.0 ", "px_per_mm: 0.99 ")),
        "belt.px_per_mm: 0.99 shows a coin of 20 mm with 20 px; its outline needs 20",
    )


def test_fewer_pixels_than_the_bundles_crops_are_made_for_are_refused(tmp_path):
    crop = CropSpec(size_px=128, margin=1.0, surround=(0, 0, 0))
    assert_limit(
        tmp_path,
        far_flaps(("px_per_mm: 4.0 ", "px_per_mm: 3.2 ")),
        far_flaps(("px_per_mm: 4.0 ", "px_per_mm: 3.19 ")),
        "belt.px_per_mm: 3.19 shows a coin of 20 mm with 64 px, and the bundle's crops have 128",
        crop=crop,
    )


def test_a_belt_whose_speed_is_too_uncertain_loses_its_coins(tmp_path):
    fast = [("speed_mm_s: 250 ", "speed_mm_s: 1000 "), ("frames_per_s: 60 ", "frames_per_s: 40 ")]
    coins = {"bit_10": Label(name="bit_10", value=1, currency="x", diameter_mm=15)}
    assert_limit(
        tmp_path,
        far_flaps(*fast, ("tolerance_percent: 1.5", "tolerance_percent: 15")),
        far_flaps(*fast, ("tolerance_percent: 1.5", "tolerance_percent: 15.1")),
        "belt.speed_tolerance_percent: 15.1 loses coins of 15 mm between frames; write at most 15",
        coins,
    )


@pytest.mark.parametrize(
    "changes, option",
    [
        (
            [
                ("along_percent: 0 ", "along_percent: 40 "),
                ("across_percent: 0 ", "across_percent: 36 "),
            ],
            "tilt_along_percent",
        ),
        (
            [("barrel_percent: 0 ", "barrel_percent: -10 "), ("width_px: 640 ", "width_px: 160 ")],
            "barrel_percent",
        ),
        (
            [
                ("barrel_percent: 0 ", "barrel_percent: 10 "),
                ("width_px: 640 ", "width_px: 160 "),
                ("height_px: 480 ", "height_px: 3000 "),
            ],
            "barrel_percent",
        ),
    ],
)
def test_a_scale_that_is_nothing_at_a_corner_is_refused(tmp_path, changes, option):
    (mistake,) = list_mistakes(tmp_path, far_flaps(*changes), COINS)
    assert f": belt.{option}: " in mistake and "not near 4; measure it" in mistake


def test_tilts_up_to_three_quarters_at_a_corner_are_accepted(tmp_path):
    text = far_flaps(
        ("along_percent: 0 ", "along_percent: 40 "), ("across_percent: 0 ", "across_percent: 35 ")
    )
    assert list_mistakes(tmp_path, text, COINS) == []


def test_without_a_bundle_only_what_no_coin_can_do_is_refused(tmp_path):
    near = [("px_per_mm: 4.0 ", "px_per_mm: 30 "), ("frames_per_s: 60 ", "frames_per_s: 120 ")]
    text = far_flaps(*near)
    assert list_mistakes(tmp_path, text) == []
    assert "does not fit" in list_mistakes(tmp_path, text, COINS)[0]
    assert MIN_COIN_MM < 15


def test_the_view_is_measured_in_mm_and_its_sightings_are_whole_frames(config):
    length_mm, width_mm = measure_view_mm(config.scale)
    assert (length_mm, width_mm) == pytest.approx((159.75, 119.75))
    assert count_sightings(config, LARGEST_MM, 250) == 31
    assert count_sightings(config, 200, 250) == 0
