"""coinsorter doctor: what is wrong with this machine, and what to do."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from coinsorter.commands._options import add_command, add_config, add_json
from coinsorter.config import Config
from coinsorter.hardware.camera.open_camera import open_camera
from coinsorter.sorting.ports import Camera
from coinsorter.tools import doctor_checks
from coinsorter.tools.doctor_checks import FAULT, OK, WARNING, Finding

COLOURS = {OK: "green", WARNING: "yellow", FAULT: "bold red"}


def add(commands: Any) -> None:
    details = (
        "Looks at settings, models, packages, service, camera, GPIO, servos, permissions, ledger and disk, watchdog, clock, temperature, supply, memory and "
        "versions: one line each, with the remedy where there is one. Nothing moves. Exits with 1 if there is a fault."
    )
    parser = add_command(
        commands, "doctor", _doctor, "find what is wrong with this machine", details
    )
    parser.add_argument(
        "--self-test",
        action="store_true",
        help="settings, models and packages alone; no hardware is touched",
    )
    add_config(parser)
    add_json(parser, "the findings")


def _doctor(options: argparse.Namespace) -> int:
    def camera(settings: Config) -> Camera:
        return open_camera(settings.camera, options.config.parent)

    patient = doctor_checks.admitted(options.config, camera)
    findings, console = [], Console()
    for finding in doctor_checks.examine(patient, hardware=not options.self_test):
        findings.append(finding)
        if not options.json:
            _show(finding, console)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return 1 if any(finding.state == FAULT for finding in findings) else 0


def _show(finding: Finding, console: Console) -> None:
    console.print(
        Text.assemble(
            (f"{finding.state:8}", COLOURS[finding.state]), f"{finding.part}: {finding.what}"
        ),
        soft_wrap=True,
    )
    if finding.remedy:
        console.print(f"        -> {finding.remedy}", soft_wrap=True, highlight=False)
