"""What the machine does: its ledger's counts and last coins, read beside the running service."""

from pathlib import Path
from typing import Any

from coinsorter.ledger.queries import read_rows, read_totals

#: Last coins that are read: they fit on a terminal of 24 lines.
LAST_COINS = 8


def read_status(path: Path, root: Path = Path("/")) -> dict[str, Any]:
    """The ledger's totals over all runs, its last coins and the processor's temperature.

    path: of the ledger. root: the folder of the machine's files. Keys: `totals`, `last`, and
    `temperature_c`, None where the computer does not report it.
    """
    return {
        "totals": read_totals(path),
        "last": read_rows(path, LAST_COINS),
        "temperature_c": read_temperature_c(root),
    }


def read_temperature_c(root: Path = Path("/")) -> float | None:
    """The processor's temperature in degrees Celsius; None where the kernel does not report it."""
    try:
        return int((root / "sys/class/thermal/thermal_zone0/temp").read_text()) / 1000
    except (OSError, ValueError):
        return None
