"""One machine, one process: whoever moves its flaps or takes its camera holds its lock.

The machine is its pins and its ledger. The pins are locked on the node of the device that drives
them, which the service in its sandbox and a technician in the group gpio both have to open anyway;
the ledger is locked on its own file (`ledger.ledger_lock`). Two machines that share neither may
run on one computer, and mock servos lock no pins.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from coinsorter.config.schema import Config
from coinsorter.errors import MachineInUseError
from coinsorter.files.locks import LEDGER_SLOT, FileLock, LockHeldError, find_holder

#: The bus of the servo board (hardware/servos/pca9685.py).
I2C_NODE = "i2c-1"
#: Slots count from 1, pins from 0.
FIRST_SLOT = 1


@contextmanager
def lock_machine(
    settings: Config, base: Path, purpose: str, dev: Path = Path("/dev")
) -> Iterator[None]:
    """Holds the machine's pins and ledger; for `coinsorter jog` and its kind.

    base: the folder of config.yaml. purpose: one of `locks.PURPOSES`. dev: where device nodes are.
    Raises MachineInUseError that names the process that holds them.
    """
    with ExitStack() as held:
        _lock_ledger(held, base / settings.ledger.path, purpose)
        _lock_all_pins(held, settings, purpose, dev)
        yield


@contextmanager
def lock_pins(settings: Config, purpose: str, dev: Path = Path("/dev")) -> Iterator[None]:
    """Holds the machine's pins; for `coinsorter run`, whose ledger holds itself."""
    with ExitStack() as held:
        _lock_all_pins(held, settings, purpose, dev)
        yield


@contextmanager
def lock_camera(settings: Config, base: Path, purpose: str) -> Iterator[None]:
    """Holds the machine where its camera is a device, which serves one program.

    Images in a folder serve any number. Raises as `lock_machine` does.
    """
    if settings.camera.source == "folder":
        yield
        return
    with lock_machine(settings, base, purpose):
        yield


def _lock_ledger(held: ExitStack, path: Path, purpose: str) -> None:
    """Keeps other processes from writing the ledger, where there is one that may be opened."""
    try:
        held.callback(FileLock(path, LEDGER_SLOT, purpose).close)
    except LockHeldError as error:
        raise MachineInUseError(str(error)) from error
    except OSError:
        _refuse_written(path)


def _refuse_written(path: Path) -> None:
    """Refuses a ledger that is being written and that this user may only read."""
    try:
        holder = find_holder(path, LEDGER_SLOT)
    except OSError:
        return  # there is no ledger yet, or none that this user may read: the pins decide
    if holder:
        error = LockHeldError(holder)
        raise MachineInUseError(str(error)) from error


def _lock_all_pins(held: ExitStack, settings: Config, purpose: str, dev: Path) -> None:
    for node, slots in list_slots(settings, dev).items():
        for slot in slots:
            _lock_node(held, node, slot, purpose)


def _lock_node(held: ExitStack, node: Path, slot: int, purpose: str) -> None:
    try:
        held.callback(FileLock(node, slot, purpose).close)
    except LockHeldError as error:
        raise MachineInUseError(str(error)) from error
    except OSError:
        pass  # the driver, which opens it next, says what is wrong with it


def list_slots(settings: Config, dev: Path) -> dict[Path, list[int]]:
    """What the machine drives: by device node the slots to lock, in order.

    On a GPIO chip a slot is a pin; on the I2C bus it is the servo board's address.
    """
    pins = [pin for pin in settings.panel.model_dump().values() if pin is not None]
    pins += [b.flap.drop_pin for b in settings.bins if b.flap.drop_pin is not None]
    slots = {}
    if settings.servo.driver in ("gpio", "hardware-pwm"):
        pins += [bin_.flap.pin for bin_ in settings.bins]
    if settings.servo.driver == "pca9685":
        slots[dev / I2C_NODE] = [FIRST_SLOT + settings.servo.i2c_address]
    chip = _find_chip_node(dev)
    if chip and pins:
        slots[chip] = sorted({FIRST_SLOT + pin for pin in pins})
    return slots


def _find_chip_node(dev: Path) -> Path | None:
    """The first GPIO chip that there is: all processes lock pins there, whichever has them."""
    nodes = sorted(dev.glob("gpiochip*"), key=lambda node: (len(node.name), node.name))
    return nodes[0] if nodes else None
