"""What commands share: options, files that are written whole, progress bars."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from coinsorter import config
from coinsorter.config import Config
from coinsorter.errors import ConfigError, InputError
from coinsorter.recognition import bundle
from coinsorter.recognition.bundle import Bundle


def add_command(
    commands: Any, name: str, command: Any, summary: str, details: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}. {details}"
    )
    parser.set_defaults(command=command)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="log a line for every coin, to standard error"
    )
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config.yaml"),
        metavar="FILE",
        help="the machine's settings (default: config.yaml)",
    )


def add_bundle(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help=f"{what} (default: the one in config.yaml)"
    )


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON, for programs")


def count(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100000")
    return int(text)


def seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def known_bins(settings: Config, wanted: list[str]) -> list[str]:
    """The bins that somebody named, all where none. Raises InputError naming one that is not there."""
    names = [bin_.name for bin_ in settings.bins]
    for name in wanted:
        if name not in names:
            raise InputError(f"{name}: no such bin; there are {', '.join(names)}")
    return wanted or names


def bundle_for(settings: Config, config_path: Path) -> Bundle:
    """The bundle that config.yaml names. Raises ConfigError where bins ask for labels that it has not."""
    models = bundle.load(config_path.parent / settings.runtime.bundle)
    _, mistakes = config.read(config_path, models.labels)
    if mistakes:
        raise ConfigError("\n".join(config.render(config_path, mistakes)))
    return models


@contextmanager
def whole_file(path: Path, option: str) -> Iterator[TextIO]:
    """A file to write to that is there under its name only once it is complete; what is no plain file (a device) is written to as it is.

    Raises InputError naming the option that named it.
    """
    plain, path = not path.exists() or path.is_file(), path.resolve()
    partial = Path(f"{path}.part") if plain else path
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        if plain:
            partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; name another file with {option}"
        ) from error
    finally:
        if plain:
            partial.unlink(missing_ok=True)


def show_totals(found: dict[str, Any]) -> None:
    table = Table("where", "coins")
    for name, count in found["bins"].items():
        table.add_row(name, str(count))
    for reason, count in found["rejected"].items():
        table.add_row(f"  rejected: {reason}", str(count))
    for name in ("uncertain", "open", "seen"):
        table.add_row(name, str(found[name]))
    for currency, amounts in found["value"].items():
        table.add_row(f"value, {currency}", f"{sum(amounts.values()):.2f}")
    Console().print(table)


class progress:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, what: str, total: int, quiet: bool) -> None:
        columns = (
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(
            *columns, console=Console(stderr=True), disable=quiet and not sys.stderr.isatty()
        )
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Any:
        self._bar.start()
        return lambda done: self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
