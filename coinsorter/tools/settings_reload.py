"""config.yaml, read again while the machine sorts: beside its loop, and never to its harm."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coinsorter.config.checks import SizedLabel
from coinsorter.config.load import format_mistakes, read_config
from coinsorter.config.schema import Config
from coinsorter.errors import ConfigError

#: Seconds that reading may take; the old settings stay in force after that.
MAX_READING_S = 1.5
#: What a file may do to its reader that it has no words for.
UNREADABLE = (OSError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Reloaded:
    """The settings that were read; None with the reason where the old ones stay in force."""

    settings: Config | None
    problem: str = ""


class SettingsReload:
    """Reads the settings in a thread, so that frames and watchdog pings go on meanwhile.

    labels: those of the bundle in use. now_s: seconds on a monotonic clock.
    """

    def __init__(
        self,
        path: Path,
        labels: Mapping[str, SizedLabel],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._labels = labels
        self._now_s = now_s
        self._results: list[Reloaded] | None = None  # that of the thread; None while none reads
        self._until_s = 0.0

    def start(self) -> None:
        """Begins to read; what is still being read is dropped."""
        self._results = []
        self._until_s = self._now_s() + MAX_READING_S
        thread = threading.Thread(target=self._read, args=(self._results,), daemon=True)
        thread.start()

    def take_result(self) -> Reloaded | None:
        """What came of it, once; None while nothing is read or reading goes on."""
        if self._results is None:
            return None
        if self._results:
            (result,) = self._results
        elif self._now_s() < self._until_s:
            return None
        else:
            problem = f"{self._path}: not read within {MAX_READING_S} s; look at the file and disk"
            result = Reloaded(None, problem)
        self._results = None
        return result

    def _read(self, results: list[Reloaded]) -> None:
        try:
            settings, mistakes = read_config(self._path, self._labels)
        except ConfigError as error:
            results.append(Reloaded(None, _shorten(str(error).splitlines())))
        except UNREADABLE as error:
            results.append(Reloaded(None, f"{self._path}: cannot be read: {error}"))
        else:
            problem = _shorten(format_mistakes(self._path, mistakes))
            results.append(Reloaded(None if mistakes else settings, problem))


def _shorten(lines: list[str]) -> str:
    """The first of several lines, and how many more there are."""
    if len(lines) > 1:
        return f"{lines[0]} (and {len(lines) - 1} more: `coinsorter check` lists them)"
    return "".join(lines)
