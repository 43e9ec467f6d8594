"""coinsorter doctor: what is wrong with this machine, and what to do."""

import argparse
import json
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from coinsorter.commands._options import Subparsers, add_command, add_config_option, add_json_option
from coinsorter.config.schema import Config
from coinsorter.escape import as_markup, clean
from coinsorter.hardware.camera.open_camera import open_camera
from coinsorter.sorting.ports import Camera
from coinsorter.tools.doctor_checks import run_checks
from coinsorter.tools.doctor_probe import FAULT, OK, WARNING, Finding, load_probe

DETAILS = (
    "Looks at settings, models, packages, service, camera, GPIO, servos, permissions, ledger and "
    "disk, watchdog, clock, temperature, supply, memory and versions. Prints one line each, with "
    "the remedy where there is one. Nothing moves. Exits with 1 if there is a fault."
)
COLOURS = {OK: "green", WARNING: "yellow", FAULT: "bold red"}


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter doctor`."""
    parser = add_command(
        commands, "doctor", _run_doctor, "find what is wrong with this machine", DETAILS
    )
    parser.add_argument(
        "--self-test",
        action="store_true",
        help="settings, models and packages only; no hardware is touched",
    )
    add_config_option(parser)
    add_json_option(parser, "the findings")


def _run_doctor(options: argparse.Namespace) -> int:
    def open_configured_camera(settings: Config) -> Camera:
        return open_camera(settings.camera, options.config.parent)

    probe = load_probe(options.config, open_configured_camera)
    findings = []
    console = Console()
    for finding in run_checks(probe, with_hardware=not options.self_test):
        findings.append(finding)
        if not options.json:
            _print_finding(finding, console)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return 1 if any(finding.state == FAULT for finding in findings) else 0


def _print_finding(finding: Finding, console: Console) -> None:
    state = (f"{finding.state:8}", COLOURS[finding.state])
    line = Text.assemble(state, clean(f"{finding.part}: {finding.what}"))
    console.print(line, soft_wrap=True)
    if finding.remedy:
        console.print(f"        -> {as_markup(finding.remedy)}", soft_wrap=True, highlight=False)
