"""The Pi's GPIO chip, found by its label, since its number changes from kernel to kernel."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Protocol

from gpiozero.exc import GPIOZeroError
from gpiozero.pins import Factory

from coinsorter.errors import FlapError

#: Labels of the chips whose lines are the Pi's pins, by the kernel's drivers: of a Pi 5, of a Pi 4,
#: and of a Pi 3 and older.
LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
#: Numbers of chips that are looked at. The Pi 5's has been 0, 4, 10 and above; no kernel has more.
CHIPS = 32
#: lgpio's flag of a line that a program holds (LG_GPIO_IS_KERNEL in its documentation).
IN_USE = 1
ELSEWHERE = "anywhere else than on a Raspberry Pi use `coinsorter run --simulate`"
REMEDY = f"add the user to the group gpio, or {ELSEWHERE}"


class Lgpio(Protocol):
    """What is used of the module lgpio; http://abyz.me.uk/lg/py_lgpio.html describes it."""

    @property
    def error(self) -> type[Exception]:
        """What every function raises that fails."""
        ...

    def gpiochip_open(self, gpiochip: int) -> int:
        """Opens a chip; returns a handle."""
        ...

    def gpiochip_close(self, handle: int) -> int:
        """Closes a chip."""
        ...

    def gpio_get_chip_info(self, handle: int) -> tuple[int, int, str, str]:
        """Status, number of lines, name, and label of a chip."""
        ...

    def gpio_get_line_info(self, handle: int, gpio: int) -> tuple[int, int, int, str, str]:
        """Status, number, flags, name, and user of a line."""
        ...

    def gpio_claim_output(self, handle: int, gpio: int, level: int = 0) -> int:
        """Takes a line and drives it."""
        ...

    def gpio_free(self, handle: int, gpio: int) -> int:
        """Lets go of a line."""
        ...

    def gpio_write(self, handle: int, gpio: int, level: int) -> int:
        """Drives a line low (0) or high (1)."""
        ...

    def tx_pulse(self, handle: int, gpio: int, pulse_on: int, pulse_off: int) -> int:
        """Pulses on a line, microseconds high and low; 0 and 0 end them."""
        ...


def find_chip() -> int:
    """The number of the chip whose lines are the Pi's pins.

    Raises FlapError naming the labels that are there instead.
    """
    lgpio = import_lgpio()
    labels = _read_labels(lgpio)
    for wanted in LABELS:
        for number, label in labels.items():
            if label == wanted:
                return number
    present = ", ".join(sorted(set(labels.values()))) or "none that this user may open"
    what = f"no GPIO chip of a Raspberry Pi ({', '.join(LABELS)})"
    raise FlapError(f"{what}; found: {present}; {REMEDY}")


def read_line_users(number: int) -> dict[int, str]:
    """The users of a chip's lines, by line: what each user calls itself, lgpio for one "lg".

    Raises FlapError where the chip cannot be read.
    """
    lgpio = import_lgpio()
    try:
        with _open_chip(lgpio, number) as handle:
            _, lines, _, _ = lgpio.gpio_get_chip_info(handle)
            infos = [lgpio.gpio_get_line_info(handle, line) for line in range(lines)]
    except lgpio.error as error:
        raise FlapError(f"GPIO chip {number} cannot be read: {error}; {REMEDY}") from error
    return {line: user for _, line, flags, _, user in infos if flags & IN_USE}


def open_pin_factory() -> Factory:
    """gpiozero's pins on the Pi's chip. Raises FlapError."""
    number = find_chip()
    from gpiozero.pins.lgpio import LGPIOFactory

    try:
        return LGPIOFactory(chip=number)
    except list_pin_errors() as error:
        raise FlapError(f"GPIO chip {number} cannot be opened: {error}; {REMEDY}") from error


def list_pin_errors() -> tuple[type[Exception], ...]:
    """What a pin raises that fails; gpiozero lets lgpio's own error through."""
    errors: tuple[type[Exception], ...] = (GPIOZeroError, OSError, RuntimeError)
    lgpio = sys.modules.get("lgpio")
    return (*errors, lgpio.error) if lgpio else errors


def try_all(calls: list[Callable[[], object]]) -> None:
    """Makes all calls, on the way out: one that fails keeps no other from being made."""
    for call in calls:
        with contextlib.suppress(*list_pin_errors()):
            call()


def import_lgpio() -> Lgpio:
    """The module lgpio, imported so that the FIFO that it makes at import is in the runtime folder.

    It makes the FIFO in $LG_WD and changes the process's working directory to there; the latter is
    undone here. Raises FlapError.
    """
    folder = os.environ.setdefault("LG_WD", _runtime_folder())
    try:
        with contextlib.chdir(folder):
            import lgpio
    except ImportError as error:
        remedy = f"install it with `sudo apt install python3-lgpio`, or {ELSEWHERE}"
        raise FlapError(f"no GPIO: lgpio is not installed; {remedy}") from error
    except OSError as error:
        what = f"no GPIO: lgpio cannot work in {folder}: {error}"
        raise FlapError(f"{what}; set LG_WD to a folder that can be written") from error
    return lgpio


def _runtime_folder() -> str:
    """The first of systemd's runtime folders, or a temporary one."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return folder or _temporary_folder().name


@cache  # which keeps it for as long as the process lives
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="coinsorter-")


def _read_labels(lgpio: Lgpio) -> dict[int, str]:
    labels = {}
    for number in range(CHIPS):
        label = _read_label(lgpio, number)
        if label:
            labels[number] = label
    return labels


def _read_label(lgpio: Lgpio, number: int) -> str | None:
    try:
        with _open_chip(lgpio, number) as handle:
            _, _, _, label = lgpio.gpio_get_chip_info(handle)
    except lgpio.error:
        return None
    return str(label)


@contextlib.contextmanager
def _open_chip(lgpio: Lgpio, number: int) -> Iterator[int]:
    handle = lgpio.gpiochip_open(number)
    try:
        yield handle
    finally:
        lgpio.gpiochip_close(handle)
