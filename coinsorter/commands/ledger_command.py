"""coinsorter ledger: what has been sorted, and the care of the file that says so."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from coinsorter.commands._ledger_options import add_ledger_options, find_ledger
from coinsorter.commands._options import Subparsers, add_command, add_force_option, add_json_option
from coinsorter.commands._printing import print_totals
from coinsorter.commands.ledger_maintenance import add_maintenance
from coinsorter.commands.option_values import read_count
from coinsorter.escape import as_markup, print_clean
from coinsorter.files.atomic import write_file
from coinsorter.files.ownership import Claim
from coinsorter.ledger.queries import (
    export_rows,
    is_export,
    read_days,
    read_rows,
    read_totals,
)

COLUMNS = ("id", "at", "label", "confidence", "anomaly", "mm", "bin", "reason", "landed")


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter ledger` with its actions."""
    parser = commands.add_parser(
        "ledger",
        help="read what has been sorted; verify, back up and restore it",
        description="Read what has been sorted, also while the machine runs, and keep it safe.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_totals(actions)
    _add_tail(actions)
    _add_export(actions)
    add_maintenance(actions)


def _add_totals(actions: Subparsers) -> None:
    summary = "coins seen, by bin, by reason and by value"
    details = "Days are those of the computer's time zone, to a quarter of an hour."
    totals = add_command(actions, "totals", _run_totals, summary, details)
    totals.add_argument("--run", type=read_count, metavar="N", help="of the run with this number")
    totals.add_argument("--by-day", action="store_true", help="of each day")
    add_ledger_options(totals)
    add_json_option(totals, "them")


def _add_tail(actions: Subparsers) -> None:
    tail = add_command(actions, "tail", _run_tail, "the last coins", "")
    tail.add_argument("-n", type=read_count, default=20, metavar="N", help="how many (default: 20)")
    add_ledger_options(tail)
    add_json_option(tail, "them, a line each,")


def _add_export(actions: Subparsers) -> None:
    summary = "every coin's row, to standard output or a file"
    export = add_command(actions, "export", _run_export, summary, "")
    export.add_argument("--format", choices=["csv", "jsonl"], default="csv", help="default: csv")
    export.add_argument("--to", type=Path, metavar="FILE", help="default: standard output")
    add_force_option(export)
    add_ledger_options(export)


def _run_totals(options: argparse.Namespace) -> None:
    path = find_ledger(options)
    if options.by_day:
        _print_days(read_days(path, options.run), options.json)
    else:
        _print_totals(read_totals(path, options.run), options.json)


def _print_days(days: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(days))
        return
    for totals in days:
        print_clean(totals["day"])
        print_totals(totals)


def _print_totals(totals: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(totals))
    else:
        print_totals(totals)


def _run_tail(options: argparse.Namespace) -> None:
    rows = read_rows(find_ledger(options), options.n)
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        _print_rows(rows)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(
            str(row["id"]),
            as_markup(row["at"]),
            as_markup(row["label"] or ""),
            _format(row["confidence"], 4),
            _format(row["anomaly"], 1),
            _format(row["diameter_mm"], 2),
            as_markup(row["bin"]),
            as_markup(row["reason"]),
            as_markup(row["landed"] or "on its way"),
        )
    Console().print(table)


def _format(number: float | None, digits: int) -> str:
    return "" if number is None else f"{number:.{digits}f}"


def _run_export(options: argparse.Namespace) -> None:
    path = find_ledger(options)
    if options.to is None:
        export_rows(path, sys.stdout, options.format)
        return
    claim = Claim(
        is_export,
        "name another file with --to",
        inputs=(path, options.config),
        force=options.force,
    )
    with write_file(options.to, claim) as file:
        rows = export_rows(path, file, options.format)
    print_clean(f"{rows} rows in {options.to}")
