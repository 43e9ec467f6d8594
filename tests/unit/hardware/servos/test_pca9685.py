"""Pca9685Servos: what comes out at the board, on a stand-in for Adafruit's library."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from coinsorter.errors import FlapError
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.open_servos import open_servos
from tests.unit.hardware.conftest import with_driver


class Board:
    """Stands in for adafruit_pca9685.PCA9685: 16 outputs of 12 bits at about the wanted rate.

    It still pulses as it was left.
    """

    left = dict.fromkeys(range(16), 0)

    def __init__(self, i2c_bus, address):
        if (i2c_bus.number, address) != (1, 64):
            raise ValueError(f"No I2C device at address: 0x{address:x}")
        self.gone, self.prescale = False, 30
        self.channels = [Output(self, number) for number in range(16)]
        Board.opened = self

    @property
    def frequency(self):
        return 25e6 / 4096 / (self.prescale + 1)

    @frequency.setter
    def frequency(self, hz):
        self.prescale = int(25e6 / 4096 / hz + 0.5) - 1

    def pulsed_us(self):
        """By output, the pulses that go out."""
        return {
            output: round(1e6 / self.frequency * (duty >> 4) / 4096, 1)
            for output, duty in self.left.items()
            if duty
        }


class Output:
    """One output of the board: what it is set to, of 16 bits."""

    def __init__(self, board, number):
        self.board, self.number = board, number

    @property
    def duty_cycle(self):
        return self.board.left[self.number]

    @duty_cycle.setter
    def duty_cycle(self, duty):
        if self.board.gone:
            raise OSError(121, "Remote I/O error")
        self.board.left[self.number] = duty


@pytest.fixture
def board(monkeypatch):
    bus = ModuleType("adafruit_extended_bus")
    bus.ExtendedI2C = lambda number: SimpleNamespace(number=number)
    package = ModuleType("adafruit_pca9685")
    package.PCA9685 = Board
    monkeypatch.setattr(Board, "left", dict.fromkeys(range(16), 0))
    monkeypatch.setitem(sys.modules, "adafruit_extended_bus", bus)
    monkeypatch.setitem(sys.modules, "adafruit_pca9685", package)
    return Board


@pytest.mark.parametrize("us", [400, 500, 1500, 2000, 2600])
def test_the_boards_pulses_are_true_to_its_step(board, config, us):
    servos = open_servos(with_driver(config, "pca9685", 0, 15))
    servos.pulse(15, us)
    assert board.opened.pulsed_us() == {15: pytest.approx(us, abs=2.45)}
    servos.release(15)
    assert board.opened.pulsed_us() == {}


def test_what_the_board_still_pulses_from_before_is_stopped_when_the_flaps_are_opened(
    board, config
):
    settings = with_driver(config, "pca9685", 3, 4)
    Board.left[3] = 410 << 4
    flaps = Flaps(settings, open_servos(settings))
    assert board.opened.pulsed_us() == {}
    flaps.park()
    assert board.opened.pulsed_us() == {output: pytest.approx(1500, abs=2.45) for output in (3, 4)}
    flaps.close()
    assert board.opened.pulsed_us() == {}


def test_a_board_that_does_not_answer_is_named(board, config):
    settings = with_driver(config, "pca9685", 3)
    absent = settings.model_copy(
        update={"servo": settings.servo.model_copy(update={"i2c_address": 65})}
    )
    with pytest.raises(
        FlapError, match="no PCA9685 at 0x41: No I2C device at address: 0x41; switch I2C on with"
    ):
        open_servos(absent)


def test_a_board_that_is_gone_is_named_with_bin_and_output(board, config):
    settings = with_driver(config, "pca9685", 3)
    flaps = Flaps(settings, open_servos(settings))
    board.opened.gone = True
    with pytest.raises(
        FlapError,
        match=r"bin bit_10: output 3 of the board at 0x40 does not take pulses: .*Remote I/O error",
    ):
        flaps.park()
    with pytest.raises(FlapError):
        flaps.close()
