"""GpioServos: what comes out at the pins, on a stand-in for lgpio."""

import pytest

from coinsorter.errors import FlapError
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.open_servos import open_servos
from tests.unit.hardware.conftest import with_driver


def test_opening_claims_pins_and_pulses_none(lgpio, config):
    flaps = Flaps(with_driver(config, "gpio"), open_servos(with_driver(config, "gpio")))
    assert lgpio.pulses == {}
    assert lgpio.held.keys() == {b.flap.pin for b in config.bins} and set(
        lgpio.levels.values()
    ) == {0}
    flaps.close()


@pytest.mark.parametrize(
    "us, high_us", [(1500.0, 1500), (500.4, 500), (2599.6, 2600), (400.0, 400)]
)
def test_gpio_pulses_to_the_microsecond_fifty_times_a_second(lgpio, config, us, high_us):
    servos = open_servos(with_driver(config, "gpio"))
    servos.pulse(5, us)
    assert lgpio.pulses == {5: (high_us, 20_000 - high_us)}
    servos.close()


def test_a_released_gpio_is_low_and_held(lgpio, config):
    servos = open_servos(with_driver(config, "gpio"))
    servos.pulse(5, 1500)
    servos.release(5)
    assert (lgpio.pulses[5], lgpio.levels[5]) == ((0, 0), 0)
    assert 5 in lgpio.held
    servos.close()


def test_closing_gpio_stops_every_pulse_and_lets_go_and_may_be_done_twice(lgpio, config):
    settings = with_driver(config, "gpio")
    flaps = Flaps(settings, open_servos(settings))
    flaps.park()
    flaps.close()
    flaps.close()
    assert set(lgpio.pulses.values()) == {(0, 0)} and set(lgpio.levels.values()) == {0}
    assert lgpio.held == {} and set(lgpio.handles.values()) == {None}


def test_flaps_get_the_time_to_come_to_rest_before_their_pulses_end(lgpio, config, monkeypatch):
    at_rest = []
    monkeypatch.setattr("time.sleep", lambda s: at_rest.append((s, dict(lgpio.pulses))))
    flaps = Flaps(config, open_servos(config))
    flaps.move("crown_2", open=True)
    flaps.close()
    assert at_rest == [(0.08, {b.flap.pin: (1500, 18_500) for b in config.bins})]


def test_a_gpio_in_use_is_named_with_its_bin_and_the_others_are_let_go(lgpio, config):
    settings = with_driver(config, "gpio")
    other = lgpio.gpiochip_open(0)
    lgpio.gpio_claim_output(other, 16)
    with pytest.raises(
        FlapError,
        match="bin crown_1: GPIO 16 cannot be driven: GPIO busy; is another program using it",
    ):
        Flaps(settings, open_servos(settings))
    assert lgpio.held == {16: other} and lgpio.pulses == {}


def test_a_gpio_that_takes_no_pulses_is_named_and_the_others_are_let_go_at_the_end(lgpio, config):
    settings = with_driver(config, "gpio")
    flaps = Flaps(settings, open_servos(settings))
    flaps.park()
    lgpio.broken = {13}
    with pytest.raises(FlapError, match="bin bit_50: GPIO 13 does not take pulses: TX queue full"):
        flaps.close()
    assert {pulse for line, pulse in lgpio.pulses.items() if line != 13} == {(0, 0)}
    assert lgpio.held == {}
