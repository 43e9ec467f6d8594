"""coinsorter run: the machine, real or simulated."""

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coinsorter.commands._inputs import load_matching_bundle
from coinsorter.commands._options import (
    Subparsers,
    add_command,
    add_config_option,
    add_force_option,
    add_json_option,
)
from coinsorter.commands.option_values import read_count, read_seed
from coinsorter.config.load import load_config
from coinsorter.config.schema import Config
from coinsorter.errors import InputError, LedgerError
from coinsorter.files.locks import SIMULATING
from coinsorter.files.ownership import check_file
from coinsorter.ledger.ledger import SIMULATED_NOTE
from coinsorter.ledger.ledger_lock import lock_ledger
from coinsorter.tools.sorting_service import sort_until_stopped

if TYPE_CHECKING:
    from coinsorter.recognition.bundle import Bundle
    from coinsorter.simulator.simulated_machine import SimulatedMachine
    from coinsorter.simulator.simulation_report import ContactSheet
    from coinsorter.simulator.simulation_result import SimulationResult

DETAILS = (
    "The real machine sorts until it is stopped (Ctrl-C or SIGTERM); flaps go to rest first and "
    "last. SIGHUP reads acceptance and labels from config.yaml again. With --simulate the same "
    "program runs between a virtual camera and mock pins, on coins of an invented currency. It is "
    "judged by where each item really landed, and exits with 1 if a coin went wrong or the ledger "
    "does not match."
)


def add_parser(commands: Subparsers) -> None:
    """Adds `coinsorter run`."""
    parser = add_command(commands, "run", _run_run, "sort coins", DETAILS)
    add_config_option(parser)
    parser.add_argument(
        "--note", default="", help="a line for the ledger, such as who started the batch"
    )
    parser.add_argument(
        "--simulate", action="store_true", help="run the simulated machine instead of the real one"
    )
    _add_simulation_options(parser)
    add_json_option(parser, "the result of a simulated run")


def _add_simulation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--coins",
        type=read_count,
        default=300,
        metavar="N",
        help="simulated: number of items on the belt (default: 300)",
    )
    parser.add_argument(
        "--seed",
        type=read_seed,
        default=1,
        metavar="S",
        help="simulated: the same seed makes the same run (default: 1)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        metavar="DIR",
        help="simulated: folder for ledger and contact sheet (default: demo)",
    )
    add_force_option(parser)


def _run_run(options: argparse.Namespace) -> int:
    settings = load_config(options.config)
    load_bundle = partial(load_matching_bundle, settings, options.config)
    if options.simulate:
        return _simulate(options, settings, load_bundle())
    _check_note(options.note)
    sort_until_stopped(settings, load_bundle, options.config, options.note)
    return 0


def _check_note(note: str) -> None:
    """A real run may not call itself simulated: the ledgers of those are replaced."""
    if note.startswith(SIMULATED_NOTE):
        raise InputError(f"--note {note!r}: begins as those of simulated runs; name it otherwise")


def _simulate(options: argparse.Namespace, settings: Config, bundle: "Bundle") -> int:
    from rich.console import Console

    from coinsorter.recognition.runtime import pick_runtime
    from coinsorter.simulator import simulation_folder, simulation_report
    from coinsorter.simulator.simulated_machine import SimulatedMachine

    sheet_path = options.out / simulation_folder.SHEET
    ledger_path = options.out / simulation_folder.LEDGER
    claim = simulation_folder.make_claim(options.config, options.force)
    check_file(sheet_path, claim)
    machine_ledger = options.config.parent / settings.ledger.path
    simulation_folder.check_ledger(ledger_path, machine_ledger)
    _remove_ledger(ledger_path)  # every simulated run starts its own
    interpreter = pick_runtime(settings.runtime.interpreter)
    simulated = SimulatedMachine(
        settings, bundle, ledger_path, options.coins, options.seed, interpreter
    )
    sheet = simulation_report.ContactSheet(
        f"the last items of a simulated run, seed {options.seed}, as they passed"
    )
    result = _run_to_end(options, simulated, sheet)
    shown_path = sheet_path if sheet.write(sheet_path, claim) else None
    if options.json:
        print(json.dumps(asdict(result)))
    else:
        simulation_report.print_result(
            result, settings.reject_bin, Console(), shown_path, ledger_path, interpreter
        )
    failed = result.wrong or result.foreign_accepted or not result.ledger_matches or result.fault
    return 1 if failed else 0


def _run_to_end(
    options: argparse.Namespace, simulated: "SimulatedMachine", sheet: "ContactSheet"
) -> "SimulationResult":
    from coinsorter.commands._printing import show_progress

    simulated.machine.classifier.check_golden_crops()
    with (
        closing(simulated.machine),
        show_progress("sorting", options.coins, options.json) as advance,
    ):
        return simulated.run(advance, sheet)


def _remove_ledger(path: Path) -> None:
    try:
        if not path.exists():
            return
        with closing(lock_ledger(path, SIMULATING)):
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError(
            f"ledger {path}: the old one cannot be removed: {error.strerror}; "
            "name another folder with --out"
        ) from error
