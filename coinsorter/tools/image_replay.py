"""Images in place of the camera, with the recognition behind them.

Each image shows one coin at rest. The name of the nearest folder that the bundle knows is its
label. Folders of which the bundle knows none hold foreign coins, which are right when rejected.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from coinsorter.config.schema import Config
from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.images.label_folders import find_known_label
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import SORTED, Circle, Coin, Decision, Frame, Verdict
from coinsorter.sorting.acceptance import Rules, decide
from coinsorter.sorting.assembly import build_rules, build_search
from coinsorter.vision import crop
from coinsorter.vision.detect import MIN_SIDE_PX, find_circles
from coinsorter.vision.scale import MAX_DRIFT, ScaleFollower, ScalePlane
from coinsorter.vision.track import measure_still_coin

log = logging.getLogger(__name__)

#: Reason of the decision on an image in which no coin was found.
NO_COIN = "no-coin"
#: Reason of the decision on an image that cannot be the camera's view.
WRONG_SIZE = "wrong-size"
#: The reject bin's name where no settings name one.
REJECT = "reject"
#: An image is taken for the camera's view in another resolution if its sides' ratio is the view's
#: within this relative tolerance: rounding to whole pixels makes less.
ASPECT_TOLERANCE = 0.02
#: Images of a wrong size that are named in the log.
MAX_WARNINGS = 5


@dataclass(frozen=True, eq=False)
class ReplayedImage:
    """One image: what it should show, what was found in it, and what became of its coin.

    label: None if it is not known. circles: number of circles with a round outline. coin, verdict:
    None where no coin was found. took_s: from pixels to decision.
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
        """Whether the coin would be sorted into a bin of its label."""
        return self.decision.reason == SORTED

    @property
    def correct(self) -> bool:
        """Whether the coin was accepted as what its folder says."""
        return self.accepted and self.verdict is not None and self.verdict.label == self.label


class Replay:
    """A bundle's pipeline for images of single coins.

    settings: config.yaml's view and acceptance; None takes the bundle's own view and thresholds,
    with a bin for every label. follow: follow the scale's drift, whatever the settings say.
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
        view = settings.scale if settings else bundle.view
        self._follower = ScaleFollower(view, bundle.manifest.fusion.diameter_std)
        self._wrong_sizes = 0
        self._follow = follow
        self._scale = self._follower.plane if follow else self._follower.calibrated
        self._rules = build_rules(settings, bundle) if settings else build_own_rules(bundle)
        self._cut = partial(crop.cut_crop, spec=bundle.crop)

    def replay_images(
        self,
        paths: list[Path],
        folder: Path,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[list[ReplayedImage], list[Path]]:
        """What became of every readable image, in order; and the paths that cannot be read.

        folder: images directly in it have no label. progress: called with the number of images
        that are done.
        """
        camera = FolderCamera(paths, frame_s=1.0)
        results = []
        while frame := camera.next_frame():
            path = paths[frame.number]
            label = self._find_label(path, folder)
            result = self.replay_image(frame, path, label)
            results.append(result)
            progress(frame.number + 1)
        for path, reason in camera.unreadable.items():
            log.warning("%s: cannot be read: %s; left out", path, reason)
        return results, list(camera.unreadable)

    def _find_label(self, path: Path, folder: Path) -> str | None:
        bundle = self._bundle
        return find_known_label(path, folder, bundle.resolve_label, bundle.labels)

    def replay_image(self, frame: Frame, path: Path, label: str | None) -> ReplayedImage:
        """What becomes of one image; an accepted coin's scale is followed."""
        if not self._may_be_view(frame):
            self._warn_of_size(frame, path)
            return self._reject(WRONG_SIZE, path, label)
        start_s = time.perf_counter()
        plane = resize_plane(self._scale, frame)
        circles = self._find_circles(frame)
        round_circles = sum(circle.quality > 0 for circle in circles)
        coin = measure_still_coin(frame, circles, plane, self._cut)
        if coin is None:
            took_s = time.perf_counter() - start_s
            return self._reject(NO_COIN, path, label, took_s)
        verdict = self._classifier.classify(coin)
        decision = decide(coin, verdict, self._rules)
        took_s = time.perf_counter() - start_s
        if self._follow and plane is self._follower.plane:
            self._follow_scale(coin, verdict)
        return ReplayedImage(path, label, round_circles, coin, verdict, decision, took_s)

    def _find_circles(self, frame: Frame) -> list[Circle]:
        """The circles in an image, looked for by the calibrated scale, as on the machine.

        What is found must not depend on the last digits of a scale that is followed.
        """
        plane = resize_plane(self._follower.calibrated, frame)
        search = build_search(self._bundle, plane)
        return find_circles(frame.pixels, search)

    def _reject(
        self,
        reason: str,
        path: Path,
        label: str | None,
        took_s: float = 0.0,
    ) -> ReplayedImage:
        """An image without a coin."""
        decision = Decision(self._rules.reject_bin, reason)
        return ReplayedImage(
            path,
            label,
            circles=0,
            coin=None,
            verdict=None,
            decision=decision,
            took_s=took_s,
        )

    def _follow_scale(self, coin: Coin, verdict: Verdict) -> None:
        """Follow the scale by a coin, as the machine does."""
        diameters_mm = [label.diameter_mm for label in self._bundle.manifest.labels]
        self._scale = self._follower.follow_coin(
            coin,
            verdict,
            self._rules.thresholds,
            diameters_mm,
        )
        if self._follower.lost:
            message = "the view's scale has drifted by more than %.0f %%: it is no longer followed"
            log.warning(message, 100 * MAX_DRIFT)
            self._follow = False

    def _may_be_view(self, frame: Frame) -> bool:
        """Whether an image may be the camera's view, in its own resolution or another."""
        plane = self._follower.calibrated
        height, width = frame.pixels.shape[:2]
        difference = abs(width * plane.height_px - height * plane.width_px)
        is_large_enough: bool = min(width, height) >= MIN_SIDE_PX
        is_same_shape: bool = difference <= ASPECT_TOLERANCE * width * plane.height_px
        return is_large_enough and is_same_shape

    def _warn_of_size(self, frame: Frame, path: Path) -> None:
        """Names the first MAX_WARNINGS images; a folder of other photographs has thousands."""
        self._wrong_sizes += 1
        if self._wrong_sizes > MAX_WARNINGS + 1:
            return
        if self._wrong_sizes > MAX_WARNINGS:
            log.warning("more images are of another size than the camera's view; rejected as well")
            return
        plane = self._follower.calibrated
        height, width = frame.pixels.shape[:2]
        size = f"{width}x{height}"
        view_size = f"{plane.width_px}x{plane.height_px}"
        log.warning("%s: is %s, the camera's view is %s; rejected", path, size, view_size)


def build_own_rules(bundle: Bundle) -> Rules:
    """The bundle's own thresholds, with a bin for every label that has its name."""
    bins = {name: name for name in bundle.labels}
    return Rules(bundle.thresholds, bins, REJECT)


def resize_plane(plane: ScalePlane, frame: Frame) -> ScalePlane:
    """The scale of the same view in the image's resolution; the same object where it fits."""
    height, width = frame.pixels.shape[:2]
    if (width, height) == (plane.width_px, plane.height_px):
        return plane
    px_per_mm = plane.px_per_mm * width / plane.width_px
    return replace(plane, px_per_mm=px_per_mm, width_px=width, height_px=height)
