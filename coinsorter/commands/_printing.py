"""What several commands print: a progress bar, and the totals of a ledger."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from coinsorter.escape import as_markup


@contextmanager
def show_progress(title: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; gives a function that takes how much is done.

    quiet: show nothing where standard error is no terminal.
    """
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    hidden = quiet and not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden) as bar:
        task = bar.add_task(as_markup(title), total=total)
        yield lambda done: bar.update(task, completed=done)


def print_totals(totals: dict[str, Any]) -> None:
    """Prints what `read_totals` of a ledger returns, as a table."""
    table = Table("where", "coins")
    for name, coins in totals["bins"].items():
        table.add_row(as_markup(name), str(coins))
    for reason, coins in totals["rejected"].items():
        table.add_row(f"  rejected: {as_markup(reason)}", str(coins))
    for name in ("uncertain", "open", "seen"):
        table.add_row(name, str(totals[name]))
    for currency, amounts in totals["value"].items():
        table.add_row(f"value, {as_markup(currency)}", f"{sum(amounts.values()):.2f}")
    Console().print(table)
