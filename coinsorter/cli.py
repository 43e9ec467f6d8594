"""The command line: what commands there are, and what their failures look like; each command is a module of `commands`."""

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
    ledger_command,
    replay_command,
    run_command,
    wiring_command,
)
from coinsorter.errors import CoinsorterError, ConfigError

COMMANDS = (
    run_command,
    replay_command,
    check_command,
    doctor_command,
    capture_command,
    wiring_command,
    calibrate_command,
    bench_command,
    ledger_command,
)

DESCRIPTION = "A headless machine that sorts coins by proof and accounts for each of them."
EPILOG = """\
first steps:
  coinsorter run --simulate       watch a simulated machine sort 300 things
  coinsorter check                find every mistake in config.yaml
  coinsorter doctor               find what is wrong with the machine
  coinsorter snap                 one picture of what the camera sees
  coinsorter calibrate view DIR   measure the camera's scale with coins of known size
  coinsorter replay FOLDER        try the recognition on pictures of coins
  coinsorter run                  sort on the real machine
  coinsorter ledger totals        what has been sorted so far

exit status:
  0 done    1 a simulated run went wrong, or doctor found a fault    2 wrong usage    65 bad frames    66 unusable input files
  69 camera or pins cannot be used    74 the ledger cannot be written    78 a mistake in config.yaml or in a bundle
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
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
        return 130
    except _Terminated:
        return 143
    except BrokenPipeError:  # `coinsorter ledger export | head`
        sys.stderr.close()
        return 0


class _Terminated(BaseException):
    """SIGTERM, as an exception, so that what was begun is ended properly."""


def _terminated(*_: object) -> None:
    raise _Terminated


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "coinsorter",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"coinsorter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return parser
