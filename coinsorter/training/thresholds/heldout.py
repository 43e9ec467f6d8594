"""What the int8 networks, the relief and the view say of coins that no network saw.

Everything that a bundle promises rests on these: fusion, anomaly scales and thresholds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from coinsorter.recognition.bundle import Fusion, Golden, Label
from coinsorter.recognition.classifier import Classifier, Evidence
from coinsorter.recognition.fusion import (
    close_set,
    combine_logits,
    compute_log_posterior_array,
)
from coinsorter.training.progress import OpenProgress
from coinsorter.training.samples.samples import Samples

#: Stream of random numbers for the defect logits that are drawn from other coins.
IMPUTE_STREAM = 10


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The evidence on n held-out coins, and their measures; see `Evidence` for the units.

    labels: int (n,). logits: (n, labels + 1). similarities, distances, gate_logits: (n, labels).
    reconstruction_errors: (n,). defect_logits: (n,), NaN where no defect detector was run.
    diameters_mm: (n,), NaN where the images do not show any.
    scale_sems: (n,), relative standard errors of the view's scale.
    memberships: (n,), the gate's log odds; inf without a gate.
    """

    labels: np.ndarray
    logits: np.ndarray
    similarities: np.ndarray
    reconstruction_errors: np.ndarray
    defect_logits: np.ndarray
    distances: np.ndarray
    gate_logits: np.ndarray
    diameters_mm: np.ndarray
    scale_sems: np.ndarray
    memberships: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def has_diameters(self) -> bool:
        """False where no coin has a diameter, as in a data set of ready crops."""
        return not bool(np.isnan(self.diameters_mm).all())

    @property
    def has_gate(self) -> bool:
        """Whether a gate said of any coin whether it is one of the bundle's."""
        return bool(np.isfinite(self.memberships).any())

    def select(self, places: np.ndarray) -> Self:
        """The coins at some places, in that order."""
        arrays = (getattr(self, field.name) for field in fields(self))
        return type(self)(*(array[places] for array in arrays))

    def select_label(self, label: int) -> Self:
        """The coins of one label, given by its place."""
        return self.select(np.flatnonzero(self.labels == label))

    def combine(self, fusion: Fusion) -> Self:
        """The same with the shares of reliefs and gate in the logits, as the machine has them."""
        logits = combine_logits(self.logits, self.similarities, self.gate_logits, fusion)
        return replace(self, logits=logits)

    def without_defects(self) -> Self:
        """The same as if no defect detector had been run."""
        return replace(self, defect_logits=np.full(len(self), np.nan))

    def impute_defects(self, seed: int) -> Self:
        """The same with every missing defect logit taken from another coin of its label, at random.

        Where none of its label has one, from any coin (hot-deck imputation, Little and Rubin,
        2002).
        """
        rng = np.random.default_rng([seed, IMPUTE_STREAM])
        logits = self.defect_logits.copy()
        is_known = ~np.isnan(self.defect_logits)
        for label in np.unique(self.labels):
            is_own = self.labels == label
            donors = is_known & is_own
            if not donors.any():
                donors = is_known
            missing = is_own & ~is_known
            count = int(missing.sum())
            logits[missing] = rng.choice(self.defect_logits[donors], count)
        return replace(self, defect_logits=logits)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The coins of several parts, one after the other."""
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            )
        )


@dataclass(frozen=True, eq=False)
class HeldOutSets:
    """The evidence on held-out coins, and on foreign objects that a person labelled as such.

    anomalies: the foreign objects; there may be none.
    """

    held: HeldOut
    anomalies: HeldOut

    def without_defects(self) -> Self:
        """The same as if no defect detector had been run."""
        return type(self)(self.held.without_defects(), self.anomalies.without_defects())


def collect_evidence(
    classifier: Classifier, held: Samples, anomalies: Samples, open_progress: OpenProgress
) -> HeldOutSets:
    """What a classifier says of held-out coins, and of foreign objects."""
    with open_progress("held-out coins", len(held) + len(anomalies)) as report:
        coins = _collect(classifier, held, report)
        foreign = _collect(classifier, anomalies, lambda done: report(len(held) + done))
        return HeldOutSets(coins, foreign)


def make_golden(classifier: Classifier, crops: np.ndarray, fusion: Fusion) -> Golden:
    """Crops, uint8 (m, n, n, 3), and what networks and reliefs must say of them at every start.

    fusion: the bundle's, which may be another than the classifier has by now.
    """
    evidence = [classifier.gather_evidence(crop) for crop in crops]
    logits = [
        combine_logits(one.logits, one.similarity, one.gate_logits, fusion) for one in evidence
    ]
    errors = [one.reconstruction_error for one in evidence]
    defect_logits = [one.defect_logit for one in evidence]
    distances = [one.distances for one in evidence]
    return Golden(
        crops=crops,
        logits=np.array(logits, np.float32).reshape(len(crops), -1),
        reconstruction_errors=np.array(errors, np.float32),
        defect_logits=np.array(defect_logits, np.float32),
        distances=np.array(distances, np.float32),
        memberships=np.array([_zero_if_inf(one.membership) for one in evidence], np.float32),
    )


def _zero_if_inf(membership: float) -> float:
    """A bundle's arrays hold finite numbers only; without a gate nothing reads this one."""
    return 0.0 if np.isinf(membership) else membership


def join_in_order(parts: Sequence[HeldOutSets], order: np.ndarray) -> HeldOutSets:
    """The evidence of several folds, with the coins in the order that they were taken in.

    order: int (n,), the places, in that order, of the coins as the parts have them.
    """
    held = HeldOut.join([part.held for part in parts]).select(np.argsort(order))
    return HeldOutSets(held, HeldOut.join([part.anomalies for part in parts]))


def classify_heldout(
    held: HeldOut, labels: Sequence[Label], fusion: Fusion
) -> tuple[np.ndarray, np.ndarray]:
    """Each coin's likeliest label, int (n,), and its confidence, float (n,).

    held: with the shares of reliefs and gate in the logits.
    """
    probabilities = np.exp(fuse_heldout(held, labels, fusion))
    best = probabilities[:, :-1].argmax(axis=1)
    return best, probabilities[np.arange(len(best)), best]


def fuse_heldout(held: HeldOut, labels: Sequence[Label], fusion: Fusion) -> np.ndarray:
    """Log posteriors of every label and "none of these", (n, labels + 1), as on the machine.

    held: with the shares of reliefs and gate in the logits.
    """
    nominal_mm = [label.diameter_mm for label in labels]
    logits = close_set(held.logits) if held.has_gate else held.logits
    return compute_log_posterior_array(
        logits, held.diameters_mm, held.scale_sems, nominal_mm, fusion
    )


def _collect(classifier: Classifier, samples: Samples, report: Callable[[int], None]) -> HeldOut:
    """The evidence on some samples. report: takes how many are done."""
    evidence = []
    for done, crop in enumerate(samples.crops, 1):
        evidence.append(classifier.gather_evidence(crop))
        report(done)
    return _tabulate(evidence, samples, len(classifier.bundle.manifest.labels))


def _tabulate(evidence: Sequence[Evidence], samples: Samples, labels: int) -> HeldOut:
    logits = np.array([one.logits for one in evidence])
    similarities = np.array([one.similarity for one in evidence])
    errors = [one.reconstruction_error for one in evidence]
    defect_logits = [one.defect_logit for one in evidence]
    distances = np.array([one.distances for one in evidence])
    gate_logits = np.array([one.gate_logits for one in evidence])
    return HeldOut(
        labels=samples.labels,
        logits=logits.reshape(-1, labels + 1),
        similarities=similarities.reshape(-1, labels),
        reconstruction_errors=np.array(errors, float),
        defect_logits=np.array(defect_logits, float),
        distances=distances.reshape(-1, labels),
        gate_logits=gate_logits.reshape(-1, labels),
        diameters_mm=samples.diameters_mm,
        scale_sems=np.zeros(len(samples)),
        memberships=np.array([one.membership for one in evidence], float),
    )
