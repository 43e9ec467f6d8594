"""Progress of long work on standard error: bars on a terminal, lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from coinsorter.escape import clean

#: Opens a progress bar: takes a title and the number of steps; gives a function that takes the
#: number of steps that are done and, if there are any, figures by name, such as a loss.
OpenProgress = Callable[[str, int], AbstractContextManager[Callable[..., None]]]

#: Takes the number of steps that are done.
ReportStep = Callable[[int], None]

#: Takes the number of epochs that are done, and the last one's figures by name, such as a loss.
ReportEpoch = Callable[[int, dict[str, float]], None]


@contextmanager
def show_progress(title: str, total: int) -> Iterator[Callable[..., None]]:
    """An `OpenProgress` for the command line.

    Where standard error is no terminal, it prints a line whenever there are figures, and one at the
    end.
    """
    console = Console(stderr=True)
    with Progress(*_columns(), console=console, disable=not console.is_terminal) as bar:
        title = clean(title)
        task = bar.add_task(title, total=total, word="")

        def advance(done: int, figures: dict[str, float] | None = None) -> None:
            word = _format_figures(figures or {})
            bar.update(task, completed=done, word=word)
            if not console.is_terminal and (figures or done == total):
                line = f"{title} {done}/{total} {word}".rstrip()
                print(line, file=sys.stderr, flush=True)

        yield advance


@contextmanager
def hide_progress(title: str, total: int) -> Iterator[Callable[..., None]]:
    """An `OpenProgress` that shows nothing."""
    yield lambda done, figures=None: None


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[word]}"),
    )


def _format_figures(figures: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in figures.items())
