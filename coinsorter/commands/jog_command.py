"""coinsorter jog: one flap, moved and brought back."""

import argparse
import time
from contextlib import closing

from coinsorter.commands._inputs import select_bins
from coinsorter.commands._options import Subparsers, add_command, add_config_option
from coinsorter.commands.option_values import read_number
from coinsorter.config.load import load_config
from coinsorter.escape import print_clean
from coinsorter.files.locks import JOGGING
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.machine_lock import lock_machine
from coinsorter.hardware.servos.open_servos import open_servos

DETAILS = (
    "Turns one flap to its open position, or to a pulse, holds it for a moment, and brings it back "
    "to rest. Stop the service first: a pin serves one program."
)
HOLD_S = 1.0  # long enough to look at the flap
MAX_HOLD_S = 60


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter jog`."""
    parser = add_command(commands, "jog", _run_jog, "move one flap", DETAILS)
    parser.add_argument("bin", metavar="BIN", help="which flap: the name of its bin")
    parser.add_argument(
        "--us",
        type=float,
        metavar="N",
        help="pulse in microseconds, within servo.min_pulse_us and servo.max_pulse_us "
        "(default: where it opens)",
    )
    parser.add_argument(
        "--hold-s",
        type=read_number(0, MAX_HOLD_S),
        default=HOLD_S,
        metavar="S",
        help=f"how long it is held there (default: {HOLD_S:g})",
    )
    add_config_option(parser)


def _run_jog(options: argparse.Namespace) -> None:
    settings = load_config(options.config)
    (name,) = select_bins(settings, [options.bin])
    with (
        lock_machine(settings, options.config.parent, JOGGING),
        closing(Flaps(settings, open_servos(settings))) as flaps,  # closing parks them
    ):
        if options.us is None:
            flaps.move(name, open=True)
        else:
            flaps.jog(name, options.us)
        time.sleep(options.hold_s)
    print_clean(f"{name}: moved, and back at rest")
