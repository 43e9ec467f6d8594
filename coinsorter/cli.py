"""The command line: which commands there are, and what their failures look like.

Each command is a module of `commands`.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence

from coinsorter import __version__
from coinsorter.commands import (
    bench_command,
    calibrate_command,
    capture_command,
    check_command,
    doctor_command,
    jog_command,
    ledger_command,
    park_command,
    replay_command,
    run_command,
    seal_command,
    snap_command,
    watch_command,
    wiring_command,
)
from coinsorter.errors import CoinsorterError, ConfigError

#: The commands, in the order of `--help`.
COMMANDS = (
    run_command,
    replay_command,
    check_command,
    doctor_command,
    snap_command,
    capture_command,
    watch_command,
    jog_command,
    park_command,
    wiring_command,
    calibrate_command,
    bench_command,
    seal_command,
    ledger_command,
)

DESCRIPTION = "A headless machine that sorts coins by proof and accounts for each of them."
EPILOG = """\
first steps:
  coinsorter run --simulate       watch a simulated machine sort 300 items
  coinsorter check                find every mistake in config.yaml
  coinsorter doctor               find what is wrong with the machine
  coinsorter snap                 one frame of what the camera sees
  coinsorter calibrate view DIR   measure the camera's scale with coins of known size
  coinsorter replay FOLDER        try the recognition on images of coins
  coinsorter run                  sort on the real machine
  coinsorter ledger totals        what has been sorted so far

exit status:
   0  done
   1  a simulated run went wrong, or doctor found a fault
   2  wrong usage
  65  bad frames
  66  input files that cannot be used
  69  camera or pins that cannot be used
  74  the ledger cannot be written
  75  another process uses the machine or writes the ledger
  78  a mistake in config.yaml or in a bundle
 130  Ctrl-C
 143  SIGTERM
"""


# What a shell reports of a program that a signal ends: 128 and the signal's number.
INTERRUPTED_STATUS = 128 + signal.SIGINT
TERMINATED_STATUS = 128 + signal.SIGTERM


class _Terminated(BaseException):
    """SIGTERM, as an exception, so that every `finally` and `with` is carried out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status.

    arguments: the words after the program's name, those of the shell where None.
    """
    options = _make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _raise_terminated)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(levelname)s %(message)s",
        stream=sys.stderr,
    )
    try:
        return int(options.command(options) or 0)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except CoinsorterError as error:
        print(f"coinsorter: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except _Terminated:
        return TERMINATED_STATUS
    except BrokenPipeError:  # `coinsorter ledger export | head`
        sys.stderr.close()
        return 0


def _raise_terminated(*_: object) -> None:
    raise _Terminated


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "coinsorter",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"coinsorter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    return parser
