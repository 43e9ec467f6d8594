"""How a program begins and ends: its signals, and one line and an exit status for every failure.

`coinsorter` and `coinsorter-train` are called through `run_program`, which is there before anything
slow is imported.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from coinsorter.errors import CoinsorterError, ConfigError
from coinsorter.streams import OutputError, drop_output, flush_output, guard_streams

#: A program's main: takes the words of the command line, returns the exit status.
Main = Callable[[list[str]], int]

#: EX_UNAVAILABLE, EX_OSERR and EX_IOERR of sysexits.h.
MISSING_PACKAGE_STATUS = 69
SYSTEM_STATUS = 71
OUTPUT_STATUS = 74
#: How pathlib complains of links that lead to each other: a RuntimeError before Python 3.13.
LINK_LOOP = "Symlink loop"
#: What a shell adds to a signal's number for the status of a program that the signal ended.
SIGNAL_STATUS = 128
#: Signals that end a command; a terminal that is closed sends SIGHUP.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds for which a command may clean up; a further signal ends it at once after that.
CLEAN_UP_S = 1.0
#: Seconds after which an exception that Python has dropped is raised again.
RAISE_AGAIN_S = 0.01
#: Where Python's own code for imports is, by its frames.
_IMPORTER = "<frozen importlib._bootstrap>"


class StopSignal(BaseException):
    """A signal that ends the command, as an exception, so that every `finally` is carried out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = SIGNAL_STATUS + number


def run_program(name: str, load_main: Callable[[], Main]) -> int:
    """Carries a program out; returns its exit status.

    name: the program's. load_main: imports the program and returns its main. While it is being
    imported a signal ends it at once: there is nothing to clean up.
    """
    _on_stop_signals(_exit_at_once)
    guard_streams()
    try:
        main = load_main()
        _StopOnce().install()
        status = _call(name, main)
        _on_stop_signals(signal.SIG_DFL)  # nothing is left to clean up
        return status
    except StopSignal as stop:
        return stop.status
    except KeyboardInterrupt:
        return SIGNAL_STATUS + signal.SIGINT


def end_command(name: str, command: Callable[[], int | None], remedy: str = "") -> int:
    """Carries a command out and says in one line why it failed; returns its exit status.

    name: the program's. remedy: what to do where a package is missing.
    """
    try:
        return int(command() or 0)
    except CoinsorterError as error:
        # Mistakes in settings are a line each, which begins with the file's name.
        _complain(str(error) if isinstance(error, ConfigError) else f"{name}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return SIGNAL_STATUS + signal.SIGINT
    except StopSignal as stop:
        return stop.status
    except OutputError as error:
        return _end_output(name, error)
    except ModuleNotFoundError as error:
        _complain(f"{name}: {error.name} is not installed; {remedy or 'install coinsorter again'}")
        return MISSING_PACKAGE_STATUS
    except BrokenPipeError:  # of a stream that is not guarded
        return 0
    except (OSError, MemoryError, RuntimeError) as error:
        return _end_system(name, error)


def _call(name: str, main: Main) -> int:
    """Calls a program's main and writes all its output."""
    try:
        status = main(sys.argv[1:])
    except SystemExit as end:  # argparse's, after its help or a wrong usage
        status = int(end.code or 0)
    unwritten = end_command(name, flush_output)
    return status or unwritten


def _end_output(name: str, error: OutputError) -> int:
    drop_output()
    if error.is_unread:  # `coinsorter ledger export | head`
        return 0
    _complain(f"{name}: {error}")
    return OUTPUT_STATUS


def _end_system(name: str, error: OSError | MemoryError | RuntimeError) -> int:
    """A refusal of the system; any other RuntimeError is a mistake in the program."""
    if isinstance(error, RuntimeError) and not str(error).startswith(LINK_LOOP):
        raise error
    _complain(f"{name}: {_describe(error)}")
    return SYSTEM_STATUS


def _describe(error: OSError | MemoryError | RuntimeError) -> str:
    if isinstance(error, MemoryError):
        return "out of memory; end other programs, or take a smaller input"
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _complain(message: str) -> None:
    """A message on standard error; what a terminal would obey in it is escaped.

    A message may have several lines, one a mistake, but not those of a file's name.
    """
    for word in sys.argv[1:]:
        if "\n" in word:
            message = message.replace(word, word.replace("\n", "\\n"))
    escaped = [_escape(character) for character in message]
    print("".join(escaped), file=sys.stderr)


def _escape(character: str) -> str:
    is_harmless = character.isprintable() or character == "\n"
    return character if is_harmless else ascii(character)[1:-1]


def _on_stop_signals(handler: "Callable[[int, FrameType | None], None] | signal.Handlers") -> None:
    """Sets what the signals do; what is ignored, as by `nohup`, stays ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _exit_at_once(number: int, _: FrameType | None) -> None:
    os._exit(SIGNAL_STATUS + number)


class _StopOnce:
    """Raises an exception at the first signal; a second one does not disturb the cleaning up.

    Where Python drops the exception, since it came within a destructor or a callback, it is raised
    again a moment later. While a module is being imported it waits: libraries of other languages
    make another error of it, or end the process.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._exception: BaseException | None = None

    def install(self) -> None:
        """Handles the signals from now on."""
        _on_stop_signals(self)
        signal.signal(signal.SIGALRM, self._raise)
        sys.unraisablehook = self._take_back

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
            is_ctrl_c = number == signal.SIGINT
            self._exception = KeyboardInterrupt() if is_ctrl_c else StopSignal(number)
            self._raise(number, frame)
        if now_s > self._first_s + CLEAN_UP_S:
            _exit_at_once(number, frame)

    def _take_back(self, dropped: "sys.UnraisableHookArgs") -> None:
        if self._exception is not None and dropped.exc_value is self._exception:
            signal.setitimer(signal.ITIMER_REAL, RAISE_AGAIN_S)
        else:
            sys.__unraisablehook__(dropped)

    def _raise(self, _: int, frame: FrameType | None) -> None:
        if _is_importing(frame):
            signal.setitimer(signal.ITIMER_REAL, RAISE_AGAIN_S)
        elif self._exception is not None:
            raise self._exception


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported at this place in the program."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTER:
            return True
        frame = frame.f_back
    return False
