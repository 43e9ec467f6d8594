"""scale: millimetres from pixels, a plane from known coins, and a plane that follows."""

from dataclasses import replace
from math import inf, nan, nextafter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.records import Circle, Coin, Frame, Thresholds, Verdict
from coinsorter.tools.image_replay import Replay
from coinsorter.vision.scale import ScaleFollower, ScalePlane, fit_plane, informs_scale
from tests.conftest import draw_disc

LEVEL = ScalePlane(4.0, 0.0, 0.0, 640, 480)
TILTED = ScalePlane(3.2, -0.07, 0.02, 640, 480)


def circle(plane: ScalePlane, x: float, y: float, diameter_mm: float, error: float = 0.0) -> Circle:
    radius = plane.px_per_mm_at(x, y) * diameter_mm / 2 * (1 + error)
    return Circle(x, y, radius, 1.0, 1.0, 20.0, (90.0, 90.0, 90.0), True)


@given(st.floats(0, 640), st.floats(0, 480), st.floats(15, 30))
def test_a_diameter_is_the_same_everywhere_in_a_tilted_view(x, y, diameter):
    assert TILTED.measure_diameter_mm(circle(TILTED, x, y, diameter)) == pytest.approx(diameter)


@given(st.floats(0, 640), st.floats(0, 480))
def test_a_level_view_measures_places_from_its_centre(x, y):
    assert LEVEL.locate_mm(x, y) == pytest.approx(((x - 320) / 4, (y - 240) / 4))


BARREL = ScalePlane(3.2, -0.07, 0.02, 640, 480, barrel=-0.06)


@given(st.floats(0, 2 * np.pi), st.floats(0.05, 1.2))
def test_a_lens_that_presses_the_corners_together_is_straightened(angle, reach):
    """Brown's radial distortion with c = -0.03.

    Distances shrink by 1 + c r^2, and areas at r by (1 + c r^2)(1 + 3 c r^2).
    """
    lens, c = ScalePlane(4.0, 0.0, 0.0, 640, 480, barrel=-0.06), -0.03
    distance, area = reach * (1 + c * reach**2), (1 + c * reach**2) * (1 + 3 * c * reach**2)
    x, y = (320 + 320 * distance * np.cos(angle), 240 + 320 * distance * np.sin(angle))
    assert lens.px_per_mm_at(x, y) == pytest.approx(4.0 * area**0.5, rel=0.012)
    assert np.hypot(*lens.locate_mm(x, y)) == pytest.approx(80 * reach, rel=0.006)


@given(st.floats(1, 638), st.floats(0, 480), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_a_step_along_the_belt_is_as_long_as_the_scale_there_says(x, y, along, across):
    plane = ScalePlane(4.0, along, across, 640, 480)
    step_mm = plane.locate_mm(x + 0.5, y)[0] - plane.locate_mm(x - 0.5, y)[0]
    assert step_mm == pytest.approx(1 / plane.px_per_mm_at(x, y), rel=1e-4)


def test_radii_cover_the_whole_tilted_view():
    low, high = (f * d / 2 for f, d in zip(TILTED.compute_px_per_mm_range(), (20, 27)))
    assert low == pytest.approx(3.2 * (1 - 0.07 - 0.02) * 10) and high == pytest.approx(
        3.2 * (1 + 0.07 + 0.02) * 13.5
    )


def test_a_plane_is_found_again_from_coins_of_known_size_though_one_in_ten_is_badly_measured():
    rng = np.random.default_rng(2)
    diameters = rng.choice([20.0, 23.0, 27.0], 200)
    errors = np.where(rng.random(200) < 0.1, 0.1, rng.normal(0, 0.01, 200))
    circles = [
        circle(TILTED, *rng.uniform((40, 40), (600, 440)), d, e) for d, e in zip(diameters, errors)
    ]
    found = fit_plane(circles, diameters, 640, 480)
    assert found.px_per_mm == pytest.approx(3.2, rel=0.003)
    assert found.tilt_along == pytest.approx(
        -0.07, abs=0.006
    ) and found.tilt_across == pytest.approx(0.02, abs=0.006)


def test_the_lens_is_found_with_the_plane_and_stays_as_it_is_while_the_plane_is_followed():
    rng = np.random.default_rng(3)
    places, diameters = (
        rng.uniform((30, 30), (610, 450), (300, 2)),
        rng.choice([20.0, 23.0, 27.0], 300),
    )
    circles = [circle(BARREL, x, y, d, rng.normal(0, 0.01)) for (x, y), d in zip(places, diameters)]
    found = fit_plane(circles, diameters, 640, 480)
    assert found.barrel == pytest.approx(-0.06, abs=0.006)
    follower = ScaleFollower(replace(BARREL, px_per_mm=3.15), 0.015)
    for seen, diameter in zip(circles, diameters):
        follower.follow(seen, [diameter], [1.0])
    assert follower.plane.barrel == BARREL.barrel
    for x, y in ((30, 30), (320, 240), (610, 450)):
        assert follower.plane.px_per_mm_at(x, y) == pytest.approx(
            BARREL.px_per_mm_at(x, y), rel=0.012
        )


def test_without_coins_near_the_corners_no_lens_is_made_up():
    rng = np.random.default_rng(4)
    circles = [
        circle(LEVEL, x, y, 23, rng.normal(0, 0.02))
        for x, y in rng.uniform((260, 180), (380, 300), (12, 2))
    ]
    assert abs(fit_plane(circles, [23.0] * 12, 640, 480).barrel) < 0.03


def coins_under(plane: ScalePlane, count: int, seed: int = 3) -> list[tuple[Circle, float]]:
    rng = np.random.default_rng(seed)
    sizes = rng.choice([20.0, 23.0, 27.0], count)
    return [
        (circle(plane, *rng.uniform((40, 40), (600, 440)), d, e), d)
        for d, e in zip(sizes, rng.normal(0, 0.02, count))
    ]


def test_a_camera_that_was_moved_is_followed():
    moved = replace(TILTED, px_per_mm=3.13, tilt_along=-0.1)
    follower = ScaleFollower(TILTED, 0.02)
    for seen, diameter in coins_under(moved, 300):
        follower.follow(seen, [diameter], [1.0])
    for x, y in ((60, 60), (320, 240), (580, 420)):
        assert follower.plane.px_per_mm_at(x, y) == pytest.approx(
            moved.px_per_mm_at(x, y), rel=0.012
        )
    assert 0 < follower.drift < 0.022


def test_a_camera_that_stays_put_stays_calibrated():
    follower = ScaleFollower(TILTED, 0.02)
    for seen, diameter in coins_under(TILTED, 1000):
        follower.follow(seen, [diameter], [1.0])
    assert follower.drift < 0.02


def test_coins_that_lead_further_away_than_a_camera_can_move_are_followed_no_more():
    """A day of 25 mm coins that are taken for 22 mm ones."""
    follower = ScaleFollower(TILTED, 0.02)
    start, furthest = follower.plane, 0.0
    for seen, _ in coins_under(TILTED, 300):
        large = replace(seen, radius_px=12.5 * TILTED.px_per_mm_at(seen.x_px, seen.y_px))
        found = follower.follow(large, [22.0], [1.0])
        furthest = max(furthest, found.px_per_mm_at(320, 240) / 3.2)
    assert follower.lost and found is follower.plane is start and 1.03 < furthest < 1.12


def test_one_wild_measurement_hardly_moves_the_plane():
    follower = ScaleFollower(TILTED, 0.02)
    follower.follow(circle(TILTED, 320, 240, 23, error=0.3), [23], [1.0])
    assert follower.drift < 0.05


def test_where_no_coin_came_by_the_scale_is_the_less_known_and_says_so():
    follower, rng = ScaleFollower(TILTED, 0.02), np.random.default_rng(4)
    for y in np.linspace(60, 420, 60):
        follower.follow(
            circle(TILTED, 500 + rng.uniform(-20, 20), y, 23, rng.normal(0, 0.02)), [23], [1.0]
        )
    near, far = (follower.plane.scale_sem_at(x, 240) for x in (500, 60))
    assert near < 0.03 < 0.05 < far
    for x in (60, 320, 500):
        assert abs(
            follower.plane.px_per_mm_at(x, 240) / TILTED.px_per_mm_at(x, 240) - 1
        ) <= 3 * follower.plane.scale_sem_at(x, 240)


def test_a_coin_that_tells_nothing_leaves_the_plane_where_it_was_and_only_time_passes():
    follower, waiting = ScaleFollower(TILTED, 0.02), ScaleFollower(TILTED, 0.02)
    for seen, diameter in coins_under(TILTED, 50):
        follower.follow(seen, [diameter, 25.0], [1.0, 0.0])
        waiting.follow(seen, [diameter], [1.0])
    assert follower.plane == waiting.plane
    before = follower.plane
    follower.follow(circle(TILTED, 320, 240, 23, error=0.1), [20.0, 25.0], [0.0, 0.0])
    assert follower.plane == before and follower.plane.scale_sem_at(320, 240) > before.scale_sem_at(
        320, 240
    )


def test_a_doubtful_label_makes_the_scale_doubtful_instead_of_wrong():
    """A 22 mm coin that is taken for a 20 mm one, surely or with 0.7.

    The scale seems a tenth larger, or the other chance is true.
    """
    sure, doubtful = ScaleFollower(TILTED, 0.02), ScaleFollower(TILTED, 0.02)
    for follower, probabilities in ((sure, [1.0, 0.0]), (doubtful, [0.7, 0.3])):
        for seen, diameter in coins_under(TILTED, 50):
            follower.follow(seen, [diameter], [1.0])
        for x in (320, 330, 340):
            follower.follow(circle(TILTED, x, 240, 22), [20.0, 22.0], probabilities)
    assert doubtful.plane.scale_sem_at(320, 240) > 1.02 * sure.plane.scale_sem_at(320, 240)
    assert 3.2 < doubtful.plane.px_per_mm_at(320, 240) < sure.plane.px_per_mm_at(320, 240)


@given(st.floats(0.5, 1), st.integers(0, 2))
def test_of_several_diameters_the_one_with_all_the_probability_counts_alone(error, which):
    several, one = ScaleFollower(TILTED, 0.02), ScaleFollower(TILTED, 0.02)
    seen = circle(TILTED, 200, 300, 23, error=0.05 * error)
    several.follow(seen, [20.0, 23.0, 25.0], [float(place == which) for place in range(3)])
    one.follow(seen, [[20.0, 23.0, 25.0][which]], [1.0])
    assert several.plane.px_per_mm_at(100, 100) == pytest.approx(one.plane.px_per_mm_at(100, 100))
    assert several.plane.scale_sem_at(100, 100) == pytest.approx(one.plane.scale_sem_at(100, 100))


class Sure:
    """A classifier that takes whatever it sees for the bundle's largest coin."""

    def classify(self, coin):
        sure = tuple(float(n == 7) for n in range(8))
        return Verdict("crown_20", 1.0, 1.0, "crown_10", 0.0, coin.diameter_mm, sure)


def test_a_replay_does_not_follow_the_scale_to_where_no_camera_was_moved(crowns):
    """Coins of 22 mm that are taken for those of 27.5 mm would pull the scale 20 % off."""
    replay, seen = Replay(crowns, Sure()), []
    for number in range(60):
        pixels = draw_disc(320 + 3 * (number % 7), 240, 44, 640, 480)
        seen.append(
            replay.replay_image(Frame(pixels, number, float(number)), Path("x.png"), "other")
        )
    assert (
        list(crowns.labels)[7] == "crown_20"
        and max(one.coin.diameter_mm for one in seen) < 22 * 1.15
    )
    assert seen[-1].coin.diameter_mm == pytest.approx(22, rel=0.02) and not any(
        one.decision.reason == "sorted" for one in seen[10:]
    )


THRESHOLDS = {"crown_2": Thresholds(0.9, 4.0, 23.0, 0.5)}
COIN = Coin(1, (), (), 23.0, 0.0, 0.0, 0.0, 250.0, 0.5, 20, alone=True)
SURE = Verdict("crown_2", 0.99, 0.99, "crown_5", 1.0, 23.1)


@pytest.mark.parametrize(
    "change, informs",
    [
        ({}, True),
        ({"confidence": 0.2}, True),  # its probabilities say how much
        ({"diameter_mm": 26.0}, True),  # such is a scale that has moved
        ({"anomaly": 4.0}, True),
        ({"anomaly": nextafter(4.0, inf)}, False),
        ({"anomaly": nan}, False),
        ({"diameter_mm": nan}, False),
        ({"diameter_mm": inf}, False),
        ({"diameter_mm": 0.0}, False),
        ({"label": ""}, False),
        ({"image_confidence": 0.5}, True),
        (
            {"image_confidence": nextafter(0.5, 0)},
            False,
        ),  # then the scale itself would say which coin it is
        ({"image_confidence": nan}, False),
    ],
)
def test_a_coin_informs_the_scale_if_it_was_measured_and_looks_genuine(change, informs):
    assert informs_scale(COIN, replace(SURE, **change), THRESHOLDS) is informs
    assert not informs_scale(replace(COIN, alone=False), replace(SURE, **change), THRESHOLDS)
