"""The machine's loop: a frame in, coins judged, flaps moved, every coin in the ledger. It is given its parts and knows no hardware.

A coin that is to be sorted has its way planned first, then its row written; its flap may move once the row is durable. Whatever breaks,
the flaps go to rest, where coins run on to the reject bin. A camera that falls silent is opened again a few times; all else needs a person.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from coinsorter.errors import CameraError, CoinsorterError, FlapError, FrameError, LedgerError
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import (
    FAULT,
    LATE,
    PAUSED,
    SORTED,
    UNCERTAIN,
    Coin,
    Decision,
    Event,
    Frame,
    Verdict,
)
from coinsorter.sorting.acceptance import Rules, decide
from coinsorter.sorting.ledger import Receipt
from coinsorter.sorting.ports import Camera, Clock, CoinLedger, FlapMover, NoPanel, Panel
from coinsorter.sorting.schedule import Motion, Passage, Schedule
from coinsorter.sorting.sensor_checks import BeamCheck, DropSensorCheck
from coinsorter.vision.detect import Search, find_things
from coinsorter.vision.scale import MAX_DRIFT, ScaleFollower, informs_scale
from coinsorter.vision.track import BeltTracker

log = logging.getLogger(__name__)

# A camera that falls silent more often than this, with no more than so many frames in between, is not opened again: a new process may help.
REOPENINGS, STEADY_FRAMES = 3, 1000
SORTING, PAUSING, FAILED = "sorting", "paused", "fault"


@dataclass(frozen=True)
class SortedCoin:
    """A coin, what was thought of it, and where it was sent: what onlookers are told."""

    coin: Coin
    verdict: Verdict
    decision: Decision


@dataclass
class Machine:
    """Everything between a camera and the flaps. onlooker: told of every coin decided on. failure: why it is in safety."""

    camera: Camera
    tracker: BeltTracker
    classifier: Classifier
    rules: Rules
    schedule: Schedule
    flaps: FlapMover
    ledger: CoinLedger
    clock: Clock
    search: Search
    follower: ScaleFollower | None = None
    panel: Panel = field(default_factory=NoPanel)
    drop_sensors: DropSensorCheck | None = None
    on_sorted: Callable[[SortedCoin], None] = lambda coin: None
    paused: bool = False
    failure: CoinsorterError | None = None
    seen: int = 0  # coins decided on
    _receipts: dict[int, Receipt] = field(default_factory=dict)
    _at_rest: bool = True  # in safety: whether every flap could be brought there
    _beam: BeamCheck = field(default_factory=BeamCheck)
    _told: int = 0  # coins decided on when the beam was last asked
    _shown: str = ""
    _steady: int = 0  # frames since the camera was opened
    _reopened: int = 0

    def start(self) -> None:
        """Parks the flaps; from now on coins are sorted."""
        self.flaps.park()
        self._show()

    @property
    def state(self) -> str:
        """SORTING, PAUSING or FAILED."""
        return FAILED if self.failure else PAUSING if self.paused else SORTING

    def step(self) -> bool:
        """Takes one frame and does all that follows from it; False when the camera has no more."""
        try:
            frame = self.camera.next_frame()
        except CameraError as error:
            self._open_again(error)
            return True
        if frame is None:
            return False
        self._steady += 1
        self._check(frame)
        for coin in self.tracker.update(frame, find_things(frame.pixels, self.search)):
            self._decide_on(coin)
        self.tick()
        return True

    def tick(self) -> None:
        """Moves the flaps that are due and closes the rows of the coins that have passed."""
        self._look_at_panel()
        if self.failure:
            return
        try:
            self._arm()
            commands, outcomes = self.schedule.tick(self.clock.now_s())
            for outcome in outcomes:  # first, since a flap that fails must not keep them open
                self._passed(outcome)
            self._ask_sensors()
            for command in commands:
                self.flaps.move(command.bin, command.open)
            self.flaps.tick(self.clock.now_s())
        except (LedgerError, FlapError) as error:
            self._to_safety(error)

    def run(self) -> None:
        """Sorts until the camera has no more frames or somebody stops it."""
        while self.step():
            pass

    def close(self) -> None:
        """Stops the feeder, parks the flaps and ends the ledger's run; safe to call twice."""
        try:
            self.panel.feed(False)
            self.flaps.close()
        finally:
            self.camera.close()
            self.ledger.close()

    def _check(self, frame: Frame) -> None:
        wanted = (self.tracker.scale.height_px, self.tracker.scale.width_px)
        if frame.pixels.shape[:2] != wanted:
            height, width = frame.pixels.shape[:2]
            how = "set camera.width_px and camera.height_px to what the camera delivers"
            raise FrameError(
                f"frame {frame.number} is {width}x{height}, not {wanted[1]}x{wanted[0]}; {how}"
            )

    def _open_again(self, error: CameraError) -> None:
        """The loop that closes flaps waits for frames: without any, flaps go to rest, and where coins on their way went nobody knows.

        Raises the error where the camera was opened again often enough.
        """
        self._reopened = 1 if self._steady >= STEADY_FRAMES else self._reopened + 1
        self._steady = 0
        self._give_up_rides()
        self._tell(str(error), "camera", "look whether coins passed unseen; it is opened again")
        if self._reopened > REOPENINGS:
            raise error
        self.camera.reopen()

    def _give_up_rides(self) -> None:
        """Brings flaps to rest; coins on their way may lie anywhere."""
        if self.failure:
            return
        on_their_way, self._receipts = (
            [*self.schedule.abandon(), *(self.drop_sensors.forget() if self.drop_sensors else [])],
            {},
        )
        try:
            for coin in on_their_way:  # first, since a flap that fails must not keep them open
                self.ledger.complete(coin, UNCERTAIN)
            self.flaps.park()
        except (FlapError, LedgerError) as worse:
            self._to_safety(worse)

    def _look_at_panel(self) -> None:
        """The stop button pauses and goes on; feeder and lamp follow; what broke the beam and was not seen is told."""
        if self.panel.count_presses() % 2:
            self.paused = not self.paused
            log.info("%s by the stop button", "paused" if self.paused else "going on")
        self._show()
        busy = self.schedule.busy or bool(self.tracker.following())
        unseen = self._beam.count_unseen(
            self.panel.count_beam_breaks(), self.seen - self._told, busy, self.clock.now_s()
        )
        self._told = self.seen
        if unseen:
            self._tell(
                f"{unseen} more things broke the light beam than were seen",
                "panel.beam_pin",
                "look at lamp, camera and beam sensor",
            )

    def _show(self) -> None:
        if self.state != self._shown:
            self._shown = self.state
            self.panel.show(self.state)
            self.panel.feed(self.state == SORTING)

    def _passed(self, outcome: Passage) -> None:
        """Closes the row of a coin that has passed; where a sensor watches its bin, once it was seen to fall."""
        if (
            self.drop_sensors
            and outcome.bin
            and not outcome.uncertain
            and self.drop_sensors.watches(outcome.bin)
        ):
            self.drop_sensors.expect(outcome.coin, outcome.bin, self.clock.now_s())
            return
        landed = UNCERTAIN if outcome.uncertain else outcome.bin or self.rules.reject_bin
        self.ledger.complete(outcome.coin, landed, self.rules.reject_bin if outcome.late else None)

    def _ask_sensors(self) -> None:
        if self.drop_sensors is None:
            return
        settled, strange = self.drop_sensors.settle(self.clock.now_s())
        for fall in settled:
            self.ledger.complete(fall.coin, fall.bin if fall.seen else UNCERTAIN)
            if not fall.seen:
                self._tell(
                    f"coin {fall.coin} was not seen to fall into {fall.bin}",
                    f"bin {fall.bin}",
                    "look at its flap and its drop sensor",
                )
        for bin_ in strange:
            self._tell(
                f"something fell into {bin_} that was not sent there",
                f"bin {bin_}",
                "look into the bin, at its flap and its drop sensor",
            )

    def _decide_on(self, coin: Coin) -> None:
        self.seen += 1
        latest_decision_s = self.schedule.latest_decision_s(_motion(coin))
        verdict = self.classifier.judge(
            coin, time_left=lambda: self.clock.now_s() < latest_decision_s
        )
        decision = self._decision(coin, verdict)
        if decision.reason == SORTED and not self._planned(coin, decision):
            decision = Decision(self.rules.reject_bin, LATE)
        if decision.reason != SORTED and not self.failure:
            self.schedule.let_pass(coin.number, _motion(coin))
        log.debug(
            "coin %d: %s %.3f, anomaly %.1f, %.2f mm: %s",
            coin.number,
            verdict.label,
            verdict.confidence,
            verdict.anomaly,
            coin.diameter_mm,
            decision.reason,
        )
        self._record(coin, verdict, decision)
        self._follow(coin, verdict)
        self.on_sorted(SortedCoin(coin, verdict, decision))

    def _decision(self, coin: Coin, verdict: Verdict) -> Decision:
        if self.failure:
            return Decision(self.rules.reject_bin, FAULT)
        if self.paused:
            return Decision(self.rules.reject_bin, PAUSED)
        return decide(coin, verdict, self.rules)

    def _planned(self, coin: Coin, decision: Decision) -> bool:
        others = [
            Motion(f.x_mm, f.seen_s, f.radius_mm, f.speed_mm_s, f.speed_spread_mm_s)
            for f in self.tracker.following()
        ]
        return self.schedule.sort(
            coin.number, _motion(coin), decision.bin, others, self.clock.now_s()
        )

    def _record(self, coin: Coin, verdict: Verdict, decision: Decision) -> None:
        """Writes the coin's row; without a ledger nothing more is accepted, and nothing can be written."""
        if isinstance(self.failure, LedgerError):
            return
        label = self.classifier.bundle.labels.get(verdict.label)
        value, currency = (label.value, label.currency) if label else (0.0, "")
        limits = self.rules.thresholds.get(verdict.label)
        event = Event(
            coin.number,
            coin.seen_s,
            coin.diameter_mm,
            coin.speed_mm_s,
            verdict,
            limits,
            decision,
            value,
            currency,
        )
        try:
            receipt = self.ledger.record(event)
            if self.failure:
                self.ledger.complete(
                    coin.number, self.rules.reject_bin if self._at_rest else UNCERTAIN
                )  # no flap moves any more
            else:
                self._receipts[coin.number] = receipt
        except LedgerError as error:
            self._to_safety(error)

    def _arm(self) -> None:
        """Lets the flaps of coins move whose rows have become durable."""
        durable = [coin for coin, receipt in self._receipts.items() if receipt.durable]
        for coin in durable:
            self.schedule.arm(coin)
            del self._receipts[coin]

    def _follow(self, coin: Coin, verdict: Verdict) -> None:
        """Keeps the view's scale true to the coins that pass."""
        if self.follower is None or not informs_scale(coin, verdict, self.rules.thresholds):
            return
        diameters_mm = [label.diameter_mm for label in self.classifier.bundle.facts.labels]
        self.tracker.scale = self.follower.follow(
            coin.circles[0], diameters_mm, verdict.probabilities
        )
        if self.follower.lost:
            remedy = (
                "look whether the camera was moved and what coins came, then calibrate the view"
            )
            self.follower = None
            self._tell(
                f"the view's scale has drifted by more than {100 * MAX_DRIFT:.0f} %",
                "camera",
                remedy,
            )

    def _tell(self, what: str, place: str, remedy: str) -> None:
        log.warning("%s: %s; %s", place, what, remedy)
        try:
            self.ledger.report_incident(what, place, remedy)
        except LedgerError as error:
            self._to_safety(error)

    def _to_safety(self, error: CoinsorterError) -> None:
        """Stops accepting, for a reason that a person has to deal with; coins run on to the reject bin."""
        self.failure = error
        log.warning("stopped accepting coins: %s", error)
        on_their_way, self._receipts = (
            [*self.schedule.abandon(), *(self.drop_sensors.forget() if self.drop_sensors else [])],
            {},
        )
        try:
            self.flaps.park()
        except FlapError as worse:
            self._at_rest = False
            log.warning("a flap may not be at rest: %s", worse)
        if not isinstance(error, LedgerError):
            self._close_rows(on_their_way, str(error))

    def _close_rows(self, coins: list[int], what: str) -> None:
        """Where coins go whose flaps failed on their way, nobody knows."""
        try:
            for coin in coins:
                self.ledger.complete(coin, UNCERTAIN)
            self.ledger.report_incident(what, "flaps", "check wiring and servos, then start again")
        except LedgerError as error:
            self.failure = error


def _motion(coin: Coin) -> Motion:
    return Motion(
        coin.x_mm,
        coin.seen_s,
        coin.diameter_mm / 2,
        coin.speed_mm_s,
        coin.speed_spread_mm_s,
        coin.behind_mm,
    )
