"""Does it matter how a coin lies? Each crop is turned by equal steps and asked about again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from coinsorter.training.evaluation.predictions import Prediction, Predictor
from coinsorter.vision.crop import FILL


@dataclass(frozen=True)
class RotationStudy:
    """Share of coins that are called rightly at each angle: with all that is known of them, and by their picture alone."""

    angles_deg: tuple[float, ...]
    accuracy: tuple[float, ...]
    by_picture: tuple[float, ...]
    lowest: float
    highest: float
    spread: float


def study(
    judge: Predictor, records: Sequence[Prediction], steps: int, progress: Callable[[int], None]
) -> RotationStudy:
    """Of genuine coins found in their pictures, turned `steps` times by 360 / steps degrees."""
    names = list(judge.models.labels)
    truth = np.array([names.index(str(r.label)) for r in records])
    angles = tuple(360.0 * step / steps for step in range(steps))
    shares = []
    for done, angle in enumerate(angles, 1):
        said = [
            [int(p.argmax()) for p in judge.fused(turned(r.crop, angle), r.diameter_mm)]
            for r in records
        ]
        shares.append((np.array(said) == truth[:, None]).mean(axis=0))
        progress(done)
    by_picture, accuracy = (tuple(map(float, column)) for column in zip(*shares))
    return RotationStudy(
        angles, accuracy, by_picture, min(accuracy), max(accuracy), max(accuracy) - min(accuracy)
    )


def turned(crop: np.ndarray, angle_deg: float) -> np.ndarray:
    """The crop, uint8 (n, n, 3), turned about its middle, counter-clockwise."""
    size = crop.shape[0]
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle_deg, 1.0)
    return cv2.warpAffine(
        crop,
        turn,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(FILL,) * 3,
    )
