"""pulses: errors of an output become FlapErrors that name it; others pass."""

import re

import pytest

from coinsorter.errors import FlapError
from coinsorter.hardware.servos.pulses import explain_open_errors, explain_pulse_errors


@pytest.mark.parametrize(
    "explain, message",
    [
        (explain_open_errors, "GPIO 5 cannot be driven: no chip; is another program using it?"),
        (explain_pulse_errors, "GPIO 5 does not take pulses: no chip; check the wiring"),
    ],
)
def test_an_outputs_failure_names_it_and_says_what_to_do(explain, message):
    with (
        pytest.raises(FlapError, match=re.escape(message)) as raised,
        explain("GPIO 5", (OSError,)),
    ):
        raise OSError("no chip")
    assert isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize("explain", [explain_open_errors, explain_pulse_errors])
def test_what_is_no_failure_of_an_output_stays_what_it_is(explain):
    with pytest.raises(KeyError), explain("GPIO 5", (OSError,)):
        raise KeyError("a bug")
