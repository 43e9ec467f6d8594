"""One machine, one process: what two machines may share, and who is refused by name."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from coinsorter.errors import MachineInUseError
from coinsorter.files.locks import CAPTURING, JOGGING, PARKING, SORTING
from coinsorter.hardware.machine_lock import list_slots, lock_camera, lock_machine, lock_pins
from coinsorter.ledger.ledger import Ledger, RunRecord
from tests.conftest import CONFIG, ROOT


@pytest.fixture
def dev(tmp_path):
    """A folder with nodes of devices, which are plain files here."""
    folder = tmp_path / "dev"
    folder.mkdir()
    for name in ("gpiochip0", "gpiochip10", "gpiochip4", "i2c-1"):
        (folder / name).touch()
    return folder


def drive(settings, driver: str, first_pin: int | None = None):
    """The settings with another driver and, where a first pin is given, other pins from it on."""
    servo = settings.servo.model_copy(update={"driver": driver})
    if first_pin is None:
        return settings.model_copy(update={"servo": servo})
    bins = []
    for pin, bin_ in enumerate(settings.bins, first_pin):
        flap = bin_.flap.model_copy(update={"pin": pin})
        bins.append(bin_.model_copy(update={"flap": flap}))
    return settings.model_copy(update={"servo": servo, "bins": bins})


def test_the_pins_are_locked_on_the_first_chip_and_a_board_by_its_address(config, dev):
    pins = {bin_.flap.pin for bin_ in config.bins}
    slots = list_slots(drive(config, "gpio"), dev)
    assert list(slots) == [dev / "gpiochip0"]
    assert {slot - 1 for slot in slots[dev / "gpiochip0"]} == pins
    board = list_slots(drive(config, "pca9685"), dev)
    assert board == {dev / "i2c-1": [1 + config.servo.i2c_address]}
    assert list_slots(drive(config, "mock"), dev) == {}


@pytest.mark.parametrize("driver", ["gpio", "hardware-pwm", "pca9685"])
def test_who_moves_a_flap_while_another_sorts_is_refused_by_name(config, dev, tmp_path, driver):
    settings = drive(config, driver)
    with (
        lock_pins(settings, SORTING, dev),
        pytest.raises(MachineInUseError, match=f"is sorting .process {os.getpid()}, since"),
        lock_machine(settings, tmp_path, JOGGING, dev),
    ):
        pass


def test_a_machine_that_is_let_go_of_can_be_taken_again(config, dev, tmp_path):
    settings = drive(config, "gpio")
    for purpose in (SORTING, PARKING, JOGGING):
        with lock_machine(settings, tmp_path, purpose, dev):
            pass


def test_with_mock_servos_the_ledger_is_what_two_processes_share(config, dev, tmp_path):
    settings = drive(config, "mock")
    ledger = Ledger(tmp_path / settings.ledger.path, RunRecord("b", "h", "r"))
    with (
        pytest.raises(MachineInUseError, match="the machine is sorting"),
        lock_machine(settings, tmp_path, PARKING, dev),
    ):
        pass
    ledger.close()
    with lock_machine(settings, tmp_path, PARKING, dev):
        pass


def test_two_machines_with_other_pins_and_other_ledgers_run_side_by_side(config, dev, tmp_path):
    first = drive(config, "gpio", first_pin=2)
    second = drive(config, "gpio", first_pin=2 + len(config.bins))
    with (
        lock_machine(first, tmp_path / "first", SORTING, dev),
        lock_machine(second, tmp_path / "second", SORTING, dev),
        pytest.raises(MachineInUseError),
        lock_machine(first, tmp_path / "third", SORTING, dev),
    ):
        pass


def test_images_in_a_folder_serve_any_number_and_a_device_one(config, tmp_path):
    images = config.camera.model_copy(update={"source": "folder", "folder": "images"})
    recorded = config.model_copy(update={"camera": images})
    ledger = Ledger(tmp_path / config.ledger.path, RunRecord("b", "h", "r"))
    with lock_camera(recorded, tmp_path, CAPTURING):
        pass
    with pytest.raises(MachineInUseError), lock_camera(config, tmp_path, CAPTURING):
        pass
    ledger.close()


def test_without_nodes_or_a_ledger_nothing_is_made_and_the_driver_says_what_is_wrong(
    config, tmp_path
):
    with lock_machine(config, tmp_path, PARKING, tmp_path / "no-devices"):
        pass
    assert not (tmp_path / config.ledger.path).exists()


READ_ONLY = """
import os, sys
from pathlib import Path
from coinsorter.config.load import load_config
from coinsorter.errors import MachineInUseError
from coinsorter.hardware.machine_lock import lock_machine
from coinsorter.files.locks import PARKING
os.setuid(65534)
try:
    with lock_machine(load_config(Path("config.yaml")), Path("."), PARKING, Path("dev")):
        print("not refused")
except MachineInUseError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_a_user_who_may_only_read_the_ledger_is_refused_by_name_too():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        text = CONFIG.read_text().replace("driver: gpio ", "driver: mock ")
        (folder / "config.yaml").write_text(text)
        ledger = Ledger(folder / "var" / "ledger.db", RunRecord("b", "h", "r"))
        assert stat.S_IMODE((folder / "var" / "ledger.db").stat().st_mode) == 0o644
        words = [sys.executable, "-c", READ_ONLY]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        printed = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        ledger.close()
    assert f"the machine is sorting (process {os.getpid()}" in printed.stdout, printed.stderr
