"""The simulated machine: the real pipeline between a simulated camera and mock pins."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from coinsorter.config.schema import Config, FlapSettings
from coinsorter.hardware.clock import ManualClock
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Frame
from coinsorter.simulator.belt import BeltDrive, SimulatedBelt, feed_items
from coinsorter.simulator.servo import SimulatedPins, SimulatedServo
from coinsorter.simulator.simulated_camera import Optics, PlacedSprite, SimulatedCamera
from coinsorter.simulator.simulation_result import SimulationResult, compare_with_truth
from coinsorter.simulator.sprites import Sprite
from coinsorter.sorting.assembly import assemble_machine
from coinsorter.sorting.ledger import Ledger, RunRecord
from coinsorter.sorting.ledger_queries import read_totals
from coinsorter.sorting.machine import SortedCoin

#: From a frame's exposure until its pixels are in memory and the machine has dealt with them, s:
#: roughly what a Raspberry Pi 4 needs.
READOUT_S = 0.012
#: Items land this long after they have passed their flap, s. The flaps' history is complete up to
#: now; a second more does no harm.
LANDING_DELAY_S = 1.0
#: Tokens on the belt bear motifs of these families. The shipped bundle's training set has none.
UNSEEN_MOTIFS = ("bars", "head", "heart", "diamond")
#: The part of its configured travel time that a servo needs lies between these: servos are
#: somewhat faster, as a technician leaves them.
TRAVEL_FRACTIONS = (0.7, 1.0)


class BeltCamera:
    """Frames of the simulated belt, one after the other, until everything has landed.

    heartbeat_s: when the last frame came, seconds on the simulated clock. drawing_s: seconds of
    processor time that drawing has taken.
    """

    def __init__(
        self,
        belt: SimulatedBelt,
        camera: SimulatedCamera,
        clock: ManualClock,
        frame_s: float,
    ) -> None:
        self.heartbeat_s = 0.0
        self.drawing_s = 0.0
        self._belt = belt
        self._camera = camera
        self._clock = clock
        self._frame_s = frame_s
        self._number = 0
        self._sprites: dict[int, Sprite] = {}
        self._half_view_mm = camera.optics.width_px / 2 / camera.optics.px_per_mm

    @property
    def landed(self) -> int:
        """How many items have landed."""
        return sum(rider.landed is not None for rider in self._belt.riders)

    def next_frame(self) -> Frame | None:
        """The next frame; None once every item has landed."""
        start_s = time.process_time()
        frame = self._render_next()
        self.drawing_s += time.process_time() - start_s
        return frame

    def reopen(self) -> None:
        """Continue with the next frame."""

    def close(self) -> None:
        """Forget the drawn items."""
        self._sprites = {}

    def _render_next(self) -> Frame | None:
        if self.landed == len(self._belt.riders):
            return None
        taken_s = self._number * self._frame_s
        placed = self._place_sprites(taken_s)
        belt_mm = self._belt.drive.compute_position_mm(taken_s)
        pixels = self._camera.render_frame(placed, belt_mm)
        frame = Frame(pixels, self._number, taken_s)
        self._advance(taken_s)
        return frame

    def _advance(self, taken_s: float) -> None:
        """Move clock and belt on to when a frame taken at `taken_s` has been read out."""
        self._clock.advance_to(taken_s + READOUT_S)
        self._belt.land_items(taken_s - LANDING_DELAY_S)
        self._number += 1
        self.heartbeat_s = self._clock.now_s()

    def _place_sprites(self, now_s: float) -> list[PlacedSprite]:
        """What is in view now; an item is drawn once for as long as it is in view."""
        sprites = {}
        placed = []
        for rider, x_mm in self._belt.list_visible(now_s, self._half_view_mm):
            sprite = self._sprites.get(rider.number)
            if sprite is None:
                sprite = self._camera.draw_item(rider.item)
            sprites[rider.number] = sprite
            placed.append((sprite, x_mm, rider.y_mm))
        self._sprites = sprites
        return placed


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

    def _open_ledger(self, bundle: Bundle, runtime: str) -> Ledger:
        note = f"simulated, seed {self.seed}"
        run = RunRecord(str(bundle.path), bundle.digest, runtime, note)
        return Ledger(self.ledger_path, run)


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
