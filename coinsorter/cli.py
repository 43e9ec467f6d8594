"""The command line: which commands there are, and what their failures look like.

Each command is a module of `commands`.
"""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from coinsorter import __version__
from coinsorter.command_line import end_command
from coinsorter.escape import CleanFormatter

#: The commands, in the order of `--help`; each is the module `commands.<name>_command`.
COMMANDS = (
    "run",
    "replay",
    "check",
    "doctor",
    "snap",
    "capture",
    "watch",
    "jog",
    "park",
    "wiring",
    "calibrate",
    "bench",
    "seal",
    "ledger",
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
  71  the system refuses: memory, rights, a folder that is gone
  74  the ledger or standard output cannot be written
  75  another process uses the machine or writes the ledger
  78  a mistake in config.yaml or in a bundle
 129  SIGHUP, but for a machine that sorts: it reads config.yaml again
 130  Ctrl-C
 143  SIGTERM
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status.

    arguments: the words after the program's name, those of the shell where None.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    return end_command("coinsorter", lambda: _run(words))


def _run(words: list[str]) -> int | None:
    options = _make_parser(words).parse_args(words)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(CleanFormatter("%(levelname)s %(message)s"))
    level = logging.DEBUG if options.verbose else logging.INFO
    logging.basicConfig(level=level, handlers=[handler])
    status: int | None = options.command(options)
    return status


def _make_parser(words: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "coinsorter",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"coinsorter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _choose_commands(words):
        module = importlib.import_module(f"coinsorter.commands.{name}_command")
        module.add_parser(commands)
    return parser


def _choose_commands(words: list[str]) -> Sequence[str]:
    """The command that the words name, alone: flaps are parked before all others are imported."""
    named = [name for name in COMMANDS if words[:1] == [name]]
    return named or COMMANDS
