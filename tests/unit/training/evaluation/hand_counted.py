"""Predictions whose figures can be worked out by hand."""

from math import inf
from pathlib import Path

import numpy as np

from coinsorter.records import Thresholds
from coinsorter.training.evaluation.predictions import Prediction
from coinsorter.vision.crop import FILL

LABELS = ("one", "two", "three")
THRESHOLDS = dict.fromkeys(LABELS, Thresholds(0.5, 3.0, 20.0, 1.0, min_membership=-1.0))
NO_CROP = np.full((64, 64, 3), FILL, np.uint8)


def predict(
    label: str | None,
    predicted: str,
    confidence: float = 0.9,
    anomaly: float = 1.0,
    reason: str = "sorted",
) -> Prediction:
    return Prediction(
        path=Path(f"{label}/x.png"),
        label=label,
        predicted=predicted,
        probabilities=np.zeros(3),
        confidence=confidence,
        image_confidence=confidence,
        anomaly=anomaly,
        diameter_mm=20.0,
        accepted=reason == "sorted",
        reason=reason,
        crop=NO_CROP,
    )


# Eight genuine coins, six of them called rightly: four ones (one of them called two, and one not
# found), three twos and a three; two foreign objects, one of them accepted; and one unlabelled.
PREDICTIONS = [
    predict("one", "one", 0.99, 0.5),
    predict("one", "one", 0.60, 5.0, "anomaly"),
    predict("one", "two", 0.80, 1.0),
    predict("one", "", 0.0, inf, "no-coin"),
    predict("two", "two", 0.95, 0.7),
    predict("two", "two", 0.90, 1.5),
    predict("two", "two", 0.55, 2.0, "unsure"),
    predict("three", "three", 0.98, 0.2),
    predict("token", "three", 0.97, 2.5),
    predict("washer", "one", 0.50, 9.0, "anomaly"),
    predict(None, "one", 0.99, 0.1),
]
