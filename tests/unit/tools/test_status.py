"""What the machine does, read from its ledger and the kernel's files."""

import pytest

from coinsorter.errors import InputError
from coinsorter.tools.status import read_status, read_temperature_c

TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"


@pytest.mark.parametrize(
    "content, celsius",
    [(b"48312\n", 48.312), (b"-5000\n", -5.0), (b"hot\n", None), (b"\xff", None), (None, None)],
)
def test_the_temperature_is_in_degrees_or_unknown(tmp_path, content, celsius):
    path = tmp_path / TEMPERATURE
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_bytes(content)
    assert read_temperature_c(tmp_path) == celsius


def test_a_ledger_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.db"):
        read_status(tmp_path / "none.db", tmp_path)
