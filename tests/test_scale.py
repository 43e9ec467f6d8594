"""scale: millimetres from pixels, a plane from known coins, and a plane that follows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.records import Circle
from coinsorter.scale import ScaleFollower, ScalePlane, fit_plane

LEVEL = ScalePlane(4.0, 0.0, 0.0, 640, 480)
TILTED = ScalePlane(3.2, -0.07, 0.02, 640, 480)


def circle(plane: ScalePlane, x: float, y: float, diameter_mm: float, error: float = 0.0) -> Circle:
    radius = plane.at(x, y) * diameter_mm / 2 * (1 + error)
    return Circle(x, y, radius, 1.0, 1.0, 20.0, (90.0, 90.0, 90.0), True)


@given(st.floats(0, 640), st.floats(0, 480), st.floats(15, 30))
def test_a_diameter_is_the_same_everywhere_in_a_tilted_view(x, y, diameter):
    assert TILTED.diameter_mm(circle(TILTED, x, y, diameter)) == pytest.approx(diameter)


@given(st.floats(0, 640), st.floats(0, 480))
def test_a_level_view_measures_places_from_its_centre(x, y):
    assert LEVEL.position_mm(x, y) == pytest.approx(((x - 320) / 4, (y - 240) / 4))


@given(st.floats(1, 638), st.floats(0, 480), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_a_step_along_the_belt_is_as_long_as_the_scale_there_says(x, y, along, across):
    plane = ScalePlane(4.0, along, across, 640, 480)
    step_mm = plane.position_mm(x + 0.5, y)[0] - plane.position_mm(x - 0.5, y)[0]
    assert step_mm == pytest.approx(1 / plane.at(x, y), rel=1e-4)


def test_radii_cover_the_whole_tilted_view():
    low, high = TILTED.radii_px(20, 27)
    assert low == pytest.approx(3.2 * (1 - 0.07 - 0.02) * 10) and high == pytest.approx(3.2 * (1 + 0.07 + 0.02) * 13.5)


def test_a_plane_is_found_again_from_coins_of_known_size_though_one_in_ten_is_badly_measured():
    rng = np.random.default_rng(2)
    diameters = rng.choice([20.0, 23.0, 27.0], 200)
    errors = np.where(rng.random(200) < 0.1, 0.1, rng.normal(0, 0.01, 200))
    circles = [circle(TILTED, *rng.uniform((40, 40), (600, 440)), d, e) for d, e in zip(diameters, errors)]
    found = fit_plane(circles, diameters, 640, 480)
    assert found.px_per_mm == pytest.approx(3.2, rel=0.003)
    assert found.tilt_along == pytest.approx(-0.07, abs=0.006) and found.tilt_across == pytest.approx(0.02, abs=0.006)


def coins_under(plane: ScalePlane, count: int, seed: int = 3) -> list[tuple[Circle, float]]:
    rng = np.random.default_rng(seed)
    sizes = rng.choice([20.0, 23.0, 27.0], count)
    return [(circle(plane, *rng.uniform((40, 40), (600, 440)), d, e), d) for d, e in zip(sizes, rng.normal(0, 0.02, count))]


def test_a_camera_that_was_moved_is_followed():
    moved = replace(TILTED, px_per_mm=3.13, tilt_along=-0.1)
    follower = ScaleFollower(TILTED, 0.02)
    for seen, diameter in coins_under(moved, 300):
        follower.follow(seen, diameter)
    for x, y in ((60, 60), (320, 240), (580, 420)):
        assert follower.plane.at(x, y) == pytest.approx(moved.at(x, y), rel=0.012)
    assert 0.01 < follower.drift < 0.09


def test_a_camera_that_stays_put_stays_calibrated():
    follower = ScaleFollower(TILTED, 0.02)
    for seen, diameter in coins_under(TILTED, 1000):
        follower.follow(seen, diameter)
    assert follower.drift < 0.02


def test_one_wild_measurement_hardly_moves_the_plane():
    follower = ScaleFollower(TILTED, 0.02)
    follower.follow(circle(TILTED, 320, 240, 23, error=0.3), 23)
    assert follower.drift < 0.05


def test_where_no_coin_came_by_the_scale_is_the_less_known_and_says_so():
    follower, rng = ScaleFollower(TILTED, 0.02), np.random.default_rng(4)
    for y in np.linspace(60, 420, 60):
        follower.follow(circle(TILTED, 500 + rng.uniform(-20, 20), y, 23, rng.normal(0, 0.02)), 23)
    near, far = (follower.plane.spread_at(x, 240) for x in (500, 60))
    assert near < 0.03 < 0.05 < far
    for x in (60, 320, 500):
        assert abs(follower.plane.at(x, 240) / TILTED.at(x, 240) - 1) <= 3 * follower.plane.spread_at(x, 240)
