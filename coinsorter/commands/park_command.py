"""coinsorter park: every flap, brought to rest."""

import argparse

from coinsorter.commands._options import Subparsers, add_command, add_config_option
from coinsorter.config.load import load_config
from coinsorter.files.locks import PARKING
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.machine_lock import lock_machine
from coinsorter.hardware.servos.open_servos import open_servos

DETAILS = (
    "Brings every flap to rest, where coins run on to the reject bin, and stops all pulses. "
    "The service does so itself. systemd runs this after a service that was killed, since the "
    "pulses of some drivers outlive it."
)


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter park`."""
    parser = add_command(commands, "park", _run_park, "bring every flap to rest", DETAILS)
    add_config_option(parser)


def _run_park(options: argparse.Namespace) -> None:
    settings = load_config(options.config)
    with lock_machine(settings, options.config.parent, PARKING):
        Flaps(settings, open_servos(settings)).close()  # closing parks them
    print("every flap is at rest")
