"""The machine as a service: it opens the machine's parts and sorts until a signal stops it.

The flaps come first: what a killed process left of pulses goes on until the next start parks. What
takes long to import or to load comes after that.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coinsorter.config.schema import Config
from coinsorter.files.locks import SORTING
from coinsorter.hardware import systemd
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.machine_lock import lock_pins
from coinsorter.hardware.servos.open_servos import open_servos
from coinsorter.tools.signal_requests import SignalRequests

if TYPE_CHECKING:
    from coinsorter.ledger.background_ledger import BackgroundLedger
    from coinsorter.ledger.ledger import RunRecord
    from coinsorter.recognition.bundle import Bundle
    from coinsorter.sorting.machine import Machine

log = logging.getLogger(__name__)


def sort_until_stopped(
    settings: Config, load_bundle: Callable[[], "Bundle"], config_path: Path, note: str = ""
) -> None:
    """Sorts with the real machine until SIGTERM or SIGINT; flaps go to rest first and last.

    config_path: the file of the settings, which SIGHUP reads again. note: a line for the ledger.
    Raises the error that sent the machine to safety, once a stop was requested, and StopSignal
    where a stop was requested before it was ready.
    """
    with ExitStack() as parts:
        signals = parts.enter_context(closing(SignalRequests()))
        flaps = _park_flaps(parts, settings)
        signals.call_at_the_end(flaps.close)
        signals.check()
        from coinsorter.tools.sorting_loop import SortingLoop  # which imports OpenCV

        bundle = load_bundle()
        signals.check()
        service = systemd.connect_systemd()
        machine = _open_machine(parts, signals, settings, bundle, flaps, config_path.parent, note)
        parts.callback(service.report_stopping, "flaps go to rest")
        machine.classifier.check_golden_crops()
        signals.check()
        signals.expect_rows()
        SortingLoop(machine, bundle, service, signals, config_path).run()
    if machine.failure and not signals.was_forced:
        raise machine.failure


def _park_flaps(parts: ExitStack, settings: Config) -> Flaps:
    """The machine's pins, which no other process has, and its flaps, at rest."""
    parts.enter_context(lock_pins(settings, SORTING))
    flaps = Flaps(settings, open_servos(settings))
    parts.callback(flaps.close)
    flaps.park()
    log.info("flaps at rest")
    return flaps


def _open_machine(
    parts: ExitStack,
    signals: SignalRequests,
    settings: Config,
    bundle: "Bundle",
    flaps: Flaps,
    base: Path,
    note: str,
) -> "Machine":
    """The machine with all its parts; `parts` closes the flaps first, then everything else."""
    from coinsorter.hardware.camera.open_camera import open_camera
    from coinsorter.hardware.clock import MonotonicClock
    from coinsorter.hardware.panel import GpioPanel
    from coinsorter.ledger.ledger import RunRecord
    from coinsorter.recognition.runtime import pick_runtime, read_version
    from coinsorter.sorting.assembly import assemble_machine

    interpreter = pick_runtime(settings.runtime.interpreter)
    log.info("bundle %s, %s %s", bundle.path, interpreter, read_version(interpreter))
    panel = GpioPanel(settings)
    parts.callback(panel.close)
    run = RunRecord(str(bundle.path), bundle.digest, interpreter, note)
    book = _open_ledger(settings, base, run)
    parts.callback(book.close)
    signals.check()
    camera = open_camera(settings.camera, base)
    parts.callback(camera.close)
    signals.check()
    clock = MonotonicClock()
    machine = assemble_machine(settings, bundle, interpreter, camera, flaps, book, clock, panel)
    parts.callback(machine.close)  # which is called first, and parks the flaps
    return machine


def _open_ledger(settings: Config, base: Path, run: "RunRecord") -> "BackgroundLedger":
    from coinsorter.ledger.background_ledger import BackgroundLedger
    from coinsorter.ledger.database_file import connect_ledger
    from coinsorter.ledger.ledger import Ledger
    from coinsorter.ledger.queued_ledger import RETRY_S

    path = base / settings.ledger.path
    connect = partial(connect_ledger, busy_timeout_s=RETRY_S)  # its thread tries again
    return BackgroundLedger(
        lambda: Ledger(path, run, connect=connect, keep_days=settings.ledger.keep_days)
    )
