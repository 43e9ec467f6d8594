"""`python -m coinsorter.training` is the `coinsorter-train` command."""

import _signal  # type: ignore[import-not-found]  # built in, unlike the slow signal
import sys

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl-C prints no traceback of imports

from coinsorter.command_line import Main, run_program


def main() -> int:
    """Runs the command of the words after the program's name; returns its exit status."""
    return run_program("coinsorter-train", _load_main)


def _load_main() -> Main:
    from coinsorter.training import train_cli

    return train_cli.main


if __name__ == "__main__":
    sys.exit(main())
