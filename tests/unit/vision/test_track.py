"""track: each coin counted once, with its speed, its best crops and whether it is alone."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.records import Circle, Coin, Frame
from coinsorter.vision.scale import ScalePlane
from coinsorter.vision.track import BeltTracker, measure_still_coin

PLANE = ScalePlane(4.0, 0.0, 0.0, 640, 480)
FRAME_S = 1 / 60
PIXELS = np.zeros((480, 640, 3), np.uint8)


def tracker(crops: int = 3) -> BeltTracker:
    return BeltTracker(
        PLANE,
        250.0,
        FRAME_S,
        lambda pixels, circle, diameter_mm: np.full((2, 2, 3), int(circle.sharpness), np.uint8),
        crops,
    )


def circle(
    x_mm: float,
    y_mm: float = 0.0,
    radius_mm: float = 12.0,
    alone: bool = True,
    sharpness: float = 20.0,
    quality: float = 1.0,
) -> Circle:
    x_px, y_px = 320 + 4 * x_mm, 240 + 4 * y_mm
    return Circle(x_px, y_px, 4 * radius_mm, quality, 1.0, sharpness, (90.0, 90.0, 90.0), alone)


def visible(x_mm: float, radius_mm: float = 12.0) -> bool:
    return abs(x_mm) + 0.85 * radius_mm < 80


def ride(
    things,
    seconds: float = 3.0,
    speed: float = 250.0,
    seen=lambda number, thing: True,
    noise: float = 0.0,
) -> list[Coin]:
    """The coins counted of things that ride by.

    things: (start x_mm, y_mm, radius_mm, alone); each moves at `speed`, and is in frame `number` if
    `seen` says so.
    """
    rng = np.random.default_rng(1)
    belt, coins = tracker(), []
    for number in range(int(seconds / FRAME_S)):
        circles = []
        for index, (start, y, radius, alone) in enumerate(things):
            x = start + speed * number * FRAME_S
            if visible(x, radius) and seen(number, index):
                circles.append(circle(x + rng.normal(0, noise), y, radius, alone))
        coins += belt.update(Frame(PIXELS, number, number * FRAME_S), circles)
    return coins


def test_a_coin_that_crosses_the_view_is_counted_once_with_its_speed_and_size():
    (coin,) = ride([(-120, 3, 11.5, True)], noise=0.1)
    assert coin.number == 1 and coin.alone
    assert coin.speed_mm_s == pytest.approx(250, abs=1) and coin.speed_sem_mm_s < 1
    assert coin.diameter_mm == pytest.approx(23)
    assert coin.y_mm == pytest.approx(3) and 60 < coin.x_mm < 80


def test_where_a_coin_was_seen_last_is_told_to_a_tenth_of_a_millimetre():
    (coin,) = ride([(-120, 0, 12, True)], noise=0.1)
    assert coin.x_mm == pytest.approx(-120 + 250 * coin.seen_s, abs=0.1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(27, 120), min_size=1, max_size=8), st.floats(225, 275), st.integers(0, 999)
)
def test_every_coin_is_counted_once_however_they_follow_and_though_some_frames_miss_them(
    gaps, speed, seed
):
    starts = [-110 - sum(gaps[:i]) for i in range(len(gaps))]
    missed = np.random.default_rng(seed).random((600, len(gaps))) < 0.2
    seconds = (sum(gaps) + 300) / speed
    coins = ride(
        [(s, 0, 12, True) for s in starts],
        seconds,
        speed,
        lambda number, index: not missed[number, index],
    )
    assert len(coins) == len(gaps) and all(coin.alone for coin in coins)
    assert [coin.number for coin in coins] == list(range(1, len(gaps) + 1))
    assert all(coin.speed_mm_s == pytest.approx(speed, rel=0.02) for coin in coins)


def test_side_by_side_coins_are_two():
    assert len(ride([(-120, -15, 12, True), (-120, 15, 12, True)])) == 2


@pytest.mark.parametrize(
    "gap_mm, expected", [(24.0, [False]), (24.8, [False]), (25.5, [True, True])]
)
def test_things_that_touch_are_one_that_is_not_alone(gap_mm, expected):
    coins = ride([(-120, 0, 12, True), (-120 - gap_mm, 0, 12, True)])
    assert [coin.alone for coin in coins] == expected


def test_an_overlapping_pair_seen_in_turns_is_still_one():
    coins = ride(
        [(-120, 0, 12, False), (-138, 0, 12, False)], seen=lambda number, index: number % 3 == index
    )
    assert [coin.alone for coin in coins] == [False]


def test_a_flicker_of_two_frames_is_no_coin():
    assert ride([(-120, 0, 12, True)], seen=lambda number, index: number in (20, 21)) == []


@pytest.mark.parametrize("share, alone", [(0.1, True), (0.5, False), (1.0, False)])
def test_a_coin_is_alone_if_most_of_its_sightings_say_so(share, alone):
    belt, coins = tracker(), []
    for number in range(120):
        x = -120 + 250 * number * FRAME_S
        lonely = number % 10 >= 10 * share
        coins += belt.update(
            Frame(PIXELS, number, number * FRAME_S), [circle(x, alone=lonely)] if visible(x) else []
        )
    assert [coin.alone for coin in coins] == [alone]


def test_the_sharpest_pictures_are_kept_best_first():
    belt, coins = tracker(crops=2), []
    for number in range(120):
        x = -120 + 250 * number * FRAME_S
        coins += belt.update(
            Frame(PIXELS, number, number * FRAME_S),
            [circle(x, sharpness=100 - abs(number - 30))] if visible(x) else [],
        )
    (coin,) = coins
    assert [crop[0, 0, 0] for crop in coin.crops] == [100, 99] and len(coin.circles) == 2


def test_what_was_never_round_has_no_pictures_and_is_not_alone():
    belt, coins = tracker(), []
    for number in range(120):
        x = -120 + 250 * number * FRAME_S
        coins += belt.update(
            Frame(PIXELS, number, number * FRAME_S),
            [circle(x, quality=0.0, alone=False)] if visible(x) else [],
        )
    (coin,) = coins
    assert coin.crops == () and not coin.alone


def test_what_follows_a_leaving_coin_is_known():
    belt = tracker()
    for number in range(60):
        places = [
            x for x in (-110 + 250 * number * FRAME_S, -170 + 250 * number * FRAME_S) if visible(x)
        ]
        coins = belt.update(Frame(PIXELS, number, number * FRAME_S), [circle(x) for x in places])
        if coins:
            break
    (follower,) = belt.list_undecided()
    assert follower.x_mm == pytest.approx(
        coins[0].x_mm - 60, abs=0.2
    ) and follower.radius_mm == pytest.approx(12)


@pytest.fixture
def without_collector():
    """Only reference counting frees anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("across_mm", [0.0, 24.0], ids=["alone", "touching"])
@pytest.mark.parametrize("until_mm", [200.0, 0.0], ids=["rides-by", "vanishes"])
def test_frames_are_freed_once_their_things_are_out_of_view(without_collector, across_mm, until_mm):
    belt, frames = tracker(), []
    for number in range(120):
        x = -120 + 250 * number * FRAME_S
        things = [circle(x), circle(x, across_mm)] if across_mm else [circle(x)]
        pixels = PIXELS.copy()
        frames.append(weakref.ref(pixels))
        shown = things if visible(x) and x < until_mm else []
        belt.update(Frame(pixels, number, number * FRAME_S), shown)
        del pixels
    assert len(belt.list_undecided()) == 0
    assert [frame() is None for frame in frames] == [True] * 120


def test_a_counted_coin_holds_no_frames_while_it_is_in_view(without_collector):
    belt, frames, coins = tracker(), [], []
    for number in range(120):
        x = -120 + 250 * number * FRAME_S
        pixels = PIXELS.copy()
        frames.append(weakref.ref(pixels))
        coins += belt.update(Frame(pixels, number, number * FRAME_S), [circle(x)] * visible(x))
        del pixels
        if coins:
            break
    assert len(coins) == 1 and [frame() for frame in frames if frame() is not None] == []


def cut(pixels, circle, diameter_mm):
    return pixels


def test_a_single_picture_of_one_coin_is_that_coin():
    coin = measure_still_coin(
        Frame(PIXELS, 4, 0.0), [circle(10), circle(30, quality=0.0, alone=False)], PLANE, cut
    )
    assert coin and coin.alone and coin.number == 5 and coin.diameter_mm == pytest.approx(24)


def test_a_single_picture_of_two_coins_is_not_alone_and_of_none_is_none():
    assert not measure_still_coin(
        Frame(PIXELS, 0, 0.0), [circle(-40), circle(40)], PLANE, cut
    ).alone
    assert measure_still_coin(Frame(PIXELS, 0, 0.0), [], PLANE, cut) is None
