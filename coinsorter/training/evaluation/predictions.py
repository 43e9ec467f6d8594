"""What a bundle makes of images whose truth is known: the records that all figures come from.

An image is either a whole frame, which goes through the machine's own pipeline, or a ready crop.
A ready crop is classified by its looks alone, unless the scale it was cut at is known.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf, nan
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from coinsorter.errors import BundleError, InputError
from coinsorter.escape import clean
from coinsorter.hardware.camera.folder import FolderCamera
from coinsorter.images.image_io import list_images
from coinsorter.images.label_folders import find_known_label
from coinsorter.recognition.bundle import Bundle, load_bundle
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import pick_runtime
from coinsorter.records import SORTED, Coin, Frame, Verdict
from coinsorter.sorting.acceptance import decide
from coinsorter.tools.image_replay import Replay, ReplayedImage, build_own_rules
from coinsorter.training.dataset import quality
from coinsorter.training.evaluation.crop_scale import CropScale
from coinsorter.training.parallel import HERE, Workers
from coinsorter.vision.crop import FILL, cut_crop

#: Folder names that a message lists before it says how many more there are.
MAX_NAMES = 8
#: Images that a job of a worker has, and jobs that a process is worth starting for: first it loads
#: libraries and networks, which takes seconds.
IMAGES_PER_JOB = 32
JOBS_PER_PROCESS = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Prediction:
    """One image and what became of its coin.

    label: the truth, from the name of its folder; None where that says nothing.
    predicted: the likeliest label, "" where no coin was found.
    probabilities: float (labels,), in the bundle's order; what is missing to 1 is the share of
    "none of these". confidence: the predicted label's. image_confidence: the same without the
    diameter. anomaly: in standard deviations of genuine coins; inf where no coin was found.
    diameter_mm: None where the image does not show the size.
    reason: as in `records.Decision`, or replay's "no-coin" and "wrong-size".
    crop: uint8 (n, n, 3) RGB, the coin as the networks saw it; without one, the whole image.
    membership: the gate's log odds that it is a coin of the bundle; inf without a gate, -inf where
    no coin was found.
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
    membership: float = inf

    @property
    def has_coin(self) -> bool:
        """Whether a coin was found in the image."""
        return bool(self.predicted)

    @property
    def is_correct(self) -> bool:
        """Whether the likeliest label is the true one."""
        return self.predicted == self.label


def select_genuine(predictions: Iterable[Prediction], labels: Collection[str]) -> list[Prediction]:
    """The predictions of images that show one of the labels."""
    return [p for p in predictions if p.label in labels]


def select_foreign(predictions: Iterable[Prediction], labels: Collection[str]) -> list[Prediction]:
    """The predictions of images that show something else; unlabelled ones are not among them."""
    return [p for p in predictions if p.label is not None and p.label not in labels]


class Predictor:
    """A bundle with its networks, for single images.

    crop_scale: of ready crops, None where it is not known. In another process it is opened again,
    once, from the bundle's folder.
    """

    def __init__(
        self, bundle: Bundle, classifier: Classifier, crop_scale: CropScale | None = None
    ) -> None:
        self.bundle = bundle
        self._classifier = classifier
        self._crop_scale = crop_scale
        self._scale_sem = crop_scale.mad_std if crop_scale else 0.0
        self._replay = Replay(bundle, classifier)
        self._rules = build_own_rules(bundle)

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (self.bundle.path, self.bundle.digest, self._crop_scale)

    def predict_frame(self, frame: Frame, path: Path, label: str | None) -> Prediction:
        """What the machine makes of an image as its camera takes it."""
        replayed = self._replay.replay_image(frame, path, label)
        coin, verdict = replayed.coin, replayed.verdict
        if coin is None or verdict is None:
            return self._record_no_coin(replayed, frame.pixels)
        reason = replayed.decision.reason
        return _record(path, label, verdict, coin.diameter_mm, reason, coin.crops[0])

    def predict_ready_crop(self, frame: Frame, path: Path, label: str | None) -> Prediction:
        """What the networks make of an image that one coin fills.

        Raises InputError where the bundle's crops show a coin's size, which ready crops do not.
        """
        spec = self.bundle.crop
        if spec.full_mm:
            raise InputError(
                f"bundle {self.bundle.path} shows its networks how large a coin is, "
                "and ready crops do not; give it whole frames"
            )
        circle = quality.locate_in_crop(frame.pixels, spec.surround)
        diameter_mm = self._crop_scale.measure_mm(circle) if self._crop_scale else None
        crop = cut_crop(frame.pixels, circle, spec.full_mm, spec)
        return self.predict_crop(path, label, crop, diameter_mm)

    def predict_crop(
        self, path: Path, label: str | None, crop: np.ndarray, diameter_mm: float | None
    ) -> Prediction:
        """What the networks make of a coin's crop as they want it, uint8 (n, n, 3).

        Without a diameter its threshold is not applied.
        """
        verdict = self._classifier.make_verdict(
            self._classifier.gather_evidence(crop), _nan_if_none(diameter_mm), self._scale_sem
        )
        assumed_mm = diameter_mm
        if assumed_mm is None:
            assumed_mm = self.bundle.labels[verdict.label].diameter_mm
        decision = decide(
            _lone_coin(crop, assumed_mm), replace(verdict, diameter_mm=assumed_mm), self._rules
        )
        return _record(path, label, verdict, diameter_mm, decision.reason, crop)

    def compute_log_probabilities(
        self, crop: np.ndarray, diameter_mm: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log probabilities of every label, float (labels,): by the crop alone, and fused.

        The fused ones take the diameter into account, where it is known.
        """
        logits = self._classifier.combine_logits(self._classifier.gather_evidence(crop))
        by_image, fused = self._classifier.compute_posteriors(
            logits, _nan_if_none(diameter_mm), self._scale_sem
        )
        return np.array(by_image[:-1]), np.array(fused[:-1])

    def _record_no_coin(self, replayed: ReplayedImage, pixels: np.ndarray) -> Prediction:
        return Prediction(
            path=replayed.path,
            label=replayed.label,
            predicted="",
            probabilities=np.zeros(len(self.bundle.labels)),
            confidence=0.0,
            image_confidence=0.0,
            anomaly=inf,
            diameter_mm=None,
            accepted=False,
            reason=replayed.decision.reason,
            crop=_fit_in_square(pixels, self.bundle.crop.size_px),
            membership=-inf,
        )


@lru_cache(maxsize=1)
def _open_again(path: Path, digest: str, crop_scale: CropScale | None) -> Predictor:
    """A predictor in another process, kept there from job to job."""
    bundle = load_bundle(path)
    if bundle.digest != digest:
        raise BundleError(f"bundle {path}: it was replaced meanwhile; start again")
    return Predictor(bundle, Classifier(bundle, pick_runtime("auto")), crop_scale)


def split_predictions(predictions: Sequence[Prediction]) -> list[Sequence[Prediction]]:
    """The same in parts of IMAGES_PER_JOB, which workers share."""
    starts = range(0, len(predictions), IMAGES_PER_JOB)
    return [predictions[start : start + IMAGES_PER_JOB] for start in starts]


def _record(
    path: Path,
    label: str | None,
    verdict: Verdict,
    diameter_mm: float | None,
    reason: str,
    crop: np.ndarray,
) -> Prediction:
    return Prediction(
        path=path,
        label=label,
        predicted=verdict.label,
        probabilities=np.array(verdict.probabilities),
        confidence=verdict.confidence,
        image_confidence=verdict.image_confidence,
        anomaly=verdict.anomaly,
        diameter_mm=diameter_mm,
        accepted=reason == SORTED,
        reason=reason,
        crop=crop,
        membership=verdict.membership,
    )


def _nan_if_none(diameter_mm: float | None) -> float:
    return nan if diameter_mm is None else diameter_mm


def _lone_coin(crop: np.ndarray, diameter_mm: float) -> Coin:
    """A coin of which nothing but its crop and diameter is known."""
    return Coin(0, (crop,), (), diameter_mm, 0.0, 0.0, 0.0, 0.0, 0.0, 1, alone=True)


def _fit_in_square(pixels: np.ndarray, edge_px: int) -> np.ndarray:
    """The whole image, shrunk, in the middle of a grey square: uint8 (edge_px, edge_px, 3)."""
    height, width = pixels.shape[:2]
    scale = edge_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    square = np.full((edge_px, edge_px, 3), FILL, np.uint8)
    top = (edge_px - small.shape[0]) // 2
    left = (edge_px - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


#: Makes a prediction of an image, its path and its label.
Predict = Callable[[Frame, Path, str | None], Prediction]


@dataclass(frozen=True, eq=False)
class _Job:
    """Some images of a folder, as another process may look at them."""

    predict: Predict
    paths: list[Path]
    labels: list[str | None]


def _predict_images(job: _Job) -> tuple[list[Prediction], dict[Path, str]]:
    """The predictions, and why images could not be read."""
    camera = FolderCamera(job.paths, frame_s=1.0)
    return list(_predict_each(job, camera)), camera.unreadable


def _predict_each(job: _Job, camera: FolderCamera) -> Iterator[Prediction]:
    while frame := camera.next_frame():
        yield job.predict(frame, job.paths[frame.number], job.labels[frame.number])


class FolderPredictions:
    """Predictions of the images below a folder, made in the order that they were taken in.

    predict: called for each. label_of: the true label of an image. workers: share the images, where
    none depends on those before. unreadable: files that are no images, known after the iteration.
    Raises InputError where there are no images.
    """

    def __init__(
        self,
        folder: Path,
        predict: Predict,
        label_of: Callable[[Path], str | None],
        workers: Workers | None = None,
    ) -> None:
        self.folder = folder
        self.paths = list_images(folder)
        self.unreadable: list[Path] = []
        self._predict = predict
        self._label_of = label_of
        self._workers = workers

    def __len__(self) -> int:
        return len(self.paths)

    def label(self, path: Path) -> str | None:
        """The true label of an image; None for one that lies in no folder of its own."""
        return self._label_of(path)

    def __iter__(self) -> Iterator[Prediction]:
        unreadable: dict[Path, str] = {}
        if self._workers:
            jobs = self._list_jobs(IMAGES_PER_JOB)
            for predictions, reasons in self._workers.run(_predict_images, jobs, JOBS_PER_PROCESS):
                yield from predictions
                unreadable |= reasons
        else:
            camera = FolderCamera(self.paths, frame_s=1.0)
            for job in self._list_jobs(len(self.paths)):
                yield from _predict_each(job, camera)
            unreadable |= camera.unreadable
        self.unreadable = list(unreadable)
        for path, reason in unreadable.items():
            log.warning("%s: cannot be read: %s; left out", path, reason)

    def _list_jobs(self, size: int) -> list[_Job]:
        """All images in jobs of `size`."""
        parts = [self.paths[start : start + size] for start in range(0, len(self.paths), size)]
        return [_Job(self._predict, part, [self.label(path) for path in part]) for part in parts]


def predict_folder(
    folder: Path, predictor: Predictor, crops: bool, workers: Workers = HERE
) -> FolderPredictions:
    """Predictions for a folder of folders that are named as labels.

    crops: its images are ready crops, which workers share; frames are taken one by one, as the
    scale is followed from each to the next. Raises InputError where no folder is named as a label.
    """
    predict = predictor.predict_ready_crop if crops else predictor.predict_frame
    bundle = predictor.bundle

    def find_label(path: Path) -> str | None:
        label = find_known_label(path, folder, bundle.resolve_label, bundle.labels)
        return None if label is None else clean(label)

    predictions = FolderPredictions(folder, predict, find_label, workers if crops else None)
    labels = [predictions.label(path) for path in predictions.paths]
    names = {label for label in labels if label is not None}
    if not names & set(predictor.bundle.labels):
        raise InputError(_describe_foreign_folders(folder, predictor.bundle, names))
    return predictions


def _describe_foreign_folders(folder: Path, bundle: Bundle, names: set[str]) -> str:
    labels = _list_some(set(bundle.labels))
    contents = f"in {_list_some(names)}" if names else "in no folders of their own"
    return (
        f"{folder}: no folder is named as a label of bundle {bundle.path} ({labels}); "
        f"its images lie {contents}"
    )


def _list_some(names: set[str]) -> str:
    listed = ", ".join(sorted(names)[:MAX_NAMES])
    more = len(names) - MAX_NAMES
    return f"{listed} and {more} more" if more > 0 else listed
