"""Held-out coins -> each label's thresholds within an error budget, and what the sample proves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coinsorter.recognition.bundle import (
    MAX_ANOMALY,
    MAX_TOLERANCE,
    AnomalyScale,
    Fusion,
    Label,
    LabelThresholds,
)
from coinsorter.records import Verdict
from coinsorter.robust import clopper_pearson_upper
from coinsorter.sorting.acceptance import find_failed_threshold
from coinsorter.training.recipe import Budget
from coinsorter.training.thresholds.anomaly_fit import find_reach, score_label, score_taken_for
from coinsorter.training.thresholds.heldout import HeldOut, classify_heldout

#: One in ten wrong is no proof, however few of the held-out coins were. Set after two coins of
#: brl-frames/day2 were accepted wrongly at 0.76 by a threshold of 0.75 that the held-out coins of
#: day1 had allowed.
MIN_CONFIDENCE = 0.9
#: Confidence thresholds stay below 1, which no coin reaches.
MAX_CONFIDENCE = 0.9999
#: Relative tolerance of a diameter is at least this, and ...
MIN_TOLERANCE = 0.012
#: ... so many standard deviations of genuine coins' diameters.
TOLERANCE_STDS = 4.0
#: Anomaly threshold at least, in robust standard deviations of genuine coins.
MIN_ANOMALY_THRESHOLD = 3.0
#: Standard deviations off a label's diameter beyond which something else was outlined, such as a
#: bimetal coin's core.
MAX_OUTLINE_STDS = 10.0
#: Log odds that the gate is never asked more than: a coin is likelier genuine than not.
MAX_MIN_MEMBERSHIP = 0.0
#: Log odds by which a label has to be likelier than the runner-up: MIN_CONFIDENCE among two.
MIN_MARGIN = 2.19
#: Foreign objects taken for a label, from which on they have a say in its threshold.
MIN_ANOMALIES = 8
#: Thresholds that each may reject an equal part of the budget for genuine coins: confidence,
#: anomaly and diameter. A gate's is one more.
THRESHOLDS_WITHOUT_GATE = 3
#: One-sided confidence level of what the sample proves.
PROOF_LEVEL = 0.95


@dataclass(frozen=True)
class _CommonThresholds:
    """What is set on the coins of all labels together. tolerance: relative.

    min_membership: None without a gate.
    """

    min_confidence: float
    max_anomaly: float
    tolerance: float
    min_membership: float | None


def choose_thresholds(
    days: Sequence[HeldOut],
    labels: Sequence[Label],
    fusion: Fusion,
    scales: dict[str, AnomalyScale],
    budget: Budget,
    anomalies: HeldOut | None = None,
) -> tuple[dict[str, LabelThresholds], dict[str, Any]]:
    """Each label's thresholds, and what the sample proves of the budget, as bundle.yaml has it.

    days: the same coins on one day or several. The proof is the first day's: the others' coins are
    not further ones. anomalies: foreign objects with the labels that they are taken for.

    The confidence threshold is the highest that rejects no more genuine coins than the budget
    allows. It is at least so high that no more of the held-out coins above it are wrong than the
    budget allows, and at least MIN_CONFIDENCE. Anomaly and diameter are measured in units of the
    label's own, so that the coins of all labels together tell how far they scatter: one label has
    too few for the rare ones. Coins whose outline is plainly not their own (MAX_OUTLINE_STDS) have
    no say: no threshold is to let them through. With enough foreign objects, a label's anomaly
    threshold is the one that separates them best from genuine coins.
    """
    held = HeldOut.join(days)
    best, confidence = classify_heldout(held, labels, fusion)
    scores = score_taken_for(held, held.labels, labels, scales, fusion)
    is_right = best == held.labels
    common = _choose_common(held, labels, fusion, budget, confidence, scores, is_right)
    share = _share_budget(held, budget)
    thresholds = {}
    for number, label in enumerate(labels):
        is_own = held.labels == number
        lowest = _find_lowest(confidence[is_own & is_right], share)
        scale = scales[label.name]
        foreign = _score_anomalies(anomalies, number, scale, fusion)
        max_anomaly = common.max_anomaly
        if len(foreign) >= MIN_ANOMALIES:
            max_anomaly = _separate_best(scores[is_own], foreign)
        thresholds[label.name] = LabelThresholds(
            min_confidence=round(max(common.min_confidence, lowest), 6),
            max_anomaly=round(min(max_anomaly, MAX_ANOMALY), 3),
            tolerance_mm=round(common.tolerance * label.diameter_mm, 3),
            n=int(is_own.sum()) // len(days),
            min_margin=MIN_MARGIN,
            min_membership=None if label.taught else common.min_membership,
        )
    return thresholds, prove_budget(days[0], labels, thresholds, scales, fusion, budget)


def prove_budget(
    held: HeldOut,
    labels: Sequence[Label],
    thresholds: dict[str, LabelThresholds],
    scales: dict[str, AnomalyScale],
    fusion: Fusion,
    budget: Budget,
) -> dict[str, Any]:
    """What the thresholds accept of held-out coins, and the bound on wrong ones, for bundle.yaml.

    The bound is Clopper and Pearson's (1934) at 95 %, of the share of wrong coins among those
    accepted.
    """
    best, confidence = classify_heldout(held, labels, fusion)
    scores = score_taken_for(held, best, labels, scales, fusion)
    is_accepted = accept_heldout(held, labels, thresholds, best, confidence, scores)
    accepted = int(is_accepted.sum())
    wrong = int((is_accepted & (best != held.labels)).sum())
    bound = clopper_pearson_upper(wrong, accepted, PROOF_LEVEL)
    return {
        "wrong": budget.wrong,
        "genuine_rejected": budget.genuine_rejected,
        "held_out": len(held),
        "held_out_accepted": accepted,
        "held_out_wrong": wrong,
        "wrong_at_most_95": float(f"{bound:.3g}"),
        "proven": bool(bound <= budget.wrong),
    }


def accept_heldout(
    held: HeldOut,
    labels: Sequence[Label],
    thresholds: dict[str, LabelThresholds],
    best: np.ndarray,
    confidence: np.ndarray,
    scores: np.ndarray,
) -> np.ndarray:
    """Which coins the machine's own rule accepts: bool (n,). NaN is rejected.

    best, confidence, scores: (n,), likeliest label, its probability, its anomaly score. Where no
    coin has a diameter, diameters are not checked.
    """
    rules = [thresholds[label.name].bind(label.diameter_mm) for label in labels]
    check_diameter = held.has_diameters
    columns = (best, confidence, scores, held.diameters_mm, held.memberships)
    coins = zip(*(column.tolist() for column in columns))
    reasons = [
        find_failed_threshold(
            _make_verdict(labels[coin[0]].name, *coin[1:]),
            rules[coin[0]],
            check_diameter=check_diameter,
        )
        for coin in coins
    ]
    return np.array([reason is None for reason in reasons], bool)


def _make_verdict(
    label: str, confidence: float, anomaly: float, diameter_mm: float, membership: float
) -> Verdict:
    """The verdict on a held-out coin. Its margin follows from its confidence."""
    return Verdict(label, confidence, confidence, "", anomaly, diameter_mm, membership=membership)


def _choose_common(
    held: HeldOut,
    labels: Sequence[Label],
    fusion: Fusion,
    budget: Budget,
    confidence: np.ndarray,
    scores: np.ndarray,
    is_right: np.ndarray,
) -> _CommonThresholds:
    share = _share_budget(held, budget)
    min_confidence = max(MIN_CONFIDENCE, _keep_budget(confidence, is_right, budget.wrong))
    errors = _measure_diameter_errors(held, labels)
    is_outlined = errors <= MAX_OUTLINE_STDS * fusion.diameter_std
    max_anomaly = max(MIN_ANOMALY_THRESHOLD, find_reach(share, scores[is_outlined]))
    is_sure = is_right & (confidence >= min_confidence)
    is_usual = is_outlined & (scores <= max_anomaly)
    reach = find_reach(share, errors[is_sure & is_usual])
    tolerance = max(MIN_TOLERANCE, TOLERANCE_STDS * fusion.diameter_std, reach)
    min_membership = None
    if held.has_gate:
        trained = [number for number, label in enumerate(labels) if not label.taught]
        is_judged = is_outlined & np.isin(held.labels, trained)
        lowest = -find_reach(share, -held.memberships[is_judged])
        min_membership = round(min(lowest, MAX_MIN_MEMBERSHIP), 3)
    return _CommonThresholds(
        min_confidence, max_anomaly, min(tolerance, MAX_TOLERANCE), min_membership
    )


def _share_budget(held: HeldOut, budget: Budget) -> float:
    """The share of genuine coins that each threshold may reject."""
    return budget.genuine_rejected / (THRESHOLDS_WITHOUT_GATE + held.has_gate)


def _measure_diameter_errors(held: HeldOut, labels: Sequence[Label]) -> np.ndarray:
    """How far diameters are from nominal, relative: float (n,); 0 where no coin has a diameter."""
    if not held.has_diameters:
        return np.zeros(len(held))
    nominal_mm = np.array([label.diameter_mm for label in labels])
    errors: np.ndarray = np.abs(held.diameters_mm / nominal_mm[held.labels] - 1)
    return errors


def _score_anomalies(
    anomalies: HeldOut | None, label: int, scale: AnomalyScale, fusion: Fusion
) -> np.ndarray:
    """The anomaly scores of foreign objects that are taken for a label: float (n,).

    Without those on which the defect detector was not run, where the score needs it.
    """
    if anomalies is None:
        return np.empty(0)
    own = anomalies.select_label(label)
    if fusion.defect_weight and scale.defect:
        is_measured = ~np.isnan(own.defect_logits)
        own = own.select(np.flatnonzero(is_measured))
    return score_label(own, label, scale, fusion)


def _separate_best(genuine: np.ndarray, foreign: np.ndarray) -> float:
    """The anomaly threshold that separates two kinds of scores best, by Youden's index."""
    candidates = np.unique(np.concatenate([genuine, foreign]))
    errors = []
    for threshold in candidates:
        rejected = (genuine > threshold).mean()
        accepted = (foreign <= threshold).mean()
        errors.append(rejected + accepted)
    best = int(np.argmin(errors))
    return float(candidates[best])


def _find_lowest(confidence: np.ndarray, share: float) -> float:
    """The confidence that all but a share of rightly named coins reach; 1 where there are none."""
    if not len(confidence):
        return 1.0
    return min(MAX_CONFIDENCE, float(np.quantile(confidence, share)))


def _keep_budget(confidence: np.ndarray, is_right: np.ndarray, budget: float) -> float:
    """The lowest confidence threshold above which the share of wrong coins is within the budget.

    The share is estimated as (wrong + 1/2) / (n + 1), the mean of Jeffreys' posterior; 1 where no
    threshold keeps the budget.
    """
    order = np.argsort(-confidence, kind="stable")
    accepted = np.arange(1, len(order) + 1)
    wrong = np.cumsum(~is_right[order])
    shares = (wrong + 0.5) / (accepted + 1)
    within = np.flatnonzero(shares <= budget)
    if not len(within):
        return 1.0
    last = order[within[-1]]
    return float(confidence[last])
