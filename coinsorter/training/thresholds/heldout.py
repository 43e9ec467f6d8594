"""What networks say of coins that they did not see, and of given anomalies: what limits are set on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coinsorter.recognition.bundle import Golden
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.relief import telling
from coinsorter.training.progress import OpenProgress
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.choose import HeldOut


@dataclass(frozen=True, eq=False)
class Answers:
    """What networks say of held-out coins, and of strange things that somebody named as such."""

    held: HeldOut
    anomalies: HeldOut

    def uninspected(self) -> "Answers":
        """The same where no inspector was asked."""
        return Answers(self.held.uninspected(), self.anomalies.uninspected())


def ask(judge: Classifier, held: Samples, anomalies: Samples, bar: OpenProgress) -> Answers:
    """What a judge says of held-out coins, and of given strange things."""
    with bar("held-out coins", len(held) + len(anomalies)) as tell:
        return Answers(_told(judge, held, 0, tell), _told(judge, anomalies, len(held), tell))


def golden(judge: Classifier, crops: np.ndarray, relief_weight: float) -> Golden:
    """Crops, uint8 (m, size, size, 3), and what networks and reliefs must say of them at every start."""
    told = [judge.evidence(picture) for picture in crops]
    logits = np.array(
        [one.logits + relief_weight * telling(one.likeness) for one in told], np.float32
    ).reshape(len(crops), -1)
    rest = (
        np.array([getattr(one, name) for one in told], np.float32)
        for name in ("error", "blemish", "distances")
    )
    return Golden(crops, logits, *rest)


def in_order(parts: Sequence[Answers], order: np.ndarray) -> Answers:
    """All answers, in the order that their coins were taken in; order: int (n,), the places of the coins that the parts are about."""
    held = HeldOut.joined([part.held for part in parts]).at(np.argsort(order))
    return Answers(held, HeldOut.joined([part.anomalies for part in parts]))


def _told(judge: Classifier, group: Samples, before: int, tell: Callable[[int], None]) -> HeldOut:
    """What a judge says of some things; before: how many were gone through already."""
    found = []
    for number, picture in enumerate(group.crops, before + 1):
        found.append(judge.evidence(picture))
        tell(number)
    labels = len(judge.bundle.facts.labels)
    logits = np.array([one.logits for one in found]).reshape(-1, labels + 1)
    likeness, distances = (
        np.array([getattr(one, name) for one in found]).reshape(-1, labels)
        for name in ("likeness", "distances")
    )
    errors, spoilt = (
        np.array([getattr(one, name) for one in found], float) for name in ("error", "blemish")
    )
    return HeldOut(
        group.labels,
        logits,
        likeness,
        errors,
        spoilt,
        distances,
        group.diameters_mm,
        np.zeros(len(group)),
    )
