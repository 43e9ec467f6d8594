"""gpio_chip: the chip is found by its label, and lgpio's FIFO is out of the way."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coinsorter.errors import FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos.open_servos import open_servos
from tests.conftest import ROOT
from tests.unit.hardware.conftest import with_driver


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
    "labels, present",
    [
        ({0: "gpio-sim", 3: "ftdi-cbus"}, "found: ftdi-cbus, gpio-sim; "),
        ({}, "found: none that this user may open; "),
    ],
)
def test_where_no_chip_is_a_pis_the_labels_are_named(lgpio, labels, present):
    lgpio.labels = labels
    with pytest.raises(FlapError, match=f"pinctrl-rp1, .*{present}add the user to the group gpio"):
        gpio_chip.find_chip()


def test_the_users_of_lines_are_read(lgpio, config):
    servos = open_servos(with_driver(config, "gpio"))
    servos.release(5)
    assert gpio_chip.read_line_users(0) == {5: "lg"}
    servos.close()
    assert gpio_chip.read_line_users(0) == {}


def test_a_chip_that_is_gone_is_named(lgpio):
    with pytest.raises(FlapError, match="GPIO chip 9 cannot be read: can not open gpiochip"):
        gpio_chip.read_line_users(9)


def test_without_lgpio_the_message_says_how_to_install_it(monkeypatch, config, tmp_path):
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    with pytest.raises(
        FlapError, match="lgpio is not installed; install it with `sudo apt install python3-lgpio`"
    ):
        open_servos(with_driver(config, "gpio"))


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


def run_finder(folder: Path, lgpio_from: Path | None, **environment: str) -> list[str]:
    """Where FINDER worked, in a process of its own that is started in a folder.

    The process's folder, lgpio's, and the files in that.
    """
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
    environment = {"TMPDIR": str(tmp_path / "more")}
    if under_systemd:
        environment = {"RUNTIME_DIRECTORY": f"{tmp_path / 'run'}:{tmp_path / 'more'}"}
    stays, works, files = run_finder(
        tmp_path / "here", None if real else tmp_path / "packages", **environment
    )
    assert stays == str(tmp_path / "here") and list(Path(stays).iterdir()) == []
    if under_systemd:
        assert Path(works) == tmp_path / "run"
    else:
        assert Path(works).parent == tmp_path / "more"
    assert files == "['.lgd-nfy0']"
    assert list((tmp_path / "more").iterdir()) == [], "a temporary folder goes with its process"


def test_a_runtime_folder_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LG_WD", str(tmp_path / "nowhere"))
    with pytest.raises(FlapError, match=r"lgpio cannot work in .*nowhere.*; set LG_WD to a folder"):
        gpio_chip.find_chip()
