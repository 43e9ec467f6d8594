"""What networks say of coins that they did not see, and of strange things: what limits are set on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from coinsorter.bundle import Golden
from coinsorter.classify import Classifier
from coinsorter.relief import telling
from coinsorter.training.bar import Bar
from coinsorter.training.making import blemishes
from coinsorter.training.making.limits import HeldOut
from coinsorter.training.making.samples import NONE, Samples

BLEMISHED_SEED = 9


@dataclass(frozen=True, eq=False)
class Answers:
    """What networks say of held-out coins, of strange things (those coins blemished are among them), and of given anomalies."""

    held: HeldOut
    strange: HeldOut
    anomalies: HeldOut

    def uninspected(self) -> "Answers":
        """The same where no inspector was asked."""
        return Answers(self.held.uninspected(), self.strange.uninspected(), self.anomalies.uninspected())


def ask(judge: Classifier, held: Samples, strange: Samples, anomalies: Samples, bar: Bar) -> Answers:
    """What a judge says of held-out coins, of the same blemished, and of drawn and given strange things."""
    spec, rng = judge.bundle.crop, np.random.default_rng(BLEMISHED_SEED)
    spoilt = (blemishes.blemished(crop, held.crops[rng.integers(len(held))], spec, rng)[0] for crop in held.crops)
    odd = Samples.joined([replace(held, labels=np.full(len(held), NONE)), strange])
    with bar("held-out coins", len(held) + len(odd) + len(anomalies)) as tell:
        return Answers(
            _told(judge, held, held.crops, 0, tell),
            _told(judge, odd, chain(spoilt, strange.crops), len(held), tell),
            _told(judge, anomalies, anomalies.crops, len(held) + len(odd), tell),
        )


def golden(judge: Classifier, crops: np.ndarray, relief_weight: float) -> Golden:
    """Crops, uint8 (m, size, size, 3), and what networks and reliefs must say of them at every start."""
    told = [judge.evidence(picture) for picture in crops]
    logits = np.array([one.logits + relief_weight * telling(one.likeness) for one in told], np.float32).reshape(len(crops), -1)
    return Golden(crops, logits, *(np.array([getattr(one, name) for one in told], np.float32) for name in ("error", "blemish")))


def in_order(parts: Sequence[Answers], order: np.ndarray) -> Answers:
    """All answers, in the order that their coins were taken in; order: int (n,), the places of the coins that the parts are about."""
    held = HeldOut.joined([part.held for part in parts]).at(np.argsort(order))
    return Answers(held, *(HeldOut.joined([getattr(part, name) for part in parts]) for name in ("strange", "anomalies")))


def _told(judge: Classifier, group: Samples, crops: Iterable[np.ndarray], before: int, tell: Callable[[int], None]) -> HeldOut:
    """What a judge says of some things by these crops; before: how many were gone through already."""
    found = []
    for number, picture in enumerate(crops, before + 1):
        found.append(judge.evidence(picture))
        tell(number)
    labels = len(judge.bundle.facts.labels)
    logits = np.array([one.logits for one in found]).reshape(-1, labels + 1)
    likeness = np.array([one.likeness for one in found]).reshape(-1, labels)
    errors, spoilt = (np.array([getattr(one, name) for one in found], float) for name in ("error", "blemish"))
    return HeldOut(group.labels, logits, likeness, errors, spoilt, group.diameters_mm, np.zeros(len(group)))
