"""`python -m coinsorter` is the `coinsorter` command."""

import _signal  # type: ignore[import-not-found]  # built in, unlike the slow signal
import sys

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl-C prints no traceback of imports

from coinsorter.command_line import Main, run_program


def main() -> int:
    """Runs the command of the words after the program's name; returns its exit status."""
    return run_program("coinsorter", _load_main)


def _load_main() -> Main:
    from coinsorter import cli

    return cli.main


if __name__ == "__main__":
    sys.exit(main())
