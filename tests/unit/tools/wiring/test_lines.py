"""lines: what is connected to which pin of the header."""

import pytest

from coinsorter.tools.wiring import lines
from tests.unit.tools.wiring.machines import (
    HEADER,
)


@pytest.mark.parametrize("gpio, header_pin", HEADER.items())
def test_a_gpio_has_its_pin_of_the_header(gpio, header_pin):
    assert lines.HeaderLine(gpio, "sensor", "beam").header_pin == header_pin
