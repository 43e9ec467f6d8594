"""The simulated servo and the pins that drive it."""

import pytest
from gpiozero import Servo

from coinsorter.hardware.clock import ManualClock
from coinsorter.simulator.servo import SimulatedPins
from tests.unit.simulator.conftest import make_servo


@pytest.mark.parametrize(
    "pulses, span, expected",
    [
        pytest.param([(0, 1500)], (1, 2), (0, 0), id="at rest"),
        pytest.param([(0, 1500), (1, 2000)], (1.08, 3), (1, 1), id="open"),
        pytest.param([(0, 1500), (1, 2000)], (1.0, 1.04), (0, 0.5), id="opening"),
        pytest.param([(0, 1500), (1, 2000), (2, 1500)], (1.5, 2.04), (0.5, 1), id="closing"),
        pytest.param(
            [(0, 1500), (1, 2000), (1.04, 1500)], (0.9, 3), (0, 0.5), id="turned back half way"
        ),
        pytest.param([(0, 1500), (1, 2000), (2, 0)], (2.1, 3), (0, 0), id="limp falls to rest"),
        pytest.param([(0, 1500), (1, 2000)], (0, 0.9), (0, 0), id="not yet"),
    ],
)
def test_a_servo_turns_no_faster_than_it_can(pulses, span, expected):
    assert make_servo(*pulses).find_openness_range(*span) == pytest.approx(expected, abs=1e-6)


def test_a_fast_servo_needs_its_fraction_of_the_travel_time():
    servo = make_servo((0, 1500), (1, 2000), travel_fraction=0.5)
    assert servo.find_openness_range(1.039, 1.039)[0] < 1
    assert servo.find_openness_range(1.041, 1.041)[0] == 1


def test_a_later_pulse_changes_what_was_asked_before():
    servo = make_servo((0, 1500))
    assert servo.find_openness_range(1, 2) == (0, 0)
    servo.set_duty(0.5, 2000 / 20_000)
    assert servo.find_openness_range(1, 2) == (1, 1)


def test_mock_pins_write_the_servos_history_on_the_simulated_clock():
    clock, servo = ManualClock(), make_servo()
    device = Servo(
        5,
        initial_value=None,
        min_pulse_width=0.0005,
        max_pulse_width=0.0025,
        pin_factory=SimulatedPins(clock, {5: servo}),
    )
    assert servo.pulses == []
    clock.advance_to(1.5)
    device.value = 0
    clock.advance_to(2.5)
    device.value = 0.5
    device.close()
    assert servo.pulses == [(1.5, pytest.approx(1500)), (2.5, pytest.approx(2000)), (2.5, 0)]
