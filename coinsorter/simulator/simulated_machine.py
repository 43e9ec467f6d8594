"""The simulated machine: the real pipeline between a simulated camera and mock pins."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from coinsorter.config.schema import Config, FlapSettings
from coinsorter.files.locks import SIMULATING
from coinsorter.hardware.clock import ManualClock
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.ledger.ledger import SIMULATED_NOTE, Ledger, RunRecord
from coinsorter.ledger.queries import read_totals
from coinsorter.recognition.bundle import Bundle
from coinsorter.simulator.belt import BeltDrive, SimulatedBelt, feed_items
from coinsorter.simulator.belt_camera import BeltCamera
from coinsorter.simulator.servo import SimulatedPins, SimulatedServo
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.simulator.simulation_result import SimulationResult, compare_with_truth
from coinsorter.simulator.stepped_ledger import SteppedLedger, step_ledger
from coinsorter.sorting.assembly import assemble_machine
from coinsorter.sorting.machine import SortedCoin

#: Tokens on the belt bear motifs of these families. The shipped bundle's training set has none.
UNSEEN_MOTIFS = ("bars", "head", "heart", "diamond")
#: The part of its configured travel time that a servo needs lies between these: servos are
#: somewhat faster, as a technician leaves them.
TRAVEL_FRACTIONS = (0.7, 1.0)


class SimulatedMachine:
    """A machine that sorts `count` invented items; the same seed makes the same run, bit for bit.

    machine: the real one, assembled from simulated parts. belt: the truth about every item.
    """

    def __init__(
        self,
        config: Config,
        bundle: Bundle,
        ledger_path: Path,
        count: int,
        seed: int,
        runtime: str,
    ) -> None:
        self.config = config
        self.seed = seed
        self.ledger_path = ledger_path
        self.clock = ManualClock()
        feeder_rng, drive_rng, camera_rng, servo_rng, strike_rng = _spawn_rngs(seed)
        self.belt = SimulatedBelt(
            config,
            drive=BeltDrive(config.belt.speed_mm_s, drive_rng),
            riders=feed_items(count, UNSEEN_MOTIFS, feeder_rng),
            servos=_build_servos(config, servo_rng),
            rng=strike_rng,
        )
        self.camera = self._build_camera(camera_rng)
        self.machine = assemble_machine(
            config,
            bundle,
            runtime,
            camera=self.camera,
            flaps=self._build_flaps(),
            ledger=self._open_ledger(bundle, runtime),
            clock=self.clock,
        )

    def run(
        self,
        progress: Callable[[int], None] = lambda landed: None,
        on_sorted: Callable[[SortedCoin], None] = lambda coin: None,
    ) -> SimulationResult:
        """Sort everything and compare the ledger with where it really landed.

        progress: called after each frame with the number of items that have landed.
        """
        self.machine.on_sorted = on_sorted
        spent_s = self._run_timed(progress)
        self.machine.close()
        failure = self.machine.failure
        return compare_with_truth(
            self.belt,
            totals=read_totals(self.ledger_path),
            seed=self.seed,
            fault=str(failure) if failure else None,
            belt_s=self.clock.now_s(),
            cpu_s=spent_s,
            bundle_hash=self.machine.classifier.bundle.digest,
        )

    def _run_timed(self, progress: Callable[[int], None]) -> float:
        """Run to the end; the processor time it took in s, without the drawing of the frames."""
        start_s = time.process_time()
        drawn_before_s = self.camera.drawing_s
        self.machine.start()
        while self.machine.step():
            progress(self.camera.landed)
        spent_s = time.process_time() - start_s
        drawing_s = self.camera.drawing_s - drawn_before_s
        return spent_s - drawing_s

    def _build_camera(self, rng: np.random.Generator) -> BeltCamera:
        camera = SimulatedCamera(_choose_optics(self.config), rng)
        frame_s = 1 / self.config.camera.frames_per_s
        return BeltCamera(self.belt, camera, self.clock, frame_s)

    def _build_flaps(self) -> Flaps:
        """The real flaps on simulated pins."""
        servos = {}
        for bin_ in self.config.bins:
            servos[bin_.flap.pin] = self.belt.servos[bin_.name]
        pins = SimulatedPins(self.clock, servos)
        return Flaps(self.config, MockServos(pins))

    def _open_ledger(self, bundle: Bundle, runtime: str) -> SteppedLedger:
        note = f"{SIMULATED_NOTE}{self.seed}"
        run = RunRecord(str(bundle.path), bundle.digest, runtime, note)
        ledger = Ledger(self.ledger_path, run, purpose=SIMULATING)
        return step_ledger(ledger, self.clock.now_s)


def _spawn_rngs(seed: int) -> list[np.random.Generator]:
    """Random generators for feeder, belt drive, camera, servos and strikes, in this order."""
    seeds = np.random.SeedSequence(seed).spawn(5)
    return [np.random.default_rng(own_seed) for own_seed in seeds]


def _build_servos(config: Config, rng: np.random.Generator) -> dict[str, SimulatedServo]:
    """A servo for every bin, by the bin's name."""
    return {bin_.name: _build_servo(config, bin_.flap, rng) for bin_ in config.bins}


def _build_servo(
    config: Config,
    flap: FlapSettings,
    rng: np.random.Generator,
) -> SimulatedServo:
    return SimulatedServo(
        flap,
        min_pulse_us=config.servo.min_pulse_us,
        max_pulse_us=config.servo.max_pulse_us,
        travel_fraction=float(rng.uniform(*TRAVEL_FRACTIONS)),
    )


def _choose_optics(config: Config) -> Optics:
    return Optics(
        width_px=config.camera.width_px,
        height_px=config.camera.height_px,
        px_per_mm=config.belt.px_per_mm,
        motion_blur_mm=config.belt.speed_mm_s * config.camera.exposure_us / 1e6,
    )
