"""open_servos: the driver that the settings name, and no other in its place."""

import sys

import pytest

from coinsorter.errors import FlapError
from coinsorter.hardware.servos.open_servos import open_servos
from tests.unit.hardware.conftest import with_driver


@pytest.mark.parametrize(
    "driver, package, how",
    [
        ("gpio", "lgpio", "sudo apt install python3-lgpio"),
        (
            "hardware-pwm",
            "rpi_hardware_pwm",
            "rpi-hardware-pwm is missing; run `sudo make install`",
        ),
        ("pca9685", "adafruit_pca9685", "run `sudo make install`"),
    ],
)
def test_a_driver_whose_package_is_missing_is_never_replaced_by_another(
    monkeypatch, config, tmp_path, driver, package, how
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    with pytest.raises(FlapError, match=how):
        open_servos(with_driver(config, driver))


def test_the_mock_driver_says_that_nothing_moves(config, caplog):
    servos = open_servos(with_driver(config, "mock"))
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "no flap moves" in record.message
    servos.pulse(5, 1500)
    servos.close()
