"""The machine as a service: it opens the machine's parts and sorts until a signal stops it."""

import logging
import signal
from contextlib import ExitStack
from pathlib import Path

from coinsorter.config.load import format_mistakes, read_config
from coinsorter.config.schema import Config
from coinsorter.hardware import systemd
from coinsorter.locks import SORTING
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.runtime import pick_runtime, read_version
from coinsorter.sorting import ledger
from coinsorter.sorting.assembly import assemble_machine, build_rules
from coinsorter.sorting.background_ledger import BackgroundLedger
from coinsorter.sorting.machine import Machine
from coinsorter.sorting.ports import Camera

log = logging.getLogger(__name__)


def sort_until_stopped(settings: Config, bundle: Bundle, config_path: Path, note: str = "") -> None:
    """Sorts with the real machine until SIGTERM or SIGINT; flaps go to rest first and last.

    config_path: the file of the settings, which SIGHUP reads again. note: a line for the ledger.
    Raises the error that sent the machine to safety, once it was told to stop.
    """
    interpreter = pick_runtime(settings.runtime.interpreter)
    log.info("bundle %s, %s %s", bundle.path, interpreter, read_version(interpreter))
    service = systemd.connect_systemd()
    signals = SignalRequests()
    run = ledger.RunRecord(str(bundle.path), bundle.digest, interpreter, note)
    with ExitStack() as parts:
        machine, camera = _open_machine(parts, settings, bundle, config_path.parent, run)
        parts.callback(service.report_stopping, "flaps go to rest")
        machine.classifier.check_golden_crops()
        machine.start()
        service.report_ready(describe_state(machine, bundle))
        while not signals.stop and machine.step():
            service.report_alive(camera.heartbeat_s, lambda: describe_state(machine, bundle))
            if signals.reload:
                signals.reload = False
                service.report_reloading()
                reload_rules(config_path, machine, bundle)
                service.report_ready(describe_state(machine, bundle))
    if machine.failure:
        raise machine.failure


def _open_machine(
    parts: ExitStack, settings: Config, bundle: Bundle, base: Path, run: ledger.RunRecord
) -> tuple[Machine, Camera]:
    """The machine and its camera; `parts` closes the flaps first, then everything else."""
    from coinsorter.hardware.camera.open_camera import open_camera
    from coinsorter.hardware.clock import MonotonicClock
    from coinsorter.hardware.flaps import Flaps
    from coinsorter.hardware.machine_lock import lock_pins
    from coinsorter.hardware.panel import GpioPanel
    from coinsorter.hardware.servos.open_servos import open_servos

    parts.enter_context(lock_pins(settings, SORTING))
    flaps = Flaps(settings, open_servos(settings))
    parts.callback(flaps.close)
    flaps.park()
    panel = GpioPanel(settings)
    parts.callback(panel.close)
    ledger_path = base / settings.ledger.path
    book = BackgroundLedger(lambda: ledger.Ledger(ledger_path, run))
    parts.callback(book.close)
    camera = open_camera(settings.camera, base)
    parts.callback(camera.close)
    machine = assemble_machine(
        settings, bundle, run.runtime, camera, flaps, book, MonotonicClock(), panel
    )
    parts.callback(machine.close)  # which is called first, and parks the flaps
    return machine, camera


class SignalRequests:
    """What signals request: SIGTERM and SIGINT to stop, SIGHUP to read config.yaml again."""

    def __init__(self) -> None:
        self.stop = False
        self.reload = False
        signal.signal(signal.SIGTERM, self._request_stop)
        signal.signal(signal.SIGINT, self._request_stop)
        signal.signal(signal.SIGHUP, self._request_reload)

    def _request_stop(self, *_: object) -> None:
        self.stop = True

    def _request_reload(self, *_: object) -> None:
        self.reload = True


def describe_state(machine: Machine, bundle: Bundle) -> str:
    """What the machine does, in one line for `systemctl status`."""
    reason = f": {machine.failure}" if machine.failure else ""
    return f"{machine.state}{reason}; {machine.coins_seen} things seen with {bundle.manifest.name}"


def reload_rules(path: Path, machine: Machine, bundle: Bundle) -> None:
    """Takes acceptance and labels from config.yaml; changes nothing if it has mistakes."""
    settings, mistakes = read_config(path, bundle.labels)
    if settings is None or mistakes:
        for line in format_mistakes(path, mistakes):
            log.warning("not reloaded: %s", line)
        return
    known_bins = {site.bin for site in machine.schedule.sites}
    if {bin_.name for bin_ in settings.bins} - known_bins:
        log.warning("not reloaded: %s: bins are added only at a start", path)
        return
    machine.rules = build_rules(settings, bundle)
    log.info("%s: thresholds and labels reloaded; all else only at a start", path)
