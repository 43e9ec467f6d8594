"""What the machine does, as text, from its ledger and the kernel's own files: beside the running service, and without touching it."""

from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from coinsorter.sorting.ledger_queries import read_rows, read_totals

LAST = 8  # coins that are shown


def glance(path: Path, root: Path = Path("/")) -> dict[str, Any]:
    """What the ledger holds of all runs, its last coins, and the processor's temperature in degrees (None where it is not told)."""
    return {
        "totals": read_totals(path),
        "last": read_rows(path, LAST),
        "temperature_c": _temperature_c(root),
    }


def _temperature_c(root: Path) -> float | None:
    try:
        return int((root / "sys/class/thermal/thermal_zone0/temp").read_text()) / 1000
    except (OSError, ValueError):
        return None


def shown(found: dict[str, Any]) -> Group:
    """The same for a terminal."""
    totals, coins = (
        Table("where", "coins"),
        Table("id", "at", "label", "mm", "bin", "reason", "landed"),
    )
    for name, count in found["totals"]["bins"].items():
        totals.add_row(name, str(count))
    for name in ("uncertain", "open", "seen"):
        totals.add_row(
            Text(name, style="bold" if name == "seen" else ""), str(found["totals"][name])
        )
    for row in reversed(found["last"]):
        diameter = f"{row['diameter_mm']:.2f}" if row["diameter_mm"] is not None else ""
        coins.add_row(
            str(row["id"]),
            row["at"],
            row["label"],
            diameter,
            row["bin"],
            row["reason"],
            row["landed"] or "on its way",
        )
    celsius = found["temperature_c"]
    return Group(
        Text("no temperature" if celsius is None else f"{celsius:.0f} degrees"), totals, coins
    )
