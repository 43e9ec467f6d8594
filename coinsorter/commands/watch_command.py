"""coinsorter watch: what the machine is doing, beside the running service."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from coinsorter.commands._options import Subparsers, add_command, add_config_option, add_json_option
from coinsorter.config.load import load_config
from coinsorter.escape import as_markup
from coinsorter.tools.status import read_status

DETAILS = (
    "Shows the ledger's counts and its last coins, again every second, until Ctrl-C. "
    "Runs beside the service and does not touch it."
)
PAUSE_S = 1.0  # between two readings of the ledger


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter watch`."""
    parser = add_command(commands, "watch", _run_watch, "what the machine is doing", DETAILS)
    parser.add_argument("--once", action="store_true", help="show it once")
    add_config_option(parser)
    add_json_option(parser, "it once")


def _run_watch(options: argparse.Namespace) -> None:
    path = options.config.parent / load_config(options.config).ledger.path
    if options.json:
        print(json.dumps(read_status(path)))
    elif options.once:
        Console().print(render_status(read_status(path)))
    else:
        _watch(path)


def _watch(path: Path) -> None:
    with Live(render_status(read_status(path)), refresh_per_second=2) as live:
        while True:
            time.sleep(PAUSE_S)
            live.update(render_status(read_status(path)))


def render_status(status: dict[str, Any]) -> Group:
    """What `read_status` returns, as text and tables for a terminal."""
    celsius = status["temperature_c"]
    temperature = "no temperature" if celsius is None else f"{celsius:.0f} degrees"
    totals = _render_totals(status["totals"])
    return Group(Text(temperature), totals, _render_coins(status["last"]))


def _render_totals(totals: dict[str, Any]) -> Table:
    table = Table("where", "coins")
    for name, coins in totals["bins"].items():
        table.add_row(as_markup(name), str(coins))
    for name in ("uncertain", "open", "seen"):
        style = "bold" if name == "seen" else ""
        table.add_row(Text(name, style=style), str(totals[name]))
    return table


def _render_coins(rows: list[dict[str, Any]]) -> Table:
    table = Table("id", "at", "label", "mm", "bin", "reason", "landed")
    for row in reversed(rows):
        diameter_mm = row["diameter_mm"]
        table.add_row(
            str(row["id"]),
            as_markup(row["at"]),
            as_markup(row["label"] or ""),
            "" if diameter_mm is None else f"{diameter_mm:.2f}",
            as_markup(row["bin"]),
            as_markup(row["reason"]),
            as_markup(row["landed"] or "on its way"),
        )
    return table
