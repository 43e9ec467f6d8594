"""What networks say of coins that they did not see, and of given anomalies: what limits are set on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coinsorter.recognition.bundle import Golden
from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.relief import compute_relief_logits
from coinsorter.training.progress import OpenProgress
from coinsorter.training.samples.samples import Samples
from coinsorter.training.thresholds.choose import HeldOut


@dataclass(frozen=True, eq=False)
class HeldOutSets:
    """What networks say of held-out coins, and of strange things that somebody named as such."""

    held: HeldOut
    anomalies: HeldOut

    def without_defects(self) -> "HeldOutSets":
        """The same where no inspector was asked."""
        return HeldOutSets(self.held.without_defects(), self.anomalies.without_defects())


def collect_evidence(
    judge: Classifier, held: Samples, anomalies: Samples, bar: OpenProgress
) -> HeldOutSets:
    """What a judge says of held-out coins, and of given strange things."""
    with bar("held-out coins", len(held) + len(anomalies)) as tell:
        return HeldOutSets(_told(judge, held, 0, tell), _told(judge, anomalies, len(held), tell))


def make_golden(judge: Classifier, crops: np.ndarray, relief_weight: float) -> Golden:
    """Crops, uint8 (m, size, size, 3), and what networks and reliefs must say of them at every start."""
    told = [judge.gather_evidence(picture) for picture in crops]
    logits = np.array(
        [one.logits + relief_weight * compute_relief_logits(one.similarity) for one in told],
        np.float32,
    ).reshape(len(crops), -1)
    rest = (
        np.array([getattr(one, name) for one in told], np.float32)
        for name in ("reconstruction_error", "defect_logit", "distances")
    )
    return Golden(crops, logits, *rest)


def join_in_order(parts: Sequence[HeldOutSets], order: np.ndarray) -> HeldOutSets:
    """All answers, in the order that their coins were taken in; order: int (n,), the places of the coins that the parts are about."""
    held = HeldOut.join([part.held for part in parts]).select(np.argsort(order))
    return HeldOutSets(held, HeldOut.join([part.anomalies for part in parts]))


def _told(judge: Classifier, group: Samples, before: int, tell: Callable[[int], None]) -> HeldOut:
    """What a judge says of some things; before: how many were gone through already."""
    found = []
    for number, picture in enumerate(group.crops, before + 1):
        found.append(judge.gather_evidence(picture))
        tell(number)
    labels = len(judge.bundle.manifest.labels)
    logits = np.array([one.logits for one in found]).reshape(-1, labels + 1)
    likeness, distances = (
        np.array([getattr(one, name) for one in found]).reshape(-1, labels)
        for name in ("similarity", "distances")
    )
    errors, spoilt = (
        np.array([getattr(one, name) for one in found], float)
        for name in ("reconstruction_error", "defect_logit")
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
