"""flaps: the pulses that the pins carry, on gpiozero's own mock pins."""

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.errors import FlapError, InputError
from coinsorter.hardware.flaps import Flaps, angle_to_pulse_us
from coinsorter.hardware.servos.mock import MockServos


@pytest.fixture
def pins():
    factory = MockFactory(pin_class=MockPWMPin)
    yield factory
    factory.reset()


@pytest.fixture
def flaps(config, pins):
    flaps = Flaps(config, MockServos(pins))
    flaps.park()
    yield flaps
    flaps.close()


@pytest.fixture
def released(config, pins):
    """Flaps whose servos get no pulses any more 500 ms after their move, parked."""
    flaps = Flaps(with_release(config, 500), MockServos(pins))
    flaps.park()
    yield flaps
    flaps.close()


class BrokenPin(MockPWMPin):
    def _set_state(self, value):
        raise OSError("no such chip")


def with_release(config, release_ms: int):
    return config.model_copy(
        update={"servo": config.servo.model_copy(update={"release_ms": release_ms})}
    )


def pin_of(config, name: str) -> int:
    return next(b.flap.pin for b in config.bins if b.name == name)


def carried_us(pins: MockFactory, pin: int) -> list[float]:
    """The pulse widths that a pin has carried, 0 for none."""
    return [round(state.state * 20_000, 1) for state in pins.pin(pin).states]


def test_nothing_moves_when_the_flaps_are_opened(config, pins):
    flaps = Flaps(config, MockServos(pins))
    assert all(carried_us(pins, b.flap.pin) == [0.0] for b in config.bins)
    assert all(pins.pin(b.flap.pin).function == "output" for b in config.bins)
    flaps.close()


def test_a_pin_that_fails_keeps_no_other_flap_from_its_rest(config, pins, flaps):
    flaps.move("crown_20", open=True)
    broken = config.bins[0].flap.pin

    pins.pin(broken).__class__ = BrokenPin
    with pytest.raises(
        FlapError, match=f"bin bit_10: GPIO {broken} does not take pulses: no such chip"
    ):
        flaps.close()
    assert carried_us(pins, pin_of(config, "crown_20")) == [0.0, 1500.0, 2000.0, 1500.0, 0.0]


def test_parking_brings_every_flap_to_rest(config, pins, flaps):
    rest = angle_to_pulse_us(90, config.servo)
    assert rest == 1500
    assert all(carried_us(pins, b.flap.pin) == [0.0, rest] for b in config.bins)


def test_a_moved_flap_carries_its_pulse_and_the_others_do_not_move(config, pins, flaps):
    flaps.move("crown_2", open=True)
    flaps.move("crown_2", open=False)
    assert carried_us(pins, pin_of(config, "crown_2")) == [0.0, 1500.0, 2000.0, 1500.0]
    assert all(
        carried_us(pins, b.flap.pin) == [0.0, 1500.0] for b in config.bins if b.name != "crown_2"
    )


def test_closing_parks_then_lets_go_and_may_be_done_twice(config, pins, flaps):
    flaps.move("crown_2", open=True)
    flaps.close()
    flaps.close()
    assert carried_us(pins, pin_of(config, "crown_2"))[-2:] == [1500.0, 0.0]
    assert all(pins.pin(b.flap.pin).function == "input" for b in config.bins)


def test_parking_after_closing_moves_nothing(config, pins, flaps):
    flaps.close()
    flaps.park()
    assert all(carried_us(pins, b.flap.pin) == [0.0, 1500.0, 0.0] for b in config.bins)


def test_a_pin_in_use_is_named_and_the_others_are_let_go(config, pins):
    taken = config.bins[3].flap.pin
    holder = Flaps(config.model_copy(update={"bins": [config.bins[3]]}), MockServos(pins))
    with pytest.raises(FlapError, match=f"bin crown_1: GPIO {taken} cannot be driven"):
        Flaps(config, MockServos(pins))
    assert pins.pin(config.bins[0].flap.pin).function == "input"
    holder.close()
    Flaps(config, MockServos(pins)).close()


def test_servos_are_held_for_ever_where_no_release_is_set(config, pins, flaps):
    flaps.tick(0.0)
    flaps.tick(1e6)
    assert all(carried_us(pins, b.flap.pin) == [0.0, 1500.0] for b in config.bins)


def test_a_servo_at_rest_is_released_when_its_time_is_over_and_not_before(config, pins, released):
    released.tick(10.0)
    released.tick(10.499)
    assert all(carried_us(pins, b.flap.pin) == [0.0, 1500.0] for b in config.bins)
    released.tick(10.5)
    assert all(carried_us(pins, b.flap.pin) == [0.0, 1500.0, 0.0] for b in config.bins)


def test_an_open_flap_is_held_until_it_has_been_back_at_rest(config, pins, released):
    released.tick(0.0)
    released.move("crown_2", open=True)
    released.tick(0.1)
    released.tick(60.0)
    assert carried_us(pins, pin_of(config, "crown_2")) == [0.0, 1500.0, 2000.0]
    released.move("crown_2", open=False)
    released.tick(60.1)
    released.tick(60.59)
    assert carried_us(pins, pin_of(config, "crown_2")) == [0.0, 1500.0, 2000.0, 1500.0]
    released.tick(60.6)
    assert carried_us(pins, pin_of(config, "crown_2")) == [0.0, 1500.0, 2000.0, 1500.0, 0.0]


def test_a_released_servo_moves_again_when_it_is_wanted(config, pins, released):
    released.tick(0.0)
    released.tick(0.5)
    released.move("crown_2", open=True)
    assert carried_us(pins, pin_of(config, "crown_2")) == [0.0, 1500.0, 0.0, 2000.0]


def test_no_servo_is_released_on_its_way(config, pins):
    slow = config.bins[0].model_copy(
        update={"flap": config.bins[0].flap.model_copy(update={"travel_ms": 2000.0})}
    )
    flaps = Flaps(with_release(config.model_copy(update={"bins": [slow]}), 100), MockServos(pins))
    flaps.park()
    flaps.tick(0.0)
    flaps.tick(1.99)
    assert carried_us(pins, slow.flap.pin) == [0.0, 1500.0]
    flaps.tick(2.0)
    assert carried_us(pins, slow.flap.pin) == [0.0, 1500.0, 0.0]
    flaps.close()


@pytest.mark.parametrize("us", [500, 1234, 2500])
def test_jogging_turns_one_flap_to_a_pulse(config, pins, flaps, us):
    flaps.jog("crown_2", us)
    assert carried_us(pins, pin_of(config, "crown_2")) == [0.0, 1500.0, us]
    assert all(
        carried_us(pins, b.flap.pin) == [0.0, 1500.0] for b in config.bins if b.name != "crown_2"
    )


def test_a_jogged_flap_is_held_where_it_is(config, pins, released):
    released.tick(0.0)
    released.jog("crown_2", 1800)
    released.tick(60.0)
    assert carried_us(pins, pin_of(config, "crown_2")) == [0.0, 1500.0, 1800.0]


@pytest.mark.parametrize(
    "bin_, us, complaint",
    [
        ("crown_2", 499, "499 us is outside of servo.min_pulse_us 500 to servo.max_pulse_us 2500"),
        ("crown_2", 2501, "2501 us is outside"),
        ("crown_2", float("nan"), "nan us is outside"),
        ("crown_3", 1500, "crown_3: no such bin; there are bit_10, bit_20"),
    ],
)
def test_what_cannot_be_jogged_is_refused_and_nothing_moves(
    config, pins, flaps, bin_, us, complaint
):
    with pytest.raises(InputError, match=complaint):
        flaps.jog(bin_, us)
    assert all(carried_us(pins, b.flap.pin) == [0.0, 1500.0] for b in config.bins)
