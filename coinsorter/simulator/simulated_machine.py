"""The simulated machine: the real pipeline between a virtual camera and mock pins, and the truth about where everything landed."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.config.schema import Config
from coinsorter.hardware.clock import ManualClock
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.recognition.bundle import Bundle
from coinsorter.records import Frame
from coinsorter.simulator import belt, currency, sprites
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.sorting.assembly import assemble_machine
from coinsorter.sorting.ledger import Ledger, RunRecord
from coinsorter.sorting.ledger_queries import read_totals
from coinsorter.sorting.machine import Machine, SortedCoin

# From a frame's exposure until its pixels are in memory, and until the machine has dealt with them: what a Pi 4 needs, roughly.
READOUT_S = 0.012
# Tokens on the belt bear designs of these families; the shipped bundle's training set has none of them.
UNSEEN_MOTIFS = ("bars", "head", "heart", "diamond")


class SimulatedPin(MockPWMPin):
    """A mock pin that tells its factory when its duty cycle changes."""

    def _change_state(self, value: float) -> bool:
        changed = super()._change_state(value)
        if changed:
            self.factory.changed(self.info.name, float(value))
        return changed


class SimulatedPins(MockFactory):
    """gpiozero's mock pins on the simulated clock: every change of a pin is a change of its servo's history."""

    def __init__(self, clock: ManualClock, servos: dict[int, belt.SimulatedServo]) -> None:
        super().__init__(pin_class=SimulatedPin)
        self._clock = clock
        self._servos = {f"GPIO{pin}": servo for pin, servo in servos.items()}

    def changed(self, pin: str, duty: float) -> None:
        if pin in self._servos:
            self._servos[pin].set_duty(self._clock.now_s(), duty)


class BeltCamera:
    """Pictures of the simulated belt, one after the other, until everything has landed and a little longer."""

    def __init__(
        self, ride: belt.SimulatedBelt, camera: SimulatedCamera, clock: ManualClock, frame_s: float
    ) -> None:
        self._belt = ride
        self._camera = camera
        self._clock = clock
        self._frame_s = frame_s
        self._number = 0
        self._sprites: dict[int, sprites.Sprite] = {}
        self._half_view_mm = camera.optics.width_px / 2 / camera.optics.px_per_mm
        self.heartbeat_s = 0.0

    @property
    def landed(self) -> int:
        return sum(rider.landed is not None for rider in self._belt.riders)

    def next_frame(self) -> Frame | None:
        if self.landed == len(self._belt.riders):
            return None
        taken_s = self._number * self._frame_s
        pixels = self._camera.render_frame(
            self._visible(taken_s), self._belt.drive.compute_position_mm(taken_s)
        )
        self._clock.advance_to(taken_s + READOUT_S)
        self._belt.land_items(
            taken_s - 1.0
        )  # the flaps' history is complete up to now; a second more does no harm
        self._number += 1
        self.heartbeat_s = self._clock.now_s()
        return Frame(pixels, self._number - 1, taken_s)

    def reopen(self) -> None:
        """Goes on where it was."""

    def close(self) -> None:
        self._sprites = {}

    def _visible(self, now_s: float) -> list[tuple[sprites.Sprite, float, float]]:
        places = self._belt.list_visible(now_s, self._half_view_mm)
        self._sprites = {
            rider.number: self._sprites.get(rider.number) or self._camera.draw_item(rider.item)
            for rider, _ in places
        }
        return [(self._sprites[rider.number], x_mm, rider.y_mm) for rider, x_mm in places]


@dataclass(frozen=True)
class SimulationResult:
    """What really happened in a simulated run, counted by where things landed.

    bins: by bin, (objects, of which wrong). rejected: the ledger's reasons. ledger_matches: the ledger has in every bin, the reject bin
    included, exactly as many coins as landed there.
    """

    seed: int
    objects: int
    genuine_alone: int
    correct: int
    wrong: int
    foreign: int
    foreign_accepted: int
    bins: dict[str, tuple[int, int]]
    rejected: dict[str, int]
    foreign_kinds: dict[str, int]
    ledger_matches: bool
    fault: str | None
    belt_s: float
    belt_coins_per_s: float
    cpu_ms_per_coin: float


class SimulatedMachine:
    """A machine that sorts `count` invented things; the same seed makes the same run, bit for bit."""

    def __init__(
        self, config: Config, bundle: Bundle, ledger_path: Path, count: int, seed: int, runtime: str
    ) -> None:
        self.config = config
        self.seed = seed
        feeder, motion, camera, servos, chance = (
            np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)
        )
        self.clock = ManualClock()
        histories = {b.name: _history(config, b.flap, servos) for b in config.bins}
        riders = belt.feed_items(count, UNSEEN_MOTIFS, feeder)
        self.belt = belt.SimulatedBelt(
            config, belt.BeltDrive(config.belt.speed_mm_s, motion), riders, histories, chance
        )
        optics = Optics(
            config.camera.width_px,
            config.camera.height_px,
            config.belt.px_per_mm,
            _smear_mm(config),
        )
        view = SimulatedCamera(optics, camera)
        pins = SimulatedPins(self.clock, {b.flap.pin: histories[b.name] for b in config.bins})
        self.camera = BeltCamera(self.belt, view, self.clock, 1 / config.camera.frames_per_s)
        facts = RunRecord(str(bundle.path), bundle.digest, runtime, f"simulated, seed {seed}")
        self.ledger_path = ledger_path
        self.machine = assemble_machine(
            config,
            bundle,
            runtime,
            camera=self.camera,
            flaps=Flaps(config, MockServos(pins)),
            ledger=Ledger(ledger_path, facts),
            clock=self.clock,
        )

    def run(
        self,
        progress: Callable[[int], None] = lambda landed: None,
        on_sorted: Callable[[SortedCoin], None] = lambda coin: None,
    ) -> SimulationResult:
        """Sorts everything; `progress` is told now and then how many things have landed."""
        self.machine.on_sorted = on_sorted
        spent_s = _run_timed(self.machine, self.camera, progress)
        self.machine.close()
        return self._truth(spent_s)

    def _truth(self, spent_s: float) -> SimulationResult:
        riders = self.belt.riders
        genuine = [rider for rider in riders if rider.item.label]
        others = [rider for rider in riders if not rider.item.label]
        landed = Counter(rider.landed for rider in riders)
        booked = read_totals(self.ledger_path)
        belt_s = self.clock.now_s()
        names = [*(b.name for b in self.config.bins), self.config.reject_bin]
        return SimulationResult(
            seed=self.seed,
            objects=len(riders),
            genuine_alone=len(genuine),
            correct=sum(self._right(rider) for rider in genuine),
            wrong=sum(
                rider.landed != self.config.reject_bin and not self._right(rider)
                for rider in genuine
            ),
            foreign=len(others),
            foreign_accepted=sum(rider.landed != self.config.reject_bin for rider in others),
            bins={
                name: (landed[name], sum(self._misplaced(r) for r in riders if r.landed == name))
                for name in names
            },
            rejected=booked["rejected"],
            foreign_kinds=dict(Counter(rider.item.kind for rider in others)),
            ledger_matches=booked["bins"]
            == {name: count for name, count in landed.items() if count}
            and booked["seen"] == len(riders),
            fault=str(self.machine.failure) if self.machine.failure else None,
            belt_s=belt_s,
            belt_coins_per_s=len(riders) / belt_s if belt_s else 0.0,
            cpu_ms_per_coin=1000 * spent_s / max(1, booked["seen"]),
        )

    def _right(self, rider: belt.Rider) -> bool:
        return any(
            b.name == rider.landed and rider.item.label in b.labels for b in self.config.bins
        )

    def _misplaced(self, rider: belt.Rider) -> bool:
        """In a class's bin it does not belong to, or a good coin among the rejects."""
        return (
            rider.item.label is not None
            if rider.landed == self.config.reject_bin
            else not self._right(rider)
        )


def _run_timed(machine: Machine, camera: BeltCamera, progress: Callable[[int], None]) -> float:
    """Runs the machine to its end; the processor seconds it spent, the drawing of the frames left out."""
    spent, drawing = time.process_time(), 0.0
    draw = camera.next_frame

    def timed() -> Frame | None:
        nonlocal drawing
        start = time.process_time()
        frame = draw()
        drawing += time.process_time() - start
        return frame

    camera.next_frame = timed  # type: ignore[method-assign]
    machine.start()
    while machine.step():
        progress(camera.landed)
    return time.process_time() - spent - drawing


def _history(config: Config, flap: Any, rng: np.random.Generator) -> belt.SimulatedServo:
    """A servo somewhat faster than its configured travel time, as a technician leaves it."""
    return belt.SimulatedServo(
        flap, config.servo.min_pulse_us, config.servo.max_pulse_us, float(rng.uniform(0.7, 1.0))
    )


def _smear_mm(config: Config) -> float:
    return config.belt.speed_mm_s * config.camera.exposure_us / 1e6


def list_labels() -> list[dict[str, Any]]:
    """The invented currency's labels, as a recipe lists them."""
    return [
        {
            "name": c.label,
            "value": c.value,
            "currency": currency.CURRENCY_CODE,
            "diameter_mm": c.diameter_mm,
            "details": c.details,
        }
        for c in currency.DENOMINATIONS
    ]
