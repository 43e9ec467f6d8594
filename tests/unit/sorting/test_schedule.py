"""schedule: a flap is in place before its coin, catches no other, and is back at rest after."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.records import Motion
from coinsorter.sorting.schedule import FlapSite, Passage, Schedule

TICK = 1 / 60
NEAR, FAR = FlapSite("near", 160, 10, 0.08), FlapSite("far", 300, 10, 0.08)


def schedule() -> Schedule:
    return Schedule([FAR, NEAR], speed_tolerance=0.015, tick_s=TICK)


def coin_at(x_mm: float, now_s: float = 0.0, speed: float = 250.0) -> Motion:
    return Motion(x_mm, now_s, 12.0, speed, 0.3)


def play(
    plan: Schedule, until_s: float, start_s: float = 0.0, tick_s: float = TICK
) -> tuple[list, list]:
    """Every command with its time, and every passage."""
    commands, passages, now = [], [], start_s
    while now < until_s:
        moved, over = plan.tick(now)
        commands += [(now, c.bin, c.open) for c in moved]
        passages += over
        now += tick_s
    return commands, passages


def test_a_flap_opens_in_time_holds_and_returns():
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    plan.arm(1)
    (opened, closed), passages = play(plan, 3)
    assert opened[1:] == ("near", True) and closed[1:] == ("near", False)
    arrives, leaves = (160 - 5 - 12 - 70) / 250, (160 + 5 + 12 - 70) / 250
    assert opened[0] + 0.08 <= arrives * 0.985
    assert closed[0] >= leaves * 1.01
    assert [(o.coin, o.bin, o.late) for o in passages] == [(1, "near", False)]


def test_a_coin_that_is_not_armed_is_late_and_nothing_moves():
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    commands, passages = play(plan, 5)
    assert commands == []
    assert [(o.coin, o.bin, o.late) for o in passages] == [(1, None, True)]


def test_a_loop_that_stalls_past_the_last_moment_opens_nothing():
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    plan.arm(1)
    commands, passages = play(plan, 5, start_s=0.25)
    assert commands == []
    assert passages[0].late and passages[0].bin is None


@pytest.mark.parametrize(
    "x_mm, possible", [(70, True), (112, True), (122, False), (150, False), (200, False)]
)
def test_a_coin_too_near_its_flap_is_refused(x_mm, possible):
    assert schedule().plan_turn(1, coin_at(x_mm), "near", [], 0.0) is possible


@pytest.mark.parametrize("behind_mm, possible", [(30, False), (60, False), (95, True)])
def test_no_coin_may_follow_too_closely_behind_a_coin_that_is_turned(behind_mm, possible):
    follower = coin_at(70 - behind_mm)
    assert schedule().plan_turn(1, coin_at(70), "far", [follower], 0.0) is possible


@pytest.mark.parametrize("behind_mm, possible", [(30, False), (60, False), (95, True)])
def test_a_coin_too_close_behind_a_passing_one_is_the_one_refused(behind_mm, possible):
    plan = schedule()
    plan.let_pass(1, coin_at(70))
    later = behind_mm / 250
    assert plan.plan_turn(2, coin_at(70, later), "far", [], later) is possible


def test_two_coins_for_one_flap_hold_it_open_between_them():
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    assert plan.plan_turn(2, coin_at(70, 0.2), "near", [], 0.2)
    plan.arm(1)
    plan.arm(2)
    commands, passages = play(plan, 3)
    assert [c[1:] for c in commands] == [("near", True), ("near", False)]
    assert [o.bin for o in passages] == ["near", "near"]


def test_a_coin_whose_flap_was_late_takes_those_it_would_meet_with_it():
    plan = Schedule(
        [NEAR, FlapSite("far", 300, 10, 0.3)], speed_tolerance=0.015, tick_s=TICK
    )  # slow: it opens long before its coin
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    assert plan.plan_turn(2, coin_at(70, 0.4), "far", [], 0.4)
    plan.arm(2)  # the first is never armed
    commands, passages = play(plan, 5)
    assert commands == []
    assert sorted((o.coin, o.bin, o.late) for o in passages) == [(1, None, True), (2, None, True)]


@pytest.mark.parametrize("is_open", [True, False])
def test_standing_down_finishes_with_an_open_flap_and_opens_no_other(is_open):
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    assert plan.plan_turn(2, coin_at(70, 0.6), "far", [], 0.6)
    plan.arm(1)
    plan.arm(2)
    before_s = 0.25 if is_open else 0.0
    opened, _ = play(plan, before_s)
    plan.stand_down()
    commands, passages = play(plan, 5, start_s=before_s)
    assert [command[1:] for command in opened] == [("near", True)] * is_open
    assert [command[1:] for command in commands] == [("near", False)] * is_open
    first = (1, "near", False) if is_open else (1, None, True)
    assert [(o.coin, o.bin, o.late) for o in passages] == [first, (2, None, True)]


def test_abandoning_forgets_everything():
    plan = schedule()
    plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    plan.let_pass(2, coin_at(70, 0.5))
    assert plan.abandon() == [1, 2] and not plan.busy
    assert play(plan, 3) == ([], [])


rides = st.lists(
    st.tuples(st.floats(0.02, 0.8), st.sampled_from([None, "near", "far"]), st.floats(0.99, 1.01)),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(rides)
def test_whatever_comes_only_the_coin_a_flap_opens_for_meets_it_away_from_rest(gaps):
    """With motion within the tolerance, a coin's own flap is open and every other one at rest."""
    plan, now, coins, commands, passages = schedule(), 0.0, [], [], []
    for number, (gap, bin_, true_speed) in enumerate(gaps):
        moved, over = play(plan, now + gap, now)
        commands += moved
        passages += over
        now += gap
        motion = coin_at(70, now)
        if bin_ is not None and plan.plan_turn(number, motion, bin_, [], now):
            plan.arm(number)
        else:
            plan.let_pass(number, motion)
        coins.append((number, now, 250 * true_speed))
    moved, over = play(plan, now + 4, now)
    commands += moved
    passages += over
    for number, seen_s, speed in coins:
        (passage,) = [p for p in passages if p.coin == number]
        check_flaps_on_the_way(passage, seen_s, speed, commands)


def check_flaps_on_the_way(passage: Passage, seen_s: float, speed: float, commands: list) -> None:
    for site in (NEAR, FAR):
        enters = seen_s + (site.distance_mm - 5 - 12 - 70) / speed
        leaves = seen_s + (site.distance_mm + 5 + 12 - 70) / speed
        away, open_ = stretches([c for c in commands if c[1] == site.bin], site.travel_s)
        if passage.bin == site.bin:
            assert any(start <= enters and leaves <= end for start, end in open_)
            return
        is_clear = not any(start < leaves and enters < end for start, end in away)
        assert passage.uncertain or is_clear


def test_a_coin_that_turns_up_close_behind_makes_the_machine_give_up_the_flap():
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "far", [], 0.0)
    plan.arm(1)
    plan.let_pass(2, coin_at(20))
    commands, passages = play(plan, 5)
    assert commands == []
    assert [(o.coin, o.bin, o.late, o.uncertain) for o in passages] == [
        (1, None, True, False),
        (2, None, False, False),
    ]


def test_a_coin_that_turns_up_when_the_flap_is_open_already_is_uncertain():
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    plan.arm(1)
    commands, _ = play(plan, 0.3)
    assert commands and commands[-1][2]
    plan.let_pass(2, coin_at(110, 0.3))
    _, passages = play(plan, 5, start_s=0.3)
    assert {o.coin: (o.bin, o.uncertain) for o in passages} == {1: ("near", False), 2: (None, True)}


def test_a_coin_that_passes_while_the_loop_is_held_up_and_the_flap_open_is_uncertain():
    plan = schedule()
    assert plan.plan_turn(1, coin_at(70), "near", [], 0.0)
    plan.arm(1)
    plan.let_pass(2, coin_at(-30))
    _, before = play(plan, 0.4)
    _, after = play(plan, 5, start_s=0.9)
    assert {o.coin: (o.bin, o.uncertain) for o in before + after} == {
        1: ("near", False),
        2: (None, True),
    }


def test_what_touches_a_coin_from_behind_passes_with_it():
    lump = Motion(70, 0.0, 12.0, 250.0, 0.3, behind_mm=25.0)
    plan = schedule()
    plan.let_pass(1, lump)
    assert not plan.plan_turn(2, coin_at(-5), "far", [], 0.0)
    plan = schedule()
    plan.let_pass(1, coin_at(70))
    assert plan.plan_turn(2, coin_at(-5), "far", [], 0.0)


def stretches(commands: list, travel_s: float) -> tuple[list, list]:
    """When a flap was anywhere but at rest, and when it was fully open."""
    away, full = [], []
    for (opened, _, _), (closed, _, _) in zip(commands[::2], commands[1::2]):
        away.append((opened, closed + travel_s))
        full.append((opened + travel_s, closed))
    return away, full
