"""How accuracy depends on the angle at which a coin lies: every crop is rotated in equal steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from coinsorter.training.evaluation.predictions import (
    JOBS_PER_PROCESS,
    Prediction,
    Predictor,
    split_predictions,
)
from coinsorter.training.parallel import HERE, Workers
from coinsorter.vision.crop import FILL


@dataclass(frozen=True)
class RotationStudy:
    """Share of the coins that are called rightly at each angle.

    accuracy: with all that is known of them. image_accuracy: by their crop alone.
    """

    angles_deg: tuple[float, ...]
    accuracy: tuple[float, ...]
    image_accuracy: tuple[float, ...]

    @property
    def lowest(self) -> float:
        """Accuracy at the worst angle."""
        return min(self.accuracy)

    @property
    def highest(self) -> float:
        """Accuracy at the best angle."""
        return max(self.accuracy)

    @property
    def accuracy_range(self) -> float:
        """Difference between the best and the worst angle."""
        return self.highest - self.lowest


def study_rotation(
    predictor: Predictor,
    predictions: Sequence[Prediction],
    steps: int,
    report_progress: Callable[[int], None],
    workers: Workers = HERE,
) -> RotationStudy:
    """Accuracy on genuine coins found in their images, at `steps` equally spaced angles.

    workers: share the coins, whose number progress is reported in.
    """
    names = list(predictor.bundle.labels)
    truth = np.array([names.index(str(p.label)) for p in predictions])
    angles_deg = tuple(360.0 * step / steps for step in range(steps))
    jobs = [_Job(predictor, part, angles_deg) for part in split_predictions(predictions)]
    answers: list[np.ndarray] = []
    for own in workers.run(_answer, jobs, max(1, JOBS_PER_PROCESS // steps)):
        answers.extend(own)
        report_progress(len(answers))
    shares = (np.array(answers) == truth[:, None, None]).mean(axis=0)
    by_image, fused = shares.T.tolist()
    return RotationStudy(angles_deg, accuracy=tuple(fused), image_accuracy=tuple(by_image))


@dataclass(frozen=True, eq=False)
class _Job:
    """Some coins to rotate, as another process may do it."""

    predictor: Predictor
    predictions: Sequence[Prediction]
    angles_deg: tuple[float, ...]


def _answer(job: _Job) -> np.ndarray:
    """Numbers of the likeliest labels of the rotated crops: by the crop alone, and fused.

    int (coins, angles, 2).
    """
    answers = np.empty((len(job.predictions), len(job.angles_deg), 2), int)
    for coin, prediction in enumerate(job.predictions):
        for step, angle_deg in enumerate(job.angles_deg):
            crop = rotate_crop(prediction.crop, angle_deg)
            both = job.predictor.compute_log_probabilities(crop, prediction.diameter_mm)
            answers[coin, step] = [log_p.argmax() for log_p in both]
    return answers


def rotate_crop(crop: np.ndarray, angle_deg: float) -> np.ndarray:
    """The crop, uint8 (n, n, 3), rotated counter-clockwise about its centre, grey outside."""
    edge_px = crop.shape[0]
    centre_px = (edge_px - 1) / 2
    rotation = cv2.getRotationMatrix2D((centre_px, centre_px), angle_deg, 1.0)
    return cv2.warpAffine(
        crop,
        rotation,
        (edge_px, edge_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(FILL,) * 3,
    )
