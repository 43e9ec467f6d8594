"""The machine's loop: a frame in, coins classified, flaps moved, every coin in the ledger.

A coin that is to be sorted has its way planned first, then its row written; its flap may move once
the row is durable. What happens when something fails is in `safety`.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from coinsorter.errors import CameraError, CoinsorterError, FlapError, FrameError, LedgerError
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import SORTED, UNCERTAIN, Coin, Decision, Event, Frame, Verdict
from coinsorter.sorting.acceptance import Rules, decide, reject_late
from coinsorter.sorting.camera_reopening import CameraLadder
from coinsorter.sorting.ledger_watch import LedgerWatch
from coinsorter.sorting.ports import Camera, Clock, CoinLedger, FlapMover, NoPanel, Panel
from coinsorter.sorting.safety import Safety
from coinsorter.sorting.schedule import Passage, Schedule
from coinsorter.sorting.sensor_checks import BeamCheck, DropResult, DropSensorCheck
from coinsorter.vision.detect import Search, find_circles
from coinsorter.vision.scale import MAX_DRIFT, ScaleFollower
from coinsorter.vision.track import BeltTracker

log = logging.getLogger(__name__)

#: The machine's states, as panel, systemd and log show them.
SORTING = "sorting"
PAUSING = "paused"
FAILED = "fault"
WAITING = "waiting"


@dataclass(frozen=True)
class SortedCoin:
    """A coin, its verdict, and the decision on it."""

    coin: Coin
    verdict: Verdict
    decision: Decision


@dataclass
class Machine:
    """Everything between a camera and the flaps.

    scale_follower: None where the scale stays as it was calibrated.
    on_sorted: called with every coin decided on.
    paused: whether the stop button has stopped sorting.
    coins_seen: coins decided on.
    """

    camera: Camera
    tracker: BeltTracker
    classifier: Classifier
    rules: Rules
    schedule: Schedule
    flaps: FlapMover
    ledger: CoinLedger
    clock: Clock
    search: Search
    drop_sensors: DropSensorCheck
    scale_follower: ScaleFollower | None = None
    panel: Panel = field(default_factory=NoPanel)
    on_sorted: Callable[[SortedCoin], None] = lambda coin: None
    paused: bool = False
    coins_seen: int = 0
    _safety: Safety = field(init=False)
    _ledger_watch: LedgerWatch = field(init=False)
    _camera_ladder: CameraLadder = field(default_factory=CameraLadder)
    _beam: BeamCheck = field(default_factory=BeamCheck)
    _coins_seen_at_beam: int = 0  # when the beam was last read
    _shown_state: str = ""

    def __post_init__(self) -> None:
        self._safety = Safety(self.schedule, self.flaps, self.ledger, self.drop_sensors)
        self._ledger_watch = LedgerWatch(self.ledger, self.schedule)

    def start(self) -> None:
        """Parks the flaps; from now on coins are sorted."""
        self.flaps.park()
        self._watch_ledger()
        self._show_state()

    @property
    def failure(self) -> CoinsorterError | None:
        """Why the machine is in safety; None while it is not."""
        return self._safety.failure

    @property
    def waiting_for(self) -> str | None:
        """Why it waits for the ledger, and goes on by itself; None while it does not."""
        return None if self.failure else self._ledger_watch.waiting_for

    @property
    def state(self) -> str:
        """SORTING, PAUSING, WAITING or FAILED."""
        if self.failure:
            return FAILED
        if self.waiting_for:
            return WAITING
        return PAUSING if self.paused else SORTING

    def run(self) -> None:
        """Sorts until the camera has no more frames."""
        while self.step():
            pass

    def step(self) -> bool:
        """Takes one frame and does all that follows from it; False when the camera has no more."""
        try:
            frame = self.camera.next_frame()
        except CameraError as error:
            self._reopen_camera(error)
            return True
        if frame is None:
            return False
        self._camera_ladder.count_frame()
        self._check_size(frame)
        circles = find_circles(frame.pixels, self.search)
        for coin in self.tracker.update(frame, circles):
            self._sort(coin)
        self.tick()
        return True

    def tick(self) -> None:
        """Moves the flaps that are due and closes the rows of the coins that have passed."""
        self._watch_ledger()
        self._read_panel()
        if self.failure:
            return
        try:
            self._safety.arm_durable()
            commands, passages = self.schedule.tick(self.clock.now_s())
            for passage in passages:  # first, so that a flap's failure leaves no row open
                self._close_row(passage)
            self._read_drop_sensors()
            for command in commands:
                self.flaps.move(command.bin, command.open)
            self.flaps.tick(self.clock.now_s())
        except (LedgerError, FlapError) as error:
            self._safety.stop(error)

    def close(self) -> None:
        """Stops the feeder, parks the flaps and ends the ledger's run; safe to call twice."""
        with ExitStack() as parts:  # each is closed whatever the one before raises
            parts.callback(self.ledger.close)
            parts.callback(self.camera.close)
            parts.callback(self.flaps.close)
            self.panel.feed(False)

    def _reopen_camera(self, error: CameraError) -> None:
        """Parks the flaps, since the loop that closes them waits for frames, and opens the camera.

        Raises the error where the camera was opened again often enough.
        """
        may_reopen = self._camera_ladder.may_reopen()
        self._safety.park()
        remedy = "look whether coins passed unseen; it is opened again"
        self._safety.report_incident(str(error), "camera", remedy)
        if not may_reopen:
            raise error
        self.camera.reopen()

    def _check_size(self, frame: Frame) -> None:
        scale = self.tracker.scale
        height_px, width_px = frame.pixels.shape[:2]
        if (height_px, width_px) != (scale.height_px, scale.width_px):
            raise FrameError(
                f"frame {frame.number} is {width_px}x{height_px}, "
                f"not {scale.width_px}x{scale.height_px}; "
                "set camera.width_px and camera.height_px to what the camera delivers"
            )

    # A coin, from the verdict to its row.

    def _sort(self, coin: Coin) -> None:
        self.coins_seen += 1
        latest_s = self.schedule.latest_decision_s(coin.motion)
        verdict = self.classifier.classify(coin, time_left=lambda: self.clock.now_s() < latest_s)
        decision = self._decide_and_plan(coin, verdict)
        _log_coin(coin, verdict, decision)
        self._record(coin, verdict, decision)
        self._follow_scale(coin, verdict)
        self.on_sorted(SortedCoin(coin, verdict, decision))

    def _decide_and_plan(self, coin: Coin, verdict: Verdict) -> Decision:
        is_faulty = self.state in (FAILED, WAITING)
        decision = decide(coin, verdict, self.rules, is_faulty=is_faulty, is_paused=self.paused)
        if decision.reason == SORTED and not self._plan(coin, decision):
            decision = reject_late(self.rules)
        if decision.reason != SORTED and not self.failure:
            self.schedule.let_pass(coin.number, coin.motion)
        return decision

    def _plan(self, coin: Coin, decision: Decision) -> bool:
        """Whether the coin's way into its bin is proven safe, and planned."""
        others = self.tracker.list_undecided()
        now_s = self.clock.now_s()
        return self.schedule.plan_turn(coin.number, coin.motion, decision.bin, others, now_s)

    def _record(self, coin: Coin, verdict: Verdict, decision: Decision) -> None:
        """Writes the coin's row; without a ledger no coin is accepted, and none can be written."""
        if isinstance(self.failure, LedgerError):
            return
        try:
            receipt = self.ledger.record(self._event(coin, verdict, decision))
            if self.failure:  # no flap moves any more, so it is known already where the coin goes
                landed = self.rules.reject_bin if self._safety.at_rest else UNCERTAIN
                self.ledger.complete(coin.number, landed)
            else:
                self._safety.await_row(coin.number, receipt)
        except LedgerError as error:
            self._safety.stop(error)

    def _event(self, coin: Coin, verdict: Verdict, decision: Decision) -> Event:
        label = self.classifier.bundle.labels.get(verdict.label)
        return Event(
            coin=coin.number,
            seen_s=coin.seen_s,
            diameter_mm=coin.diameter_mm,
            speed_mm_s=coin.speed_mm_s,
            verdict=verdict,
            thresholds=self.rules.thresholds.get(verdict.label),
            decision=decision,
            value=label.value if label else 0.0,
            currency=label.currency if label else "",
        )

    def _follow_scale(self, coin: Coin, verdict: Verdict) -> None:
        """Keeps the view's scale true to the coins that pass."""
        if self.scale_follower is None:
            return
        diameters_mm = [label.diameter_mm for label in self.classifier.bundle.manifest.labels]
        self.tracker.scale = self.scale_follower.follow_coin(
            coin, verdict, self.rules.thresholds, diameters_mm
        )
        if self.scale_follower.lost:
            self.scale_follower = None
            self._safety.report_incident(
                f"the view's scale has drifted by more than {100 * MAX_DRIFT:.0f} %",
                "camera",
                "look whether the camera was moved and what coins came, then calibrate the view",
            )

    # A coin, from its row to its bin.

    def _close_row(self, passage: Passage) -> None:
        """Closes the row of a coin that has passed.

        Where a sensor watches its bin, the row stays open until the sensor has seen it fall.
        """
        coin, target = passage.coin, passage.bin
        if target and not passage.uncertain and self.drop_sensors.watches(target):
            self.drop_sensors.expect(coin, target, self.clock.now_s())
            return
        landed = UNCERTAIN if passage.uncertain else target or self.rules.reject_bin
        self.ledger.complete(coin, landed, self.rules.reject_bin if passage.late else None)

    def _read_drop_sensors(self) -> None:
        results, unexpected_bins = self.drop_sensors.settle(self.clock.now_s())
        for result in results:
            self._close_watched_row(result)
        for name in unexpected_bins:
            self._safety.report_incident(
                f"something fell into {name} that was not sent there",
                f"bin {name}",
                "look into the bin, at its flap and its drop sensor",
            )

    def _close_watched_row(self, result: DropResult) -> None:
        self.ledger.complete(result.coin, result.bin if result.seen else UNCERTAIN)
        if not result.seen:
            self._safety.report_incident(
                f"coin {result.coin} was not seen to fall into {result.bin}",
                f"bin {result.bin}",
                "look at its flap and its drop sensor",
            )

    def _watch_ledger(self) -> None:
        """Waits while rows do not get onto the disk; stops where they never will."""
        if self.failure:
            return
        try:
            self._ledger_watch.update(self.clock.now_s())
        except LedgerError as error:
            self._safety.stop(error)

    # The panel.

    def _read_panel(self) -> None:
        """Follows the stop button, then shows the state and checks the light beam."""
        if self.panel.count_presses() % 2:
            self.paused = not self.paused
            log.info("%s by the stop button", "paused" if self.paused else "going on")
        self._show_state()
        self._check_beam()

    def _show_state(self) -> None:
        if self.state != self._shown_state:
            self._shown_state = self.state
            self.panel.show(self.state)
            self.panel.feed(self.state == SORTING)

    def _check_beam(self) -> None:
        busy = self.schedule.busy or bool(self.tracker.list_undecided())
        seen = self.coins_seen - self._coins_seen_at_beam
        self._coins_seen_at_beam = self.coins_seen
        broken = self.panel.count_beam_breaks()
        unseen = self._beam.count_unseen(broken, seen, busy, self.clock.now_s())
        if unseen:
            self._safety.report_incident(
                f"{unseen} more things broke the light beam than were seen",
                "panel.beam_pin",
                "look at lamp, camera and beam sensor",
            )


def _log_coin(coin: Coin, verdict: Verdict, decision: Decision) -> None:
    log.debug(
        "coin %d: %s %.3f, anomaly %.1f, %.2f mm: %s",
        coin.number,
        verdict.label,
        verdict.confidence,
        verdict.anomaly,
        coin.diameter_mm,
        decision.reason,
    )
