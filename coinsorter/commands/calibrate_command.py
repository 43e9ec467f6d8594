"""coinsorter calibrate: the machine's own numbers for config.yaml."""

from coinsorter.commands import (
    calibrate_belt_command,
    calibrate_flaps_command,
    calibrate_view_command,
)
from coinsorter.commands._options import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter calibrate` with its actions."""
    parser = commands.add_parser(
        "calibrate",
        help="measure the machine's own numbers",
        description="Measure the machine's own numbers for config.yaml.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    calibrate_view_command.add_parser(actions)
    calibrate_belt_command.add_parser(actions)
    calibrate_flaps_command.add_parser(actions)
