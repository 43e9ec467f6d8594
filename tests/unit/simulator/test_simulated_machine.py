"""simulator: things that look as they should, a belt with physics, and pins whose history decides."""

import numpy as np
import pytest
from gpiozero import Servo
from hypothesis import given, settings
from hypothesis import strategies as st

from coinsorter.config.schema import FlapSettings
from coinsorter.hardware.clock import ManualClock
from coinsorter.simulator import belt, coins, currency, motifs, sprites
from coinsorter.simulator.servo import SimulatedPins, SimulatedServo
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.simulator.simulated_machine import UNSEEN_MOTIFS
from coinsorter.vision.detect import Search, find_circles

OPTICS = Optics(640, 480, 4.0, 0.375)
SEARCH = Search(30, 66, 0.97, 0.93)
MOTIFS = tuple(motifs.FOREIGN_MOTIFS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(thing: coins.Item, seed: int = 0) -> np.ndarray:
    camera = SimulatedCamera(OPTICS, rng(seed))
    return camera.render_frame([(camera.draw_item(thing), 0.0, 0.0)], 0.0)


def test_the_currency_has_eight_denominations_with_two_different_faces_each():
    faces = [
        currency.draw_face(coin.label, face)
        for coin in currency.DENOMINATIONS
        for face in ("obverse", "reverse")
    ]
    assert len(faces) == 16
    assert all(np.abs(a - b).mean() > 0.005 for i, a in enumerate(faces) for b in faces[:i])


def test_neither_size_nor_metal_alone_tells_every_coin_from_the_next():
    by_size = sorted(currency.DENOMINATIONS, key=lambda coin: coin.diameter_mm)
    assert any(
        b.diameter_mm - a.diameter_mm <= 0.5 and a.alloy != b.alloy
        for a, b in zip(by_size, by_size[1:])
    )
    assert any(
        a.alloy == b.alloy and a.core == b.core and a is not b
        for a in currency.DENOMINATIONS
        for b in currency.DENOMINATIONS
    )


def test_turning_a_coin_changes_its_look_because_the_light_stays():
    def lit(turn_deg: float) -> np.ndarray:
        disc = coins.make_genuine_coin(rng(1), "crown_2").discs[0][0]
        turned = coins.Disc(
            **{
                **disc.__dict__,
                "turn_deg": turn_deg,
                "tarnish": 0.0,
                "scratches": disc.scratches[:0],
                "dirt": disc.dirt[:0],
            }
        )
        return sprites.draw_item(
            coins.Item(coins.GENUINE, "crown_2", ((turned, (0.0, 0.0)),)), 4.0
        ).layers[..., :3]

    assert np.abs(np.rot90(lit(0.0)) - lit(-90.0)).mean() > 2.0
    assert np.abs(lit(0.0) - lit(0.0)).max() == 0


@pytest.mark.parametrize("label", list(currency.DENOMINATION_BY_LABEL))
def test_every_coin_is_found_alone_and_measured_to_a_hundredth(label):
    things = find_circles(picture(coins.make_genuine_coin(rng(2), label)), SEARCH)
    assert len(things) == 1 and things[0].alone
    assert 2 * things[0].radius_px / 4.0 == pytest.approx(
        currency.DENOMINATION_BY_LABEL[label].diameter_mm, rel=0.01
    )


@pytest.mark.parametrize("kind", ["bent", "clipped", "touching", "overlapping"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_damaged_or_touches_is_seen_and_not_called_alone(kind, seed):
    things = find_circles(picture(coins.make_foreign_object(rng(seed), kind, MOTIFS)), SEARCH)
    assert things and not any(thing.alone for thing in things)


@pytest.mark.parametrize("kind", coins.FOREIGN_KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_every_foreign_thing_is_seen(kind, seed):
    assert find_circles(picture(coins.make_foreign_object(rng(seed), kind, MOTIFS)), SEARCH)


def test_tokens_on_the_belt_bear_motifs_that_the_shipped_recipes_never_show():
    from coinsorter.training import recipe
    from tests.conftest import ROOT

    for path in (ROOT / "models").glob("*.yaml"):
        assert not set(recipe.load_recipe(path).motifs) & set(UNSEEN_MOTIFS)


def test_the_same_seed_draws_the_same_picture():
    assert (
        picture(coins.make_genuine_coin(rng(3)), 4) == picture(coins.make_genuine_coin(rng(3)), 4)
    ).all()


def test_a_fifth_of_the_feed_is_foreign_and_every_kind_is_in_it():
    riders = belt.feed_items(300, MOTIFS, rng())
    kinds = [rider.item.kind for rider in riders if rider.item.label is None]
    assert len(kinds) == 60 and set(kinds) == set(coins.FOREIGN_KINDS)
    gaps = np.diff([rider.offset_mm for rider in riders])
    assert gaps.min() >= belt.MIN_SPACING_MM


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 200))
def test_the_belt_runs_forward_at_about_its_speed(time_s):
    drive = belt.BeltDrive(250.0, rng(5))
    run = drive.compute_position_mm(time_s)
    assert run == pytest.approx(250 * time_s, rel=0.02, abs=1)
    assert drive.compute_time_s(run) == pytest.approx(time_s, abs=0.002)


FLAP = FlapSettings(pin=5, rest_deg=90, open_deg=135, distance_mm=160, travel_ms=80)


def servo(*pulses: tuple[float, float], travel_fraction: float = 1.0) -> SimulatedServo:
    history = SimulatedServo(FLAP, 500, 2500, travel_fraction)
    for time_s, pulse_us in pulses:
        history.set_duty(time_s, pulse_us / 20_000)
    return history


@pytest.mark.parametrize(
    "pulses, span, expected",
    [
        ([(0, 1500)], (1, 2), (0, 0)),
        ([(0, 1500), (1, 2000)], (1.08, 3), (1, 1)),
        ([(0, 1500), (1, 2000)], (1.0, 1.04), (0, 0.5)),
        ([(0, 1500), (1, 2000), (2, 1500)], (1.5, 2.04), (0.5, 1)),
        ([(0, 1500), (1, 2000), (1.04, 1500)], (0.9, 3), (0, 0.5)),
        ([(0, 1500), (1, 2000), (2, 0)], (2.1, 3), (0, 0)),
        ([(0, 1500), (1, 2000)], (0, 0.9), (0, 0)),
    ],
    ids=[
        "at rest",
        "open",
        "opening",
        "closing",
        "turned back half way",
        "limp falls to rest",
        "not yet",
    ],
)
def test_a_servo_turns_no_faster_than_it_can(pulses, span, expected):
    assert servo(*pulses).find_openness_range(*span) == pytest.approx(expected, abs=1e-6)


def test_mock_pins_write_the_servos_history_on_the_simulated_clock():
    clock, history = ManualClock(), servo()
    device = Servo(
        5,
        initial_value=None,
        min_pulse_width=0.0005,
        max_pulse_width=0.0025,
        pin_factory=SimulatedPins(clock, {5: history}),
    )
    assert history.pulses == []
    clock.advance_to(1.5)
    device.value = 0
    clock.advance_to(2.5)
    device.value = 0.5
    device.close()
    assert history.pulses == [(1.5, pytest.approx(1500)), (2.5, pytest.approx(2000)), (2.5, 0)]


def one_rider(
    config, thing: coins.Item, opened: tuple[float, float] | None, bin_name: str = "bit_10"
) -> str:
    """Where a lone thing lands if one flap is open over a span of time."""
    servos = {b.name: SimulatedServo(b.flap, 500, 2500, 1.0) for b in config.bins}
    for name, history in servos.items():
        history.set_duty(0.0, 1500 / 20_000)
        if opened and name == bin_name:
            history.set_duty(opened[0], 2000 / 20_000)
            history.set_duty(opened[1], 1500 / 20_000)
    rider = belt.Rider(0, thing, 100.0, 0.0)
    ride = belt.SimulatedBelt(
        config, belt.BeltDrive(config.belt.speed_mm_s, rng(6)), [rider], servos, rng(7)
    )
    ride.land_items(10.0)
    return rider.landed


def test_where_a_thing_lands_is_decided_by_the_flaps_not_by_the_machine(config):
    coin = coins.make_genuine_coin(rng(8), "crown_5")
    arrives = (100 + 160) / 250
    assert one_rider(config, coin, None) == "reject"
    assert one_rider(config, coin, (arrives - 0.5, arrives + 0.5)) == "bit_10"
    assert one_rider(config, coin, (arrives + 0.3, arrives + 0.5)) == "reject"
    struck = {one_rider(config, coin, (arrives - 0.02, arrives + 0.5)) for _ in range(1)}
    assert struck <= {"bit_10", "reject"}
