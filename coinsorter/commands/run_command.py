"""coinsorter run: the machine, real or simulated."""

import argparse
import json
import logging
import signal
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from coinsorter import config
from coinsorter.commands._options import (
    add_command,
    add_config,
    add_json,
    bundle_for,
    count,
    progress,
    seed,
)
from coinsorter.config import Config
from coinsorter.errors import LedgerError
from coinsorter.hardware import systemd
from coinsorter.recognition import runtime
from coinsorter.recognition.bundle import Bundle
from coinsorter.sorting import ledger
from coinsorter.sorting.assembly import assemble_machine, build_rules
from coinsorter.sorting.machine import Machine

log = logging.getLogger(__name__)


def add(commands: Any) -> None:
    details = (
        "On the real machine it sorts until it is stopped (Ctrl-C or SIGTERM); flaps go to rest first and last. SIGHUP takes over acceptance and "
        "labels from config.yaml. With --simulate the same "
        "program runs between a virtual camera and mock pins, on coins of an invented currency, and is judged by where each thing really "
        "landed; it exits with 1 if a coin went wrong or the ledger does not match."
    )
    parser = add_command(commands, "run", _run, "sort coins", details)
    add_config(parser)
    parser.add_argument(
        "--note", default="", help="a line for the ledger, such as who started the batch"
    )
    parser.add_argument(
        "--simulate", action="store_true", help="run the simulated machine instead of the real one"
    )
    parser.add_argument(
        "--coins",
        type=count,
        default=300,
        metavar="N",
        help="simulated: number of things on the belt (default: 300)",
    )
    parser.add_argument(
        "--seed",
        type=seed,
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
    add_json(parser, "the result of a simulated run")


def _run(options: argparse.Namespace) -> int:
    settings = config.load(options.config)
    models = bundle_for(settings, options.config)
    return (
        _simulate(options, settings, models)
        if options.simulate
        else _sort(options, settings, models)
    )


def _simulate(options: argparse.Namespace, settings: Config, models: Bundle) -> int:
    from coinsorter.simulator import simulation_report
    from coinsorter.simulator.simulated_machine import SimulatedMachine

    picture, book = options.out / "contact-sheet.png", options.out / "ledger.db"
    _remove_ledger(book)  # every simulated run starts one of its own
    interpreter = runtime.pick(settings.runtime.interpreter)
    simulated = SimulatedMachine(settings, models, book, options.coins, options.seed, interpreter)
    simulated.machine.classifier.self_test()
    sheet = simulation_report.ContactSheet(
        f"the last things of a simulated run, seed {options.seed}, as they passed"
    )
    with closing(simulated.machine), progress("sorting", options.coins, options.json) as advance:
        truth = simulated.run(advance, sheet)
    written = sheet.write(picture)
    if options.json:
        print(json.dumps(asdict(truth)))
    else:
        simulation_report.print_result(
            truth, settings.reject_bin, Console(), picture if written else None, book, interpreter
        )
    failed = truth.wrong or truth.foreign_accepted or not truth.ledger_matches or truth.fault
    return 1 if failed else 0


def _remove_ledger(path: Path) -> None:
    try:
        for part in ("", "-wal", "-shm"):
            path.with_name(path.name + part).unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError(
            f"ledger {path}: the old one cannot be removed: {error.strerror}; name another folder with --out"
        ) from error


def _sort(options: argparse.Namespace, settings: Config, models: Bundle) -> int:
    """Sorts until it is told to stop; raises what sent the machine to safety once that has happened."""
    from coinsorter.hardware.camera.open_camera import open_camera
    from coinsorter.hardware.clock import MonotonicClock
    from coinsorter.hardware.flaps import Flaps
    from coinsorter.hardware.panel import Panel
    from coinsorter.hardware.servos.open_servos import open_servos

    interpreter = runtime.pick(settings.runtime.interpreter)
    log.info("bundle %s, %s %s", models.path, interpreter, runtime.version(interpreter))
    facts = ledger.RunRecord(str(models.path), models.digest, interpreter, options.note)
    told, wishes = systemd.service(), _Wishes()
    with ExitStack() as parts:
        flaps = Flaps(settings, open_servos(settings))
        parts.callback(flaps.close)
        flaps.park()
        panel = Panel(settings)
        parts.callback(panel.close)
        book = ledger.BackgroundLedger(
            lambda: ledger.Ledger(options.config.parent / settings.ledger.path, facts)
        )
        parts.callback(book.close)
        camera = open_camera(settings.camera, options.config.parent)
        parts.callback(camera.close)
        machine = assemble_machine(
            settings, models, interpreter, camera, flaps, book, MonotonicClock(), panel
        )
        parts.callback(machine.close)  # the flaps first
        parts.callback(told.stopping, "flaps go to rest")
        machine.classifier.self_test()
        machine.start()
        told.ready(_status(machine, models))
        while not wishes.stop and machine.step():
            told.alive(camera.heartbeat_s, lambda: _status(machine, models))
            if wishes.reload:
                wishes.reload = False
                told.reloading()
                _reload(options.config, machine, models)
                told.ready(_status(machine, models))
    if machine.failure:
        raise machine.failure
    return 0


class _Wishes:
    """What signals ask for: SIGTERM and SIGINT to stop, SIGHUP to read config.yaml again."""

    def __init__(self) -> None:
        self.stop = self.reload = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def _stop(self, *_: object) -> None:
        self.stop = True

    def _reload(self, *_: object) -> None:
        self.reload = True


def _status(machine: Machine, models: Bundle) -> str:
    why = f": {machine.failure}" if machine.failure else ""
    return f"{machine.state}{why}; {machine.seen} things seen with {models.facts.name}"


def _reload(path: Path, machine: Machine, models: Bundle) -> None:
    """Takes over acceptance and the bins' labels from config.yaml; with a mistake in it all stays as it is."""
    settings, mistakes = config.read(path, models.labels)
    if settings is None or mistakes:
        for line in config.render(path, mistakes):
            log.warning("not taken over: %s", line)
        return
    if {b.name for b in settings.bins} - {site.bin for site in machine.schedule.sites}:
        log.warning("not taken over: %s: bins are added only at a start", path)
        return
    machine.rules = build_rules(settings, models)
    log.info("%s: limits and labels taken over; all else only at a start", path)
