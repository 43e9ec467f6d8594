"""servos, chip and the drivers: what comes out at their pins, on stand-ins that hold a state and fail as the real packages do."""

import configparser
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.config.checks import SERVO_PINS
from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.driver_packages import list_missing_packages
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.hardware.servos.open_servos import open_servos
from tests.conftest import ROOT


class Lgpio(ModuleType):
    """Stands in for lgpio: chips with lines, each held by one handle at most. pulses: by line, (high, low) in microseconds."""

    class error(Exception):
        pass

    def __init__(self, labels: dict[int, str]) -> None:
        super().__init__("lgpio")
        self.labels, self.handles, self.held, self.pulses, self.levels, self.broken = (
            labels,
            {},
            {},
            {},
            {},
            set(),
        )

    def gpiochip_open(self, number):
        if number not in self.labels:
            raise self.error("can not open gpiochip")
        handle = 100 + len(self.handles)
        self.handles[handle] = number
        return handle

    def gpiochip_close(self, handle):
        self.handles[handle] = None

    def gpio_get_chip_info(self, handle):
        return [0, 54, f"gpiochip{self._chip(handle)}", self.labels[self._chip(handle)]]

    def gpio_get_line_info(self, handle, line):
        self._chip(handle)
        return [0, line, 3 if line in self.held else 0, "", "lg" if line in self.held else ""]

    def gpio_claim_output(self, handle, line, level=0):
        self._chip(handle)
        if self.held.setdefault(line, handle) != handle:
            raise self.error("GPIO busy")
        self.levels[line] = level

    def gpio_free(self, handle, line):
        self._own(handle, line)
        del self.held[line]

    def gpio_write(self, handle, line, level):
        self._own(handle, line)
        self.levels[line] = level

    def tx_pulse(self, handle, line, high_us, low_us):
        self._own(handle, line)
        if line in self.broken:
            raise self.error("TX queue full")
        self.pulses[line] = (int.__index__(high_us), int.__index__(low_us))
        self.levels[line] = 1

    def _chip(self, handle):
        if self.handles.get(handle) is None:
            raise self.error("unknown handle")
        return self.handles[handle]

    def _own(self, handle, line):
        self._chip(handle)
        if self.held.get(line) != handle:
            raise self.error("GPIO not allocated")


@pytest.fixture
def lgpio(monkeypatch, tmp_path):
    """A Pi 4's chips."""
    module = Lgpio({0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"})
    monkeypatch.setitem(sys.modules, "lgpio", module)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    return module


def driven_by(config, driver: str, *pins: int):
    """The settings with another driver, and as many bins as pins; the flaps are quick, so that no test waits for them."""
    flaps = [
        b.flap.model_copy(update={"pin": pin, "travel_ms": 1.0})
        for b, pin in zip(config.bins, pins or [b.flap.pin for b in config.bins])
    ]
    bins = [b.model_copy(update={"flap": flap}) for b, flap in zip(config.bins, flaps)]
    return config.model_copy(
        update={"bins": bins, "servo": config.servo.model_copy(update={"driver": driver})}
    )


# -- the chip -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels, number",
    [
        ({0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"}, 0),
        ({0: "gpio-brcmstb@107d508500", 4: "pinctrl-rp1", 10: "gpio-brcmstb@107d517c00"}, 4),
        ({0: "pinctrl-rp1", 4: "pinctrl-rp1"}, 0),
        ({11: "gpio-brcmstb@107d508500", 15: "pinctrl-rp1"}, 15),
        ({2: "pinctrl-bcm2835"}, 2),
    ],
)
def test_the_chip_is_found_by_its_label_whatever_its_number(lgpio, labels, number):
    lgpio.labels = labels
    assert gpio_chip.find_chip() == number
    assert set(lgpio.handles.values()) == {None}, "every chip that was looked at is closed again"


@pytest.mark.parametrize(
    "labels, found",
    [
        ({0: "gpio-sim", 3: "ftdi-cbus"}, "found: ftdi-cbus, gpio-sim; "),
        ({}, "found: none that this user may open; "),
    ],
)
def test_where_no_chip_is_a_pis_the_labels_are_named(lgpio, labels, found):
    lgpio.labels = labels
    with pytest.raises(FlapError, match=f"pinctrl-rp1, .*{found}add the user to the group gpio"):
        gpio_chip.find_chip()


def test_who_holds_lines_is_told(lgpio, config):
    servos = open_servos(driven_by(config, "gpio"))
    servos.release(5)
    assert gpio_chip.read_line_users(0) == {5: "lg"}
    servos.close()
    assert gpio_chip.read_line_users(0) == {}


def test_a_chip_that_is_gone_is_named(lgpio):
    with pytest.raises(FlapError, match="GPIO chip 9 cannot be read: can not open gpiochip"):
        gpio_chip.read_line_users(9)


def test_without_lgpio_it_is_said_how_to_install_it(monkeypatch, config, tmp_path):
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    with pytest.raises(
        FlapError, match="lgpio is not installed; install it with `sudo apt install python3-lgpio`"
    ):
        open_servos(driven_by(config, "gpio"))


PIPE_MAKER = """\
import os
os.chdir(os.environ["LG_WD"])  # as lgpio's library does
open(".lgd-nfy0", "w").close()
class error(Exception): pass
def gpiochip_open(number): raise error("can not open gpiochip")
"""
FINDER = """\
import os
from coinsorter.hardware import gpio_chip
from coinsorter.errors import FlapError
try:
    gpio_chip.find_chip()
except FlapError as error:
    print(error)
print(os.getcwd(), os.environ["LG_WD"], os.listdir(os.environ["LG_WD"]), sep="|")
"""


def found_in(folder: Path, lgpio_from: Path | None, **environment: str) -> list[str]:
    """What FINDER prints in a process of its own, started in a folder: the error, then where it worked."""
    search = os.pathsep.join(str(path) for path in (lgpio_from, ROOT) if path)
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LG_WD", "RUNTIME_DIRECTORY")
    }
    done = subprocess.run(
        [sys.executable, "-c", FINDER],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=clean | environment | {"PYTHONPATH": search},
    )
    error, places = done.stdout.splitlines()
    assert error.startswith("no GPIO chip of a Raspberry Pi")
    return places.split("|")


@pytest.mark.parametrize(
    "real",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.skipif(
                not importlib.util.find_spec("lgpio"), reason="lgpio is not installed"
            ),
        ),
    ],
)
@pytest.mark.parametrize("under_systemd", [True, False])
def test_lgpios_pipe_lies_in_the_runtime_folder_and_the_process_stays_where_it_was(
    tmp_path, real, under_systemd
):
    for name in ("here", "run", "more", "packages"):
        (tmp_path / name).mkdir()
    (tmp_path / "packages" / "lgpio.py").write_text(PIPE_MAKER)
    told = (
        {"RUNTIME_DIRECTORY": f"{tmp_path / 'run'}:{tmp_path / 'more'}"}
        if under_systemd
        else {"TMPDIR": str(tmp_path / "more")}
    )
    stays, works, files = found_in(
        tmp_path / "here", None if real else tmp_path / "packages", **told
    )
    assert stays == str(tmp_path / "here") and os.listdir(stays) == []
    assert (
        Path(works) == tmp_path / "run"
        if under_systemd
        else Path(works).parent == tmp_path / "more"
    )
    assert files == "['.lgd-nfy0']"
    assert os.listdir(tmp_path / "more") == [], "what was made for one process goes with it"


def test_a_runtime_folder_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LG_WD", str(tmp_path / "nowhere"))
    with pytest.raises(FlapError, match="lgpio cannot work in .*nowhere.*; set LG_WD to a folder"):
        gpio_chip.find_chip()


# -- gpio -----------------------------------------------------------------------------------------------------------------------------


def test_opening_claims_pins_and_pulses_none(lgpio, config):
    flaps = Flaps(driven_by(config, "gpio"), open_servos(driven_by(config, "gpio")))
    assert lgpio.pulses == {}
    assert lgpio.held.keys() == {b.flap.pin for b in config.bins} and set(
        lgpio.levels.values()
    ) == {0}
    flaps.close()


@pytest.mark.parametrize(
    "us, high_us", [(1500.0, 1500), (500.4, 500), (2599.6, 2600), (400.0, 400)]
)
def test_gpio_pulses_to_the_microsecond_fifty_times_a_second(lgpio, config, us, high_us):
    servos = open_servos(driven_by(config, "gpio"))
    servos.pulse(5, us)
    assert lgpio.pulses == {5: (high_us, 20_000 - high_us)}
    servos.close()


def test_a_released_gpio_is_low_and_held(lgpio, config):
    servos = open_servos(driven_by(config, "gpio"))
    servos.pulse(5, 1500)
    servos.release(5)
    assert (lgpio.pulses[5], lgpio.levels[5]) == ((0, 0), 0)
    assert 5 in lgpio.held
    servos.close()


def test_closing_gpio_stops_every_pulse_and_lets_go_and_may_be_done_twice(lgpio, config):
    settings = driven_by(config, "gpio")
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
    settings = driven_by(config, "gpio")
    other = lgpio.gpiochip_open(0)
    lgpio.gpio_claim_output(other, 16)
    with pytest.raises(
        FlapError,
        match="bin crown_1: GPIO 16 cannot be driven: GPIO busy; is another program using it",
    ):
        Flaps(settings, open_servos(settings))
    assert lgpio.held == {16: other} and lgpio.pulses == {}


def test_a_gpio_that_takes_no_pulses_is_named_and_the_others_are_let_go_at_the_end(lgpio, config):
    settings = driven_by(config, "gpio")
    flaps = Flaps(settings, open_servos(settings))
    flaps.park()
    lgpio.broken = {13}
    with pytest.raises(FlapError, match="bin bit_50: GPIO 13 does not take pulses: TX queue full"):
        flaps.close()
    assert {pulse for line, pulse in lgpio.pulses.items() if line != 13} == {(0, 0)}
    assert lgpio.held == {}


# -- hardware-pwm ---------------------------------------------------------------------------------------------------------------------


class PwmPackage(ModuleType):
    """Stands in for rpi_hardware_pwm. pulsed_us: by (chip, channel), the pulses that go out."""

    class HardwarePWMException(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("rpi_hardware_pwm")
        self.pulsed_us, self.closed = {}, False
        package = self

        class HardwarePWM:
            def __init__(self, pwm_channel, hz, chip=0):
                if package.closed:
                    raise PermissionError(13, "Permission denied")
                self.at, self.hz, self.enabled = (chip, pwm_channel), hz, False
                package.pulsed_us[self.at] = 0.0

            def start(self, duty):
                self.enabled = True
                self.change_duty_cycle(duty)

            def change_duty_cycle(self, duty):
                if package.closed:
                    raise OSError(5, "Input/output error")
                package.pulsed_us[self.at] = (
                    round(1e6 / self.hz * duty / 100, 3) if self.enabled else 0.0
                )

            def stop(self):
                self.change_duty_cycle(0)
                self.enabled = False

        self.HardwarePWM = HardwarePWM


@pytest.fixture
def pwm(monkeypatch):
    package = PwmPackage()
    monkeypatch.setitem(sys.modules, "rpi_hardware_pwm", package)
    return package


def sysfs(folder: Path, chips: dict[int, str]) -> Path:
    """A tree like the kernel's, with PWM chips on devices of these names."""
    for number, device in chips.items():
        (folder / "devices" / device / "pwm" / f"pwmchip{number}").mkdir(parents=True)
        (folder / "devices" / device / "pwm" / f"pwmchip{number}" / "device").symlink_to(
            Path("../..")
        )
        (folder / "class").mkdir(exist_ok=True)
        (folder / "class" / f"pwmchip{number}").symlink_to(
            folder / "devices" / device / "pwm" / f"pwmchip{number}"
        )
    return folder / "class"


def pwm_servos(folder: Path, chips: dict[int, str]):
    from coinsorter.hardware.servos.hardware_pwm import HardwarePwmServos

    return HardwarePwmServos(settle_s=0.0, sysfs=sysfs(folder, chips))


@pytest.mark.parametrize(
    "chips, pin, output",
    [
        ({0: "fe20c000.pwm", 1: "fe20c800.pwm"}, 12, (0, 0)),
        ({0: "fe20c800.pwm", 2: "fe20c000.pwm"}, 19, (2, 1)),
        ({0: "107d517a80.pwm", 2: "1f00098000.pwm", 6: "1f0009c000.pwm"}, 18, (2, 2)),
        ({0: "1f00098000.pwm", 1: "1f0009c000.pwm"}, 19, (0, 3)),
    ],
)
def test_hardware_pulses_come_from_the_chip_and_channel_of_their_pin(
    tmp_path, pwm, chips, pin, output
):
    servos = pwm_servos(tmp_path, chips)
    servos.pulse(pin, 1234.5)
    assert pwm.pulsed_us == {output: 1234.5}
    servos.pulse(pin, 500)
    assert pwm.pulsed_us == {output: 500.0}
    servos.release(pin)
    assert pwm.pulsed_us == {output: 0.0}
    servos.pulse(pin, 700)
    servos.close()
    servos.close()
    assert pwm.pulsed_us == {output: 0.0}


def test_two_pins_of_one_channel_are_refused_by_name(tmp_path, pwm, config):
    servos = pwm_servos(tmp_path, {0: "fe20c000.pwm"})
    with pytest.raises(
        FlapError,
        match="bin bit_20: GPIO 18 and GPIO 12 are one PWM channel of this Pi; take another pin",
    ):
        Flaps(driven_by(config, "hardware-pwm", 12, 18), servos)
    assert pwm.pulsed_us == {(0, 0): 0.0}


def test_the_same_two_pins_are_two_channels_of_a_pi_5(tmp_path, pwm, config):
    flaps = Flaps(
        driven_by(config, "hardware-pwm", 12, 18), pwm_servos(tmp_path, {0: "1f00098000.pwm"})
    )
    flaps.park()
    assert pwm.pulsed_us == {(0, 0): 1500.0, (0, 2): 1500.0}
    flaps.close()


def test_a_pin_without_hardware_pwm_is_refused(tmp_path, pwm):
    with pytest.raises(FlapError, match="GPIO 5 has no hardware PWM; take one of 12, 13, 18, 19"):
        pwm_servos(tmp_path, {0: "fe20c000.pwm"}).release(5)


@pytest.mark.parametrize("chips, found", [({}, "none"), ({0: "1f0009c000.pwm"}, "1f0009c000.pwm")])
def test_a_pi_without_pwm_at_its_pins_is_told_what_to_add(tmp_path, pwm, chips, found):
    with pytest.raises(
        FlapError, match=f"no hardware PWM at the pins .*found: {found}; add `dtoverlay=pwm-2chan`"
    ):
        pwm_servos(tmp_path, chips)


def test_pwm_that_this_user_may_not_use_is_named(tmp_path, pwm):
    servos = pwm_servos(tmp_path, {0: "fe20c000.pwm"})
    pwm.closed = True
    with pytest.raises(
        FlapError,
        match="GPIO 12 cannot be driven: .*Permission denied; add the user to the group gpio",
    ):
        servos.release(12)


def test_pwm_that_fails_is_named(tmp_path, pwm):
    servos = pwm_servos(tmp_path, {0: "fe20c000.pwm"})
    servos.release(13)
    pwm.closed = True
    with pytest.raises(FlapError, match="GPIO 13 does not take pulses: .*Input/output error"):
        servos.pulse(13, 1500)
    servos.close()


# -- pca9685 --------------------------------------------------------------------------------------------------------------------------


class Board:
    """Stands in for adafruit_pca9685.PCA9685: 16 outputs of 12 bits at about the rate that is asked for, still pulsing as it was left."""

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
    servos = open_servos(driven_by(config, "pca9685", 0, 15))
    servos.pulse(15, us)
    assert board.opened.pulsed_us() == {15: pytest.approx(us, abs=2.45)}
    servos.release(15)
    assert board.opened.pulsed_us() == {}


def test_what_the_board_still_pulses_from_before_is_stopped_when_the_flaps_are_opened(
    board, config
):
    settings = driven_by(config, "pca9685", 3, 4)
    Board.left[3] = 410 << 4
    flaps = Flaps(settings, open_servos(settings))
    assert board.opened.pulsed_us() == {}
    flaps.park()
    assert board.opened.pulsed_us() == {output: pytest.approx(1500, abs=2.45) for output in (3, 4)}
    flaps.close()
    assert board.opened.pulsed_us() == {}


def test_a_board_that_does_not_answer_is_named(board, config):
    settings = driven_by(config, "pca9685", 3)
    absent = settings.model_copy(
        update={"servo": settings.servo.model_copy(update={"i2c_address": 65})}
    )
    with pytest.raises(
        FlapError, match="no PCA9685 at 0x41: No I2C device at address: 0x41; switch I2C on with"
    ):
        open_servos(absent)


def test_a_board_that_is_gone_is_named_with_bin_and_output(board, config):
    settings = driven_by(config, "pca9685", 3)
    flaps = Flaps(settings, open_servos(settings))
    board.opened.gone = True
    with pytest.raises(
        FlapError,
        match="bin bit_10: output 3 of the board at 0x40 does not take pulses: .*Remote I/O error",
    ):
        flaps.park()
    with pytest.raises(FlapError):
        flaps.close()


# -- which one ------------------------------------------------------------------------------------------------------------------------


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
        open_servos(driven_by(config, driver))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes packages known to Python: by name what each requires."""

    def install(packages: dict[str, list[str]]) -> None:
        for name, requires in packages.items():
            folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
            folder.mkdir()
            lines = [
                "Metadata-Version: 2.1",
                f"Name: {name}",
                "Version: 1.0",
                *(f"Requires-Dist: {one}" for one in requires),
            ]
            (folder / "METADATA").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


NEEDS = [
    'pin-maker>=1.0; extra == "fine"',
    'board-maker >= 2 ; extra == "board"',
    'bus.maker[all]~=1; extra == "board"',
    "pip>=1",
]


@pytest.mark.parametrize(
    "there, driver, missing",
    [
        ([], "gpio", []),
        ([], "fine", ["pin-maker>=1.0"]),
        ([], "board", ["board-maker >= 2", "bus.maker[all]~=1"]),
        (["bus.maker"], "board", ["board-maker >= 2"]),
        (["pin-maker", "bus.maker", "board-maker"], "board", []),
        (["pin-maker"], "fine", []),
    ],
)
def test_what_a_driver_needs_and_is_not_there_is_told(installed, there, driver, missing):
    installed({"coinsorter": NEEDS, **{name: [] for name in there}})
    assert list_missing_packages(driver) == missing


def test_setup_cfg_tells_of_every_driver_what_it_needs():
    """Those of the others come with every release, or with apt."""
    project = configparser.ConfigParser()
    project.read(ROOT / "setup.cfg")
    assert SERVO_PINS.keys() & project["options.extras_require"].keys() == SERVO_PINS.keys() - {
        "gpio",
        "mock",
    }


def test_the_mock_driver_says_that_nothing_moves(config, caplog):
    servos = open_servos(driven_by(config, "mock"))
    (said,) = caplog.records
    assert said.levelname == "WARNING" and "no flap moves" in said.message
    servos.pulse(5, 1500)
    servos.close()


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
