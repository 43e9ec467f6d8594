"""How accuracy depends on the angle at which a coin lies: every crop is rotated in equal steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from coinsorter.training.evaluation.predictions import Prediction, Predictor
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
) -> RotationStudy:
    """Accuracy on genuine coins found in their images, at `steps` equally spaced angles."""
    names = list(predictor.bundle.labels)
    truth = np.array([names.index(str(p.label)) for p in predictions])
    angles_deg = tuple(360.0 * step / steps for step in range(steps))
    by_image, fused = [], []
    for done, angle_deg in enumerate(angles_deg, 1):
        answers = np.array([_answer(predictor, p, angle_deg) for p in predictions])
        shares = (answers == truth[:, None]).mean(axis=0)
        by_image.append(float(shares[0]))
        fused.append(float(shares[1]))
        report_progress(done)
    return RotationStudy(angles_deg, accuracy=tuple(fused), image_accuracy=tuple(by_image))


def _answer(predictor: Predictor, prediction: Prediction, angle_deg: float) -> list[int]:
    """Indices of the likeliest labels of the rotated crop: by the crop alone, and fused."""
    crop = rotate_crop(prediction.crop, angle_deg)
    by_image, fused = predictor.compute_log_probabilities(crop, prediction.diameter_mm)
    return [int(by_image.argmax()), int(fused.argmax())]


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
