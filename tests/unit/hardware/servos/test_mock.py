"""MockServos: the pulses are on gpiozero's mock pins."""

from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.hardware.servos.mock import MockServos


def test_mock_pins_carry_pulses_until_they_are_released_or_closed():
    pins = MockFactory(pin_class=MockPWMPin)
    servos = MockServos(pins)
    servos.pulse(5, 1234)
    servos.pulse(6, 2000)
    servos.release(5)
    assert [round(pins.pin(pin).state * 20_000) for pin in (5, 6)] == [0, 2000]
    servos.close()
    servos.close()
    assert [round(state.state * 20_000) for state in pins.pin(5).states] == [0, 1234, 0]
    assert pins.pin(6).state == 0 and pins.pin(6).function == "input"
