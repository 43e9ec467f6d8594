"""The scale that coins of known size give, and coins that give none."""

import pytest

from coinsorter.errors import InputError
from coinsorter.images.image_io import list_images
from coinsorter.tools.calibrate_view import fit_view
from coinsorter.vision.scale import ScalePlane
from tests.unit.tools.conftest import DIAMETERS, PLACES, TRUE_SCALE, photograph_discs


@pytest.fixture
def coins(tmp_path):
    photograph_discs(tmp_path / "coins")
    return tmp_path / "coins"


def test_the_diameters_here_are_the_bundles(crowns):
    assert {name: crowns.labels[name].diameter_mm for name in DIAMETERS} == DIAMETERS


def test_the_plane_is_the_cameras_all_over_the_view(config, crowns, coins):
    done = []
    calibration = fit_view(list_images(coins), crowns, config.scale, done.append)
    assert calibration.coins == 12 and calibration.skipped == {} and done == [*range(1, 13)]
    for x, y in PLACES:
        assert calibration.plane.px_per_mm_at(x, y) == pytest.approx(
            TRUE_SCALE.px_per_mm_at(x, y), rel=0.008
        )
    assert 0 < calibration.diameter_mad_std < 0.01 and 0 < calibration.scale_sem < 0.01


@pytest.mark.parametrize(
    "places, complaint",
    [
        (
            PLACES[:11],
            "11 images show a lone coin of a known label; at least 12 are needed, all over",
        ),
        (
            [(70 + 3 * i, 70 + 2 * i) for i in range(14)],
            r"14 coins give the scale at the lower (left|right) corner to [\d.]+ % only",
        ),
    ],
)
def test_too_few_coins_or_all_in_one_place_are_refused(config, crowns, tmp_path, places, complaint):
    photograph_discs(tmp_path / "few", places=places)
    with pytest.raises(InputError, match=complaint):
        fit_view(list_images(tmp_path / "few"), crowns, config.scale)


def test_mixed_up_folders_are_noticed(config, crowns, coins):
    (coins / "bit_10").rename(coins / "other")
    (coins / "crown_20").rename(coins / "bit_10")
    (coins / "other").rename(coins / "crown_20")
    with pytest.raises(InputError, match=r"are their folders named rightly\?"):
        fit_view(list_images(coins), crowns, config.scale)


def test_a_camera_that_was_moved_far_needs_another_rough_scale(config, crowns, tmp_path):
    near = ScalePlane(8.0, 0.0, 0.0, 640, 480)
    places = [(x, y) for x in (130, 320, 510) for y in (130, 200, 280, 350)]
    photograph_discs(tmp_path / "near", near, places)
    paths = list_images(tmp_path / "near")
    with pytest.raises(InputError, match="at least 12 are needed"):
        fit_view(paths, crowns, config.scale)
    assert fit_view(paths, crowns, near).plane.px_per_mm == pytest.approx(8.0, rel=0.006)
