"""flaps: the pulses that the pins carry, on gpiozero's own mock pins."""

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.devices.flaps import Flaps, pulse_us
from coinsorter.errors import FlapError


@pytest.fixture
def pins():
    factory = MockFactory(pin_class=MockPWMPin)
    yield factory
    factory.reset()


class BrokenPin(MockPWMPin):
    def _set_state(self, value):
        raise OSError("no such chip")


def carried_us(pins: MockFactory, pin: int) -> list[float]:
    """The pulse widths that a pin has carried, 0 for none."""
    return [round(state.state * 20_000, 1) for state in pins.pin(pin).states]


def test_nothing_moves_when_the_flaps_are_opened(config, pins):
    flaps = Flaps(config, pins)
    assert all(carried_us(pins, b.flap.pin) == [0.0] for b in config.bins)
    flaps.close()


def test_a_pin_that_fails_keeps_no_other_flap_from_its_rest(config, pins):
    flaps = Flaps(config, pins)
    flaps.park()
    flaps.move("crown_20", open=True)
    broken, last = config.bins[0].flap.pin, next(b.flap.pin for b in config.bins if b.name == "crown_20")

    pins.pin(broken).__class__ = BrokenPin
    with pytest.raises(FlapError, match=f"GPIO {broken} does not take pulses: no such chip"):
        flaps.close()
    assert carried_us(pins, last) == [0.0, 1500.0, 2000.0, 1500.0, 0.0]


def test_parking_brings_every_flap_to_rest(config, pins):
    flaps = Flaps(config, pins)
    flaps.park()
    rest = pulse_us(90, config.servo)
    assert rest == 1500
    assert all(carried_us(pins, b.flap.pin) == [0.0, rest] for b in config.bins)
    flaps.close()


def test_a_moved_flap_carries_its_pulse_and_the_others_do_not_move(config, pins):
    flaps = Flaps(config, pins)
    flaps.park()
    flaps.move("crown_2", open=True)
    flaps.move("crown_2", open=False)
    moved = next(b.flap.pin for b in config.bins if b.name == "crown_2")
    assert carried_us(pins, moved) == [0.0, 1500.0, 2000.0, 1500.0]
    assert all(carried_us(pins, b.flap.pin) == [0.0, 1500.0] for b in config.bins if b.name != "crown_2")


def test_closing_parks_then_lets_go_and_may_be_done_twice(config, pins):
    flaps = Flaps(config, pins)
    flaps.park()
    flaps.move("crown_2", open=True)
    flaps.close()
    flaps.close()
    moved = next(b.flap.pin for b in config.bins if b.name == "crown_2")
    assert carried_us(pins, moved)[-2:] == [1500.0, 0.0]


def test_a_pin_in_use_is_named_and_the_others_are_let_go(config, pins):
    taken = config.bins[3].flap.pin
    holder = Flaps(config.model_copy(update={"bins": [config.bins[3]]}), pins)
    with pytest.raises(FlapError, match=f"bin crown_1: GPIO {taken} cannot be driven"):
        Flaps(config, pins)
    holder.close()
    Flaps(config, pins).close()
