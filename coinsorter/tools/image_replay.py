"""Pictures in place of the camera, the whole pipeline behind them: how good is it on coins whose truth is known?

Each picture shows one coin at rest; the folder it lies in is its label, and a folder the bundle does not know is foreign: right when
rejected. With a belt, the pictures are a recording, and the machine itself runs on them.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gpiozero.pins.mock import MockFactory, MockPWMPin
from rich.console import Console
from rich.table import Table

from coinsorter.config.schema import Config
from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.hardware.clock import ManualClock
from coinsorter.hardware.flaps import Flaps
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import SORTED, Coin, Decision, Frame, Verdict
from coinsorter.sorting.acceptance import Rules, decide
from coinsorter.sorting.assembly import assemble_machine, build_rules, build_search
from coinsorter.sorting.ledger import Ledger, RunRecord
from coinsorter.sorting.ledger_queries import read_rows, read_totals
from coinsorter.vision import crop, track
from coinsorter.vision.detect import MIN_SIDE_PX, find_circles
from coinsorter.vision.scale import MAX_DRIFT, ScaleFollower, ScalePlane

log = logging.getLogger(__name__)

NO_COIN = "no-coin"
WRONG_SIZE = "wrong-size"
REJECT = "reject"


@dataclass(frozen=True, eq=False)
class ReplayedImage:
    """One picture: what it should show (None if nobody knows), the circles found in it, and what became of its coin.

    coin, verdict: None where no coin was found. took_s: from pixels to decision.
    """

    path: Path
    label: str | None
    circles: int
    coin: Coin | None
    verdict: Verdict | None
    decision: Decision
    took_s: float

    @property
    def accepted(self) -> bool:
        return self.decision.reason == SORTED


class Replay:
    """A bundle's pipeline for pictures of single coins.

    settings: config.yaml's view and acceptance; None takes the bundle's own, with a bin for every label. follow: keep the scale true, whatever
    the settings say.
    """

    def __init__(
        self,
        bundle: Bundle,
        classifier: Classifier,
        settings: Config | None = None,
        follow: bool = True,
    ) -> None:
        self._bundle = bundle
        self._classifier = classifier
        self._follower = ScaleFollower(
            settings.scale if settings else bundle.view, bundle.manifest.fusion.diameter_std
        )
        self._follow = follow
        self._scale = self._follower.plane if follow else self._follower.calibrated
        self._rules = (
            build_rules(settings, bundle)
            if settings
            else Rules(bundle.thresholds, {name: name for name in bundle.labels}, REJECT)
        )
        self._cut = partial(crop.cut_crop, spec=bundle.crop)

    def replay_images(
        self, paths: list[Path], folder: Path, progress: Callable[[int], None] = lambda done: None
    ) -> tuple[list[ReplayedImage], list[Path]]:
        """What the pipeline makes of every readable picture, in order; and those that cannot be read."""
        camera = FolderCamera(paths, frame_s=1.0)
        results = []
        while frame := camera.next_frame():
            path = paths[frame.number]
            results.append(
                self.replay_image(
                    frame,
                    path,
                    self._bundle.resolve_label(path.parent.name) if path.parent != folder else None,
                )
            )
            progress(frame.number + 1)
        for path in camera.unreadable:
            log.warning("%s: is no picture that can be read; left out", path)
        return results, camera.unreadable

    def replay_image(self, frame: Frame, path: Path, label: str | None) -> ReplayedImage:
        """What the pipeline makes of one picture."""
        start = time.perf_counter()
        calibrated = self._follower.calibrated
        if not _same_view(frame, calibrated):
            log.warning(
                "%s: is %dx%d, the camera's view is %dx%d; rejected",
                path,
                *frame.pixels.shape[1::-1],
                calibrated.width_px,
                calibrated.height_px,
            )
            return ReplayedImage(
                path, label, 0, None, None, Decision(self._rules.reject_bin, WRONG_SIZE), 0.0
            )
        plane = _sized(self._scale, frame)
        # As on the machine, coins are looked for by the calibrated scale: what is found must not hang on the hundredths of a followed one.
        circles = find_circles(frame.pixels, build_search(self._bundle, _sized(calibrated, frame)))
        coin = track.measure_still_coin(frame, circles, plane, self._cut)
        found = sum(circle.quality > 0 for circle in circles)
        if coin is None:
            return ReplayedImage(
                path,
                label,
                found,
                None,
                None,
                Decision(self._rules.reject_bin, NO_COIN),
                time.perf_counter() - start,
            )
        verdict = self._classifier.classify(coin)
        decision = decide(coin, verdict, self._rules)
        took_s = time.perf_counter() - start
        if self._follow and plane is self._follower.plane:
            self._take_in(coin, verdict)
        return ReplayedImage(path, label, found, coin, verdict, decision, took_s)

    def _take_in(self, coin: Coin, verdict: Verdict) -> None:
        """Follows the scale by a coin, as the machine does."""
        self._scale = self._follower.follow_coin(
            coin,
            verdict,
            self._rules.thresholds,
            [label.diameter_mm for label in self._bundle.manifest.labels],
        )
        if self._follower.lost:
            log.warning(
                "the view's scale has drifted by more than %.0f %%: it is followed no more",
                100 * MAX_DRIFT,
            )
            self._follow = False


def _same_view(frame: Frame, plane: ScalePlane) -> bool:
    """Whether a picture may be the camera's view, in its own resolution or another."""
    height, width = frame.pixels.shape[:2]
    return (
        min(width, height) >= MIN_SIDE_PX
        and abs(width * plane.height_px - height * plane.width_px) <= 0.02 * width * plane.height_px
    )


def _sized(plane: ScalePlane, frame: Frame) -> ScalePlane:
    """The scale of the same view in the picture's resolution; a plane that fits it already is given back itself."""
    height, width = frame.pixels.shape[:2]
    if (width, height) == (plane.width_px, plane.height_px):
        return plane
    return replace(
        plane, px_per_mm=plane.px_per_mm * width / plane.width_px, width_px=width, height_px=height
    )


def summarize(
    replayed: Iterable[ReplayedImage], bundle: Bundle, unreadable: list[Path]
) -> dict[str, Any]:
    """All pictures in numbers; see the README for what each key counts."""
    results = list(replayed)
    genuine = [r for r in results if r.label in bundle.labels]
    foreign = [r for r in results if r.label is not None and r.label not in bundle.labels]
    took_ms = [1000 * r.took_s for r in results if r.coin is not None]
    return {
        "pictures": len(results) + len(unreadable),
        "unreadable": [str(path) for path in unreadable],
        "one_coin": sum(r.circles == 1 for r in results),
        "seen": sum(r.coin is not None for r in results),
        "accepted": sum(r.accepted for r in results),
        "correct": sum(_right(r) for r in genuine),
        "wrong": sum(r.accepted and not _right(r) for r in genuine),
        "rejected": dict(Counter(r.decision.reason for r in results if not r.accepted)),
        "foreign": len(foreign),
        "foreign_accepted": sum(r.accepted for r in foreign),
        "per_class": {
            name: _counts([r for r in genuine if r.label == name]) for name in bundle.labels
        },
        "confusion": _confusion(results),
        "ms_per_coin": {"median": _percentile(took_ms, 50), "p99": _percentile(took_ms, 99)},
    }


def make_event(replayed: ReplayedImage) -> dict[str, Any]:
    """One picture as a line of the events file."""
    verdict = asdict(replayed.verdict) if replayed.verdict else {}
    return {
        "path": str(replayed.path),
        "label": replayed.label,
        "predicted": verdict.get("label"),
        "confidence": verdict.get("confidence"),
        "by_picture": verdict.get("image_confidence"),
        "anomaly": verdict.get("anomaly"),
        "diameter_mm": verdict.get("diameter_mm"),
        "accepted": replayed.accepted,
        "reason": replayed.decision.reason,
    }


def _right(replayed: ReplayedImage) -> bool:
    return (
        replayed.accepted
        and replayed.verdict is not None
        and replayed.verdict.label == replayed.label
    )


def _counts(results: list[ReplayedImage]) -> dict[str, int]:
    return {
        "seen": sum(r.coin is not None for r in results),
        "accepted": sum(r.accepted for r in results),
        "correct": sum(_right(r) for r in results),
        "wrong": sum(r.accepted and not _right(r) for r in results),
    }


def _confusion(results: list[ReplayedImage]) -> dict[str, dict[str, int]]:
    """What lay in each folder -> where it went: a label, or "rejected"."""
    table: dict[str, Counter[str]] = {}
    for r in results:
        if r.label is not None:
            went = r.verdict.label if r.accepted and r.verdict else "rejected"
            table.setdefault(r.label, Counter())[went] += 1
    return {label: dict(sorted(row.items())) for label, row in sorted(table.items())}


def _percentile(values: list[float], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 3) if values else None


def print_summary(result: dict[str, Any], console: Console) -> None:
    """The numbers as a person reads them."""
    table = Table(
        "label",
        "pictures with a coin",
        "accepted",
        "correct",
        "wrong",
        title="What became of the coins",
        title_justify="left",
    )
    for name, row in result["per_class"].items():
        table.add_row(name, *(str(row[key]) for key in ("seen", "accepted", "correct", "wrong")))
    console.print(table)
    rejected = (
        ", ".join(f"{reason} {count}" for reason, count in result["rejected"].items()) or "none"
    )
    console.print(
        f"{result['pictures']} pictures, {result['one_coin']} with exactly one coin found, {len(result['unreadable'])} unreadable"
    )
    console.print(f"accepted {result['accepted']}, wrong {result['wrong']}, rejected: {rejected}")
    if result["foreign"]:
        console.print(
            f"foreign {result['foreign']}, of which accepted {result['foreign_accepted']}"
        )
    if result["ms_per_coin"]["median"] is not None:
        console.print(
            f"{result['ms_per_coin']['median']:.2f} ms a coin (median), {result['ms_per_coin']['p99']:.2f} ms (99 %)"
        )


def replay_belt(
    settings: Config, bundle: Bundle, interpreter: str, paths: list[Path], ledger_path: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Recorded frames of the moving belt through the whole machine, with mock pins: what its ledger says, and a row per coin."""
    clock, camera = ManualClock(), FolderCamera(paths, 1 / settings.camera.frames_per_s)
    flaps = Flaps(settings, MockServos(MockFactory(pin_class=MockPWMPin)))
    book = Ledger(ledger_path, RunRecord(str(bundle.path), bundle.digest, interpreter, "replay"))
    machine = assemble_machine(
        settings, bundle, interpreter, _Clocked(camera, clock), flaps, book, clock
    )
    try:
        machine.classifier.check_golden_crops()
        machine.start()
        machine.run()
        while (
            machine.schedule.busy
        ):  # the recording is over: let what is still on the belt come to its end
            clock.advance_to(clock.now_s() + 1 / settings.camera.frames_per_s)
            machine.tick()
    finally:
        machine.close()
    if machine.failure:
        raise machine.failure
    result = read_totals(ledger_path)
    return {
        **result,
        "pictures": len(paths),
        "unreadable": [str(path) for path in camera.unreadable],
    }, read_rows(ledger_path)


class _Clocked:
    """A camera whose frames move the clock."""

    def __init__(self, camera: FolderCamera, clock: ManualClock) -> None:
        self._camera, self._clock = camera, clock
        self.close, self.reopen = camera.close, camera.reopen

    @property
    def heartbeat_s(self) -> float:
        return self._camera.heartbeat_s

    def next_frame(self) -> Frame | None:
        frame = self._camera.next_frame()
        if frame:
            self._clock.advance_to(frame.taken_s)
        return frame
