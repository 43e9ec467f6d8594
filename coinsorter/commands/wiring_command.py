"""coinsorter jog, park, wiring: flaps by hand, and how they are connected."""

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from coinsorter import config
from coinsorter.commands._options import add_command, add_config, known_bins
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.open_servos import open_servos
from coinsorter.tools import wiring

HELD_S = 1.0


def add(commands: Any) -> None:
    details = (
        "Turns one flap to its open place, or to a pulse, holds it for a moment, and brings it back to rest. Stop the service first: a pin serves "
        "one program."
    )
    parser = add_command(commands, "jog", _jog, "move one flap", details)
    parser.add_argument("bin", metavar="BIN", help="which flap: the name of its bin")
    parser.add_argument(
        "--us",
        type=float,
        metavar="N",
        help="pulse in microseconds, within servo.min_pulse_us and max_pulse_us (default: where it opens)",
    )
    parser.add_argument(
        "--hold-s",
        type=_seconds,
        default=HELD_S,
        metavar="S",
        help=f"how long it is held there (default: {HELD_S:g})",
    )
    add_config(parser)
    details = (
        "Brings every flap to rest, where coins run on to the reject bin, and lets go of the servos. The service does so itself; systemd runs this "
        "after a service that was killed, since some drivers' pulses outlive it."
    )
    add_config(add_command(commands, "park", _park, "bring every flap to rest", details))
    details = "Writes config.txt's fragment, the device-tree overlay, pin table, drawing and list of parts that fit config.yaml."
    parser = add_command(commands, "wiring", _wiring, "how everything is connected", details)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("firmware"),
        metavar="DIR",
        help="where they go (default: firmware)",
    )
    add_config(parser)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 60")
    return number


def _jog(options: argparse.Namespace) -> None:
    settings = config.load(options.config)
    (name,) = known_bins(settings, [options.bin])
    with closing(Flaps(settings, open_servos(settings))) as flaps:  # which parks at its end
        if options.us is None:
            flaps.move(name, open=True)
        else:
            flaps.jog(name, options.us)
        time.sleep(options.hold_s)
    print(f"{name}: moved, and back at rest")


def _park(options: argparse.Namespace) -> None:
    settings = config.load(options.config)
    Flaps(settings, open_servos(settings)).close()  # which parks
    print("every flap is at rest")


def _wiring(options: argparse.Namespace) -> None:
    for path in wiring.write(config.load(options.config), options.out):
        print(path)
