"""The Pi's GPIO chip, found by its label: its number has changed from kernel to kernel (0, 4, 10 and above on a Pi 5)."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from gpiozero.exc import GPIOZeroError

from coinsorter.errors import FlapError

# By label, the Pi whose pins it has: 5, 4, and 3 and older.
LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
CHIPS = 32  # more than any kernel has numbered so far
IN_USE = 1  # lgpio's flag of a line that somebody holds
ELSEWHERE = "anywhere else than on a Raspberry Pi use `coinsorter run --simulate`"
HOW = f"add the user to the group gpio, or {ELSEWHERE}"


def import_lgpio() -> Any:
    """The module lgpio, imported so that the FIFO it makes at import lies in the runtime folder.

    It makes it in $LG_WD, and changes the process's working directory to there, which is undone here. Raises FlapError.
    """
    os.environ.setdefault(
        "LG_WD", os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0] or _temporary_folder().name
    )
    try:
        with contextlib.chdir(os.environ["LG_WD"]):
            import lgpio
    except ImportError as error:
        raise FlapError(
            f"no GPIO: lgpio is not installed; install it with `sudo apt install python3-lgpio`, or {ELSEWHERE}"
        ) from error
    except OSError as error:
        raise FlapError(
            f"no GPIO: lgpio cannot work in {os.environ['LG_WD']}: {error}; set LG_WD to a folder that can be written"
        ) from error
    return lgpio


def find_chip() -> int:
    """The number of the chip whose lines are the Pi's pins. Raises FlapError naming what is there instead."""
    lgpio = import_lgpio()
    labels = {number: label for number in range(CHIPS) if (label := _label(lgpio, number))}
    for wanted in LABELS:
        for number, label in labels.items():
            if label == wanted:
                return number
    found = ", ".join(sorted(set(labels.values()))) or "none that this user may open"
    raise FlapError(f"no GPIO chip of a Raspberry Pi ({', '.join(LABELS)}); found: {found}; {HOW}")


def read_line_users(number: int) -> dict[int, str]:
    """Who holds lines of a chip, by line: what each user calls itself, lgpio's for one "lg". Raises FlapError."""
    lgpio = import_lgpio()
    try:
        with _opened(lgpio, number) as handle:
            _, lines, _, _ = lgpio.gpio_get_chip_info(handle)
            told = [lgpio.gpio_get_line_info(handle, line) for line in range(lines)]
    except lgpio.error as error:
        raise FlapError(f"GPIO chip {number} cannot be read: {error}; {HOW}") from error
    return {line: user for _, line, flags, _, user in told if flags & IN_USE}


def open_pin_factory() -> Any:
    """gpiozero's pins on the Pi's chip. Raises FlapError."""
    number = find_chip()
    from gpiozero.pins.lgpio import LGPIOFactory

    try:
        return LGPIOFactory(chip=number)
    except list_pin_errors() as error:
        raise FlapError(f"GPIO chip {number} cannot be opened: {error}; {HOW}") from error


def list_pin_errors() -> tuple[type[Exception], ...]:
    """What a pin raises that fails; gpiozero lets lgpio's own error through."""
    lgpio = sys.modules.get("lgpio")
    return (GPIOZeroError, OSError, RuntimeError, *([lgpio.error] if lgpio else []))


def try_all(calls: list[Callable[[], None]]) -> None:
    """Does each, on the way out: one that fails keeps no other from being done."""
    for call in calls:
        with contextlib.suppress(*list_pin_errors()):
            call()


def _label(lgpio: Any, number: int) -> str | None:
    try:
        with _opened(lgpio, number) as handle:
            _, _, _, label = lgpio.gpio_get_chip_info(handle)
    except lgpio.error:
        return None
    return str(label)


@contextlib.contextmanager
def _opened(lgpio: Any, number: int) -> Iterator[int]:
    handle = lgpio.gpiochip_open(number)
    try:
        yield handle
    finally:
        lgpio.gpiochip_close(handle)


@cache  # which keeps it for as long as the process lives
def _temporary_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="coinsorter-")
