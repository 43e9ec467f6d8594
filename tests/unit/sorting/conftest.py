"""Simulated machines for the tests of sorting: one sees every frame, one knows the truth.

The first runs vision and recognition too, and takes seconds. The second knows each item on the
belt as if vision and recognition never erred; flaps, schedule, ledger and belt are the same.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from coinsorter.errors import CameraError
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.records import Circle, Coin, Frame, Motion, Verdict
from coinsorter.simulator.belt import Rider, SimulatedBelt
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.sorting.assembly import build_search
from coinsorter.vision.scale import ScalePlane

REST_US = 1500
SMALL_VIEW = ScalePlane(
    0.4, 0.0, 0.0, 64, 48
)  # as wide as the machine's own, a tenth of its pixels
EMPTY_FRAME = np.full((48, 64, 3), 90, np.uint8)
SPEED_MM_S, SPEED_SEM_MM_S = 250.0, 0.3
OUTLINE = Circle(50.0, 24.0, 5.0, 1.0, 1.0, 20.0, (90.0, 90.0, 90.0), True)


class TrueTracker:
    """Tracks the items of a simulated belt without looking at any frame; see `BeltTracker`."""

    scale = SMALL_VIEW

    def __init__(self, belt: SimulatedBelt) -> None:
        self._belt = belt
        self._decided = 0
        self._now_s = 0.0
        self._border_mm = SMALL_VIEW.locate_mm(63, 24)[0]

    def update(self, frame: Frame, circles: list) -> list[Coin]:
        assert circles == [], "nothing is drawn on these frames"
        self._now_s = frame.taken_s
        leaving = [
            (rider, x_mm)
            for rider, x_mm in self._visible()
            if x_mm + rider.item.half_length_mm > self._border_mm - 6
        ]
        self._decided += len(leaving)
        return [self._coin(rider, x_mm) for rider, x_mm in leaving]

    def list_undecided(self) -> list[Motion]:
        return [
            Motion(x_mm, self._now_s, rider.item.half_length_mm, SPEED_MM_S, SPEED_SEM_MM_S)
            for rider, x_mm in self._visible()
        ]

    def _visible(self) -> list[tuple[Rider, float]]:
        visible = self._belt.list_visible(self._now_s, self._border_mm)
        return [(rider, x_mm) for rider, x_mm in visible if rider.number >= self._decided]

    def _coin(self, rider: Rider, x_mm: float) -> Coin:
        return Coin(
            number=rider.number + 1,
            crops=(),
            circles=(OUTLINE,),
            diameter_mm=2 * rider.item.half_length_mm,
            x_mm=x_mm,
            y_mm=rider.y_mm,
            seen_s=self._now_s,
            speed_mm_s=SPEED_MM_S,
            speed_sem_mm_s=SPEED_SEM_MM_S,
            sightings=20,
            alone=True,
        )


class TrueClassifier:
    """Recognises every item of a simulated belt without an error; see `Classifier`."""

    def __init__(self, bundle: Any, riders: list[Rider]) -> None:
        self.bundle = bundle
        self._riders = riders

    def classify(self, coin: Coin, time_left: Callable[[], bool]) -> Verdict:
        label = self._riders[coin.number - 1].item.label
        confidence = 1.0 if label else 0.0
        name = label or next(iter(self.bundle.labels))
        return Verdict(name, confidence, confidence, "", 0.0, self.bundle.labels[name].diameter_mm)


class BlankPainter:
    """Draws the same empty frame whatever lies on the belt, and needs no thread."""

    drawing_s = 0.0

    def take_next(self) -> np.ndarray:
        return EMPTY_FRAME

    def close(self) -> None:
        pass


@pytest.fixture
def build(config, crowns, tmp_path):
    """Builds simulated machines that see every frame; changes: of sections of config.yaml."""

    def build_machine(count: int = 12, seed: int = 1, **changes) -> SimulatedMachine:
        settings = config.model_copy(update=changes)
        path = tmp_path / f"ledger-{seed}.db"
        return SimulatedMachine(settings, crowns, path, count, seed, pick_runtime("auto"))

    return build_machine


@pytest.fixture
def build_true(build, crowns):
    """Builds simulated machines that know the items on the belt; changes: as for `build`."""

    def build_machine(count: int = 12, seed: int = 1, **changes) -> SimulatedMachine:
        simulated = build(count, seed, **changes)
        see_the_truth(simulated, crowns)
        return simulated

    return build_machine


def see_the_truth(simulated: SimulatedMachine, bundle: Any) -> None:
    """Lets a simulated machine know the items on the belt, and draw none of them."""
    simulated.camera.close()
    simulated.camera._painter = BlankPainter()
    machine = simulated.machine
    machine.tracker = TrueTracker(simulated.belt)
    machine.classifier = TrueClassifier(bundle, simulated.belt.riders)
    machine.search = build_search(bundle, SMALL_VIEW)
    machine.scale_follower = None


class WiredPanel:
    """A panel whose button is pressed by hand, and whose sensors see what really falls."""

    def __init__(self, simulated: SimulatedMachine, blind: tuple[str, ...] = ()) -> None:
        self._simulated, self._blind = simulated, blind
        self._counted: dict[str, int] = {}
        self.pressed = 0
        self.entered = 0
        self.feeding: list[bool] = []
        self.states: list[str] = []

    def feed(self, on: bool) -> None:
        self.feeding.append(on)

    def show(self, state: str) -> None:
        self.states.append(state)

    def count_presses(self) -> int:
        pressed, self.pressed = self.pressed, 0
        return pressed

    def count_beam_breaks(self) -> int:
        entered, self.entered = self.entered, 0
        return entered

    def count_drops(self, bin: str) -> int:
        landed = sum(rider.landed == bin for rider in self._simulated.belt.riders)
        new = landed - self._counted.get(bin, 0)
        self._counted[bin] = landed
        return 0 if bin in self._blind else new


def wire_panel(simulated: SimulatedMachine, **settings) -> WiredPanel:
    """Gives the machine a panel and, since the belt drops items a second late, patient sensors."""
    panel = WiredPanel(simulated, **settings)
    simulated.machine.panel = panel
    drop_sensors = simulated.machine.drop_sensors
    drop_sensors.count_drops = panel.count_drops
    drop_sensors.within_s = {b.name: 3.0 for b in simulated.config.bins}
    return panel


class SilentCamera:
    """A camera that falls silent at some frames, and delivers again once it is reopened."""

    def __init__(self, camera: Any, at: set[int], opens: bool = True) -> None:
        self._camera, self._at, self._opens = camera, set(at), opens
        self._frames = self.reopened = 0
        self.on_reopen: Callable[[], None] = lambda: None

    def next_frame(self) -> Frame | None:
        if self._frames in self._at:
            raise CameraError("no frame for 0.25 s; check the camera's cable, then start again")
        self._frames += 1
        return self._camera.next_frame()

    def reopen(self) -> None:
        self.on_reopen()
        self.reopened += 1
        if not self._opens:
            raise CameraError("no camera: gone; check its cable")
        self._at.discard(self._frames)

    def close(self) -> None:
        self._camera.close()


def moved_bins(simulated: SimulatedMachine) -> set[str]:
    """Bins whose servo ever got any pulse but that of rest."""
    return {
        name
        for name, servo in simulated.belt.servos.items()
        if any(round(pulse_us) not in (0, REST_US) for _, pulse_us in servo.pulses)
    }


def last_pulses_us(simulated: SimulatedMachine) -> set[int]:
    """The pulses that the servos got last."""
    return {round(servo.pulses[-1][1]) for servo in simulated.belt.servos.values()}


def read_incidents(simulated: SimulatedMachine) -> list[str]:
    with sqlite3.connect(simulated.ledger_path) as connection:
        rows = connection.execute("SELECT what FROM incidents ORDER BY id").fetchall()
    connection.close()
    return [what for (what,) in rows]


def run_steps(simulated: SimulatedMachine) -> None:
    """Sorts until every item has landed."""
    while simulated.machine.step():
        pass


def run_empty_belt(simulated: SimulatedMachine, seconds: float = 5.0) -> None:
    """Lets the belt run on empty, so that every sensor is read, and closes the machine."""
    end_s = simulated.clock.now_s() + seconds
    while simulated.clock.now_s() < end_s:
        simulated.clock.advance_to(simulated.clock.now_s() + 0.05)
        simulated.machine.tick()
    simulated.machine.close()
