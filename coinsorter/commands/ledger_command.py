"""coinsorter ledger: what has been sorted."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from coinsorter import config
from coinsorter.commands._options import (
    add_command,
    add_config,
    add_json,
    count,
    show_totals,
    whole_file,
)
from coinsorter.sorting.ledger_queries import export_rows, read_rows, read_totals


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "ledger",
        help="read what has been sorted",
        description="Read what has been sorted. Never writes.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    totals = add_command(
        actions, "totals", _ledger_totals, "coins seen, by bin, by reason and by value", ""
    )
    tail = add_command(actions, "tail", _ledger_tail, "the last coins", "")
    tail.add_argument("-n", type=count, default=20, metavar="N", help="how many (default: 20)")
    export = add_command(
        actions, "export", _ledger_export, "every coin's row, to standard output or a file", ""
    )
    export.add_argument("--format", choices=["csv", "jsonl"], default="csv", help="default: csv")
    export.add_argument("--to", type=Path, metavar="FILE", help="default: standard output")
    for action in (totals, tail, export):
        action.add_argument(
            "--ledger",
            type=Path,
            metavar="FILE",
            help="the ledger (default: the one in config.yaml)",
        )
        add_config(action)
    add_json(totals, "them")
    add_json(tail, "them, a line each,")


def _ledger_path(options: argparse.Namespace) -> Path:
    return options.ledger or options.config.parent / config.load(options.config).ledger.path


def _ledger_totals(options: argparse.Namespace) -> None:
    found = read_totals(_ledger_path(options))
    if options.json:
        print(json.dumps(found))
    else:
        show_totals(found)


def _ledger_tail(options: argparse.Namespace) -> None:
    found = read_rows(_ledger_path(options), options.n)
    if options.json:
        for row in found:
            print(json.dumps(row))
        return
    table = Table("id", "at", "label", "confidence", "anomaly", "mm", "bin", "reason", "landed")
    for row in found:
        numbers = [
            f"{row[name]:.{digits}f}" if row[name] is not None else ""
            for name, digits in (("confidence", 4), ("anomaly", 1), ("diameter_mm", 2))
        ]
        table.add_row(
            str(row["id"]),
            row["at"],
            row["label"],
            *numbers,
            row["bin"],
            row["reason"],
            row["landed"] or "on its way",
        )
    Console().print(table)


def _ledger_export(options: argparse.Namespace) -> None:
    path = _ledger_path(options)
    if options.to is None:
        export_rows(path, sys.stdout, options.format)
        return
    with whole_file(options.to, "--to") as to:
        written = export_rows(path, to, options.format)
    print(f"{written} rows in {options.to}")
