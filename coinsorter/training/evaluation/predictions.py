"""Pictures whose truth is known -> what a bundle made of each: the records that every figure of an evaluation is counted from.

A picture is a whole frame, which goes through the machine's own pipeline, or one ready crop, which tells no size and is judged by its
looks alone; unless it is known at which scale it was cut.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, nan
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from coinsorter.errors import InputError
from coinsorter.hardware.camera.open_camera import FolderCamera
from coinsorter.images import list_images, read_image
from coinsorter.recognition.bundle import Bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.records import SORTED, Circle, Coin, Frame, Verdict
from coinsorter.robust import mad_std
from coinsorter.sorting.acceptance import Rules, decide
from coinsorter.tools.image_replay import REJECT, Replay, ReplayedImage
from coinsorter.training.dataset import quality
from coinsorter.vision import crop
from coinsorter.vision.crop import FILL

FEWEST_SCALED = 20  # coins that tell the scale of crops
MOST_SCATTERED = 0.06  # their scales may: beyond, denominations cannot be told by it

log_ = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Prediction:
    """One picture and what became of its coin.

    label: the name of its folder; None where nobody knows. predicted: the likeliest label, "" where no coin was found.
    probabilities: float (labels,), in the bundle's order; what they lack to 1 is "none of these". confidence: the predicted label's;
    image_confidence: the same where the diameter has no say.
    anomaly: in units of the genuine coins' own spread; inf where no coin was found. diameter_mm: None where the picture tells no size.
    reason: as `records.Decision` has it, or replay's "no-coin" and "wrong-size".
    crop: uint8 (n, n, 3) RGB, the coin as the networks saw it; where none was found the whole picture, made small.
    """

    path: Path
    label: str | None
    predicted: str
    probabilities: np.ndarray
    confidence: float
    image_confidence: float
    anomaly: float
    diameter_mm: float | None
    accepted: bool
    reason: str
    crop: np.ndarray

    @property
    def found(self) -> bool:
        return bool(self.predicted)

    @property
    def right(self) -> bool:
        return self.predicted == self.label


@dataclass(frozen=True)
class CropScale:
    """The scale that ready crops were cut at, and how far that of one of them may be off, relative (1.48 median absolute deviations)."""

    px_per_mm: float
    spread: float

    def diameter_mm(self, circle: Circle) -> float | None:
        """None where the coin's outline was not found in its crop."""
        return 2 * circle.radius_px / self.px_per_mm if circle.quality else None

    @classmethod
    def measured(cls, folder: Path, models: Bundle, progress: Callable[[int], None]) -> Self:
        """By the known coins in a folder of folders named as labels. Raises InputError where their radii do not follow their diameters."""
        paths = {path: models.resolve_label(path.parent.name) for path in list_images(folder)}
        scales = []
        for done, (path, label) in enumerate(paths.items(), 1):
            pixels = read_image(path) if label in models.labels else None
            circle = None if pixels is None else quality.locate_in_crop(pixels)
            if circle and circle.quality:
                scales.append(2 * circle.radius_px / models.labels[label].diameter_mm)
            progress(done)
        if len(scales) < FEWEST_SCALED:
            raise InputError(
                f"{folder}: {len(scales)} coins of known labels were found in its crops; to tell their scale it takes {FEWEST_SCALED}"
            )
        middle = float(np.median(scales))
        spread = mad_std(np.array(scales) / middle, center=1.0)
        if spread > MOST_SCATTERED:
            why = f"its coins' radii do not follow their diameters ({100 * spread:.0f} % off), so its crops are of many scales"
            raise InputError(f"{folder}: {why}; leave --scale-from out")
        return cls(middle, spread)


class Predictor:
    """A bundle and its networks, asked about pictures one at a time. Raises InputError where ready crops cannot be judged by it.

    crop_scale: of the ready crops, where it is known.
    """

    def __init__(
        self, models: Bundle, classifier: Classifier, crop_scale: CropScale | None = None
    ) -> None:
        self.models = models
        self._crop_scale = crop_scale
        self._scale_spread = crop_scale.spread if crop_scale else 0.0
        self._classifier = classifier
        self._replay = Replay(models, classifier)
        self._rules = Rules(models.thresholds, {name: name for name in models.labels}, REJECT)

    def frame(self, frame: Frame, path: Path, label: str | None) -> Prediction:
        """A picture as the machine's camera takes it."""
        replayed = self._replay.replay_image(frame, path, label)
        if replayed.coin is None or replayed.verdict is None:
            return self._nothing(replayed, frame.pixels)
        coin, verdict = replayed.coin, replayed.verdict
        return _record(
            path,
            label,
            verdict,
            np.array(verdict.probabilities),
            coin.diameter_mm,
            replayed.decision.reason,
            coin.crops[0],
        )

    def ready_crop(self, frame: Frame, path: Path, label: str | None) -> Prediction:
        """A picture that one coin fills."""
        if self.models.crop.full_mm:
            raise InputError(
                f"bundle {self.models.path} shows its networks how large a coin is, and ready crops do not tell; give it whole frames"
            )
        circle = quality.locate_in_crop(frame.pixels, self.models.crop.surround)
        diameter = self._crop_scale.diameter_mm(circle) if self._crop_scale else None
        return self.coin(
            path,
            label,
            crop.cut(frame.pixels, circle, self.models.crop.full_mm, self.models.crop),
            diameter,
        )

    def coin(
        self, path: Path, label: str | None, picture: np.ndarray, diameter_mm: float | None
    ) -> Prediction:
        """A coin's crop as the networks want it, uint8 (n, n, 3). Without a diameter the limit on it is not asked."""
        verdict, probabilities = self._verdict(picture, diameter_mm)
        measured = (
            self.models.labels[verdict.label].diameter_mm if diameter_mm is None else diameter_mm
        )
        decision = decide(
            _lone(picture, measured), replace(verdict, diameter_mm=measured), self._rules
        )
        return _record(path, label, verdict, probabilities, diameter_mm, decision.reason, picture)

    def fused(
        self, picture: np.ndarray, diameter_mm: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log probabilities of every label, (labels,), from the crop alone and with the diameter too."""
        logits = self._classifier.combine_logits(self._classifier.gather_evidence(picture))
        pictures, fused = self._classifier.compute_posteriors(
            logits, nan if diameter_mm is None else diameter_mm, self._scale_spread
        )
        return np.array(pictures[:-1]), np.array(fused[:-1])

    def _verdict(
        self, picture: np.ndarray, diameter_mm: float | None
    ) -> tuple[Verdict, np.ndarray]:
        verdict = self._classifier.make_verdict(
            self._classifier.gather_evidence(picture),
            nan if diameter_mm is None else diameter_mm,
            self._scale_spread,
        )
        return verdict, np.array(verdict.probabilities)

    def _nothing(self, replayed: ReplayedImage, pixels: np.ndarray) -> Prediction:
        size = self.models.crop.size_px
        nothing = np.zeros(len(self.models.labels))
        return Prediction(
            replayed.path,
            replayed.label,
            "",
            nothing,
            0.0,
            0.0,
            inf,
            None,
            False,
            replayed.decision.reason,
            _small(pixels, size),
        )


def _record(
    path: Path,
    label: str | None,
    verdict: Verdict,
    probabilities,
    diameter_mm: float | None,
    reason: str,
    picture: np.ndarray,
) -> Prediction:
    told = verdict.confidence, verdict.image_confidence, verdict.anomaly
    return Prediction(
        path,
        label,
        verdict.label,
        probabilities,
        *told,
        diameter_mm,
        reason == SORTED,
        reason,
        picture,
    )


def _lone(picture: np.ndarray, diameter_mm: float) -> Coin:
    return Coin(0, (picture,), (), diameter_mm, 0.0, 0.0, 0.0, 0.0, 0.0, 1, alone=True)


def _small(pixels: np.ndarray, size_px: int) -> np.ndarray:
    """The whole picture in the middle of a square."""
    height, width = pixels.shape[:2]
    scale = size_px / max(height, width)
    small = cv2.resize(
        pixels,
        (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA,
    )
    square = np.full((size_px, size_px, 3), FILL, np.uint8)
    top, left = (size_px - small.shape[0]) // 2, (size_px - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


class FolderPredictions:
    """The pictures below a folder, judged one after the other in the order they were taken.

    unreadable: those that are no pictures, known once all have been gone through. Raises InputError where there are no pictures.
    """

    def __init__(
        self,
        folder: Path,
        judge: Callable[[Frame, Path, str | None], Prediction],
        label_of: Callable[[str], str | None],
    ) -> None:
        self.folder = folder
        self._label_of = label_of
        self.paths = list_images(folder)
        self.unreadable: list[Path] = []
        self._judge = judge

    def __len__(self) -> int:
        return len(self.paths)

    def label(self, path: Path) -> str | None:
        return self._label_of(path.parent.name) if path.parent != self.folder else None

    def __iter__(self) -> Iterator[Prediction]:
        camera = FolderCamera(self.paths, frame_s=1.0)
        while frame := camera.next_frame():
            path = self.paths[frame.number]
            yield self._judge(frame, path, self.label(path))
        self.unreadable = camera.unreadable
        for path in self.unreadable:
            log_.warning("%s: is no picture that can be read; left out", path)


def pictures(folder: Path, judge: Predictor, crops: bool) -> FolderPredictions:
    """A folder of folders named as labels, judged. Raises InputError where none is named as one of the bundle's."""
    found = FolderPredictions(
        folder, judge.ready_crop if crops else judge.frame, judge.models.resolve_label
    )
    names = {found.label(path) for path in found.paths} - {None}
    if not names & set(judge.models.labels):
        has = (
            f"its pictures lie in {_some(names)}"
            if names
            else "its pictures lie in no folders of their own"
        )
        raise InputError(
            f"{folder}: no folder is named as a label of bundle {judge.models.path} ({_some(set(judge.models.labels))}); {has}"
        )
    return found


def _some(names: set) -> str:
    first = sorted(names)[:8]
    return ", ".join(first) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
