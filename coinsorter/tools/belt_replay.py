"""Recorded frames of the moving belt in place of the camera, with the whole machine behind them."""

from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.config.schema import Config
from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.hardware.clock import ManualClock
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.ledger.queries import read_rows, read_totals
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Frame
from coinsorter.sorting.assembly import assemble_machine
from coinsorter.sorting.machine import Machine


class ClockedCamera:
    """A folder's camera whose frames move the clock to when they were taken."""

    def __init__(self, camera: FolderCamera, clock: ManualClock) -> None:
        self._camera = camera
        self._clock = clock

    @property
    def heartbeat_s(self) -> float:
        """When the last frame was taken."""
        return self._camera.heartbeat_s

    def next_frame(self) -> Frame | None:
        """The next frame; None when there are no more."""
        frame = self._camera.next_frame()
        if frame:
            self._clock.advance_to(frame.taken_s)
        return frame

    def reopen(self) -> None:
        """Continue with the next frame."""
        self._camera.reopen()

    def close(self) -> None:
        """Deliver no more frames."""
        self._camera.close()


def replay_belt(
    settings: Config,
    bundle: Bundle,
    interpreter: str,
    paths: list[Path],
    ledger_path: Path,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the ledger says of a recording that went through the machine, and its row per coin.

    The pins are mock ones. Raises what sent the machine to safety.
    """
    clock = ManualClock()
    frame_s = 1 / settings.camera.frames_per_s
    camera = FolderCamera(paths, frame_s)
    run = RunRecord(str(bundle.path), bundle.digest, interpreter, "replay")
    machine = assemble_machine(
        settings,
        bundle,
        interpreter,
        camera=ClockedCamera(camera, clock),
        flaps=_build_mock_flaps(settings),
        ledger=Ledger(ledger_path, run),
        clock=clock,
    )
    _run_to_end(machine, clock, frame_s)
    totals = read_totals(ledger_path)
    totals["pictures"] = len(paths)
    totals["unreadable"] = [str(path) for path in camera.unreadable]
    return totals, read_rows(ledger_path)


def _build_mock_flaps(settings: Config) -> Flaps:
    pins = MockFactory(pin_class=MockPWMPin)
    return Flaps(settings, MockServos(pins))


def _run_to_end(machine: Machine, clock: ManualClock, frame_s: float) -> None:
    """Run until the recording is over and what is still on the belt has come to its end."""
    try:
        machine.classifier.check_golden_crops()
        machine.start()
        machine.run()
        while machine.schedule.busy:
            clock.advance_to(clock.now_s() + frame_s)
            machine.tick()
    finally:
        machine.close()
    if machine.failure:
        raise machine.failure
