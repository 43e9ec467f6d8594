"""Judged pictures -> figures. Pure: no picture is looked at here, and nothing is drawn.

Two views of the same pictures. *All answered*: each genuine coin is called its likeliest label, however unsure. *The machine*: what it
accepted went into the label's bin, all else was rejected. A share that cannot be told (of no coins) is None.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score, roc_curve

from coinsorter.robust import clopper_pearson_upper
from coinsorter.training.evaluation.predictions import Prediction

NOTHING, REJECTED, FOREIGN = "(no coin)", "(rejected)", "(foreign)"
LEVEL = 0.95  # of every bound and interval
BINS = 10  # of the reliability diagram
CURVE_POINTS = 400  # of a curve that is kept
RISKS = (0.0001, 0.001, 0.01)  # at which coverage is told
REJECTED_GENUINE = 0.05  # of genuine coins: at that price, how many foreign ones are caught


@dataclass(frozen=True)
class Proportion:
    """`count` of `of`, with the 95 % interval (Clopper and Pearson, 1934) and the one-sided 95 % bound. None where `of` is 0.

    They hold for coins that are independent; pictures of the same coin, moments apart, are not.
    """

    count: int
    of: int
    share: float | None
    low_95: float | None
    high_95: float | None
    at_most_95: float | None

    @classmethod
    def counted(cls, count: int, of: int) -> Self:
        if not of:
            return cls(count, of, None, None, None, None)
        tail = (1 - LEVEL) / 2
        return cls(
            count,
            of,
            count / of,
            1 - clopper_pearson_upper(of - count, of, 1 - tail),
            clopper_pearson_upper(count, of, 1 - tail),
            clopper_pearson_upper(count, of, LEVEL),
        )


@dataclass(frozen=True)
class LabelScore:
    """One label: how many of its coins there were, and how many of them (recall) and of what was called so (precision) were right."""

    coins: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ConfusionMatrix:
    """counts[row][column]: how many coins of the row's label were called, or went to, the column's."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def mistakes(self) -> list[tuple[str, str, int]]:
        """(true, said, count) of every cell off the diagonal that is not empty, the fullest first."""
        cells = (
            (row, column, n)
            for row, line in zip(self.rows, self.counts)
            for column, n in zip(self.columns, line)
        )
        return sorted(
            (cell for cell in cells if cell[2] and cell[0] != cell[1]), key=lambda cell: -cell[2]
        )


@dataclass(frozen=True)
class ClosedSetMetrics:
    """How well labels were told apart. right: of the genuine coins. Balanced and macro figures are means over the labels that have coins."""

    right: Proportion
    balanced_accuracy: float | None
    macro_precision: float | None
    macro_f1: float | None
    per_label: dict[str, LabelScore]
    confusion: ConfusionMatrix


@dataclass(frozen=True)
class AcceptanceMetrics:
    """What the limits let through.

    genuine_accepted: of the genuine coins. false_accepts: wrong labels and foreign coins among all that was accepted; the other two are its
    parts: wrong_labels among accepted genuine coins, foreign_accepted among foreign ones. rejected: genuine coins, by reason.
    """

    accepted: int
    genuine_accepted: Proportion
    false_accepts: Proportion
    wrong_labels: Proportion
    foreign_accepted: Proportion
    rejected: dict[str, int]
    answers: ClosedSetMetrics


@dataclass(frozen=True)
class Curve:
    x: tuple[float, ...]
    y: tuple[float, ...]

    @classmethod
    def thinned(cls, x: np.ndarray, y: np.ndarray) -> Self:
        """At most CURVE_POINTS of the points, evenly chosen, the first and the last among them."""
        kept = (
            np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
            if len(x)
            else []
        )
        return cls(tuple(float(x[i]) for i in kept), tuple(float(y[i]) for i in kept))


@dataclass(frozen=True)
class RiskCoverage:
    """If only the surest share of genuine coins were answered (coverage), how many of those would be wrong (risk).

    area: under the curve, the mean risk over all coverages. coverage_at: the largest coverage whose risk is no more, by risk.
    """

    curve: Curve
    area: float | None
    coverage_at: dict[str, float]


@dataclass(frozen=True)
class ReliabilityBin:
    """Coins whose confidence is above low, up to high: their mean confidence, and how many were right."""

    low: float
    high: float
    confidence: float
    right: Proportion


@dataclass(frozen=True)
class Reliability:
    """expected_error: mean distance of confidence and share right over the bins, weighed by their coins (ECE: Naeini et al., 2015)."""

    bins: tuple[ReliabilityBin, ...]
    expected_error: float | None


@dataclass(frozen=True)
class AnomalyMetrics:
    """How well the anomaly score tells foreign from genuine coins; of those found in their pictures.

    tpr: genuine coins within their label's limit. tnr: foreign ones beyond it. auroc: that a foreign coin's score is above a genuine one's;
    auroc_confidence: the same of one minus the confidence. caught_at_5: foreign coins above the score that 5 % of the genuine ones are above.
    roc: foreign caught (y) over genuine lost (x), for every limit; roc_confidence likewise.
    """

    tpr: Proportion
    tnr: Proportion
    auroc: float | None
    auroc_confidence: float | None
    caught_at_5: float | None
    roc: Curve
    roc_confidence: Curve


@dataclass(frozen=True)
class EvaluationMetrics:
    """Everything counted. pictures: readable ones; unlabelled: those in no folder of their own, which count nowhere else.

    no_coin: genuine coins' pictures in which none was found; they are answered wrongly. foreign_folders: pictures and accepted ones, by folder.
    """

    pictures: int
    genuine: int
    foreign: int
    unlabelled: int
    no_coin: int
    foreign_folders: dict[str, tuple[int, int]]
    all_answered: ClosedSetMetrics
    machine: AcceptanceMetrics
    risk_coverage: RiskCoverage
    reliability: Reliability
    anomaly: AnomalyMetrics


def measure(
    records: Iterable[Prediction], labels: Sequence[str], max_anomaly: Mapping[str, float]
) -> EvaluationMetrics:
    """All figures. labels: the bundle's, in its order. max_anomaly: the limit in force, by label."""
    known = list(records)
    genuine = [r for r in known if r.label in labels]
    foreign = [r for r in known if r.label is not None and r.label not in labels]
    right, confidence = (
        np.array([r.right for r in genuine], bool),
        np.array([r.confidence for r in genuine]),
    )
    seen = np.array([r.found for r in genuine], bool)
    return EvaluationMetrics(
        pictures=len(known),
        genuine=len(genuine),
        foreign=len(foreign),
        unlabelled=len(known) - len(genuine) - len(foreign),
        no_coin=sum(not r.found for r in genuine),
        foreign_folders=_folders(foreign),
        all_answered=answers(
            [str(r.label) for r in genuine], [r.predicted or NOTHING for r in genuine], labels
        ),
        machine=_machine(genuine, foreign, labels),
        risk_coverage=risk_coverage(confidence, right),
        reliability=reliability(confidence[seen], right[seen]),
        anomaly=anomaly(
            [r for r in genuine if r.found], [r for r in foreign if r.found], max_anomaly
        ),
    )


def answers(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> ClosedSetMetrics:
    """Figures of what was said of coins against the truth, both by name.

    A truth that is no label (a foreign thing) counts against the precision of what it was called, and nowhere else.
    """
    known = [(t, s) for t, s in zip(truth, said) if t in labels]
    right = sum(t == s for t, s in known)
    per_label = _per_label(truth, said, labels)
    present = [score for score in per_label.values() if score.coins]
    return ClosedSetMetrics(
        right=Proportion.counted(right, len(known)),
        balanced_accuracy=_mean(score.recall for score in present),
        macro_precision=_mean(score.precision or 0.0 for score in present),
        macro_f1=_mean(score.f1 for score in present),
        per_label=per_label,
        confusion=confusion(truth, said, labels),
    )


def _per_label(
    truth: Sequence[str], said: Sequence[str], labels: Sequence[str]
) -> dict[str, LabelScore]:
    if not len(truth):
        return {label: LabelScore(0, None, None, None) for label in labels}
    precision, recall, f1, coins = precision_recall_fscore_support(
        truth, said, labels=list(labels), zero_division=np.nan
    )
    return {
        label: LabelScore(int(n), _or_none(p), _or_none(r), _or_none(f))
        for label, n, p, r, f in zip(labels, coins, precision, recall, f1)
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def confusion(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> ConfusionMatrix:
    """Rows: the labels that have coins, then other truths; columns: the labels that have coins or were said, then other words that were said."""
    rows = [label for label in labels if label in set(truth)] + sorted(set(truth) - set(labels))
    columns = [label for label in labels if label in {*truth, *said}] + sorted(
        set(said) - set(labels)
    )
    cells = Counter(zip(truth, said))
    return ConfusionMatrix(
        tuple(rows),
        tuple(columns),
        tuple(tuple(cells[row, column] for column in columns) for row in rows),
    )


def _folders(foreign: list[Prediction]) -> dict[str, tuple[int, int]]:
    seen, accepted = (
        Counter(str(r.label) for r in foreign),
        Counter(str(r.label) for r in foreign if r.accepted),
    )
    return {name: (count, accepted[name]) for name, count in sorted(seen.items())}


def _machine(
    genuine: list[Prediction], foreign: list[Prediction], labels: Sequence[str]
) -> AcceptanceMetrics:
    taken, let_in = [r for r in genuine if r.accepted], sum(r.accepted for r in foreign)
    wrong = sum(not r.right for r in taken)
    truth = [str(r.label) for r in genuine] + [FOREIGN] * len(foreign)
    said = [r.predicted if r.accepted else REJECTED for r in (*genuine, *foreign)]
    return AcceptanceMetrics(
        accepted=len(taken) + let_in,
        genuine_accepted=Proportion.counted(len(taken), len(genuine)),
        false_accepts=Proportion.counted(wrong + let_in, len(taken) + let_in),
        wrong_labels=Proportion.counted(wrong, len(taken)),
        foreign_accepted=Proportion.counted(let_in, len(foreign)),
        rejected=dict(Counter(r.reason for r in genuine if not r.accepted).most_common()),
        answers=answers(truth, said, labels),
    )


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> RiskCoverage:
    """Float (n,) and bool (n,). Coins of equal confidence are answered together or not at all (El-Yaniv and Wiener, 2010)."""
    if not len(right):
        return RiskCoverage(Curve((), ()), None, {})
    order = np.argsort(-confidence, kind="stable")
    last = np.flatnonzero(np.diff(confidence[order], append=-np.inf) < 0)  # of each run of equals
    coverage = (last + 1) / len(right)
    risk = np.cumsum(~right[order])[last] / (last + 1)
    steps = np.diff(coverage, prepend=0.0)
    at = {f"{limit:g}": float(coverage[risk <= limit].max(initial=0.0)) for limit in RISKS}
    return RiskCoverage(Curve.thinned(coverage, risk), float(np.sum(steps * risk)), at)


def reliability(confidence: np.ndarray, right: np.ndarray) -> Reliability:
    """Float (n,) and bool (n,), in BINS bins of equal width; empty ones are left out."""
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = tuple(
        _bin(b, confidence[place == b], right[place == b]) for b in np.unique(place).tolist()
    )
    off = sum(b.right.of * abs(b.confidence - (b.right.share or 0.0)) for b in bins)
    return Reliability(bins, off / len(right) if len(right) else None)


def _bin(number: int, confidence: np.ndarray, right: np.ndarray) -> ReliabilityBin:
    return ReliabilityBin(
        number / BINS,
        (number + 1) / BINS,
        float(confidence.mean()),
        Proportion.counted(int(right.sum()), len(right)),
    )


def anomaly(
    genuine: Sequence[Prediction], foreign: Sequence[Prediction], max_anomaly: Mapping[str, float]
) -> AnomalyMetrics:
    """Figures of the score by itself; the machine also asks for confidence and diameter."""
    within, beyond = (
        sum(r.anomaly <= max_anomaly[r.predicted] for r in rs) for rs in (genuine, foreign)
    )
    scores, doubts = (
        ([one(r) for r in genuine], [one(r) for r in foreign])
        for one in (lambda r: r.anomaly, lambda r: 1 - r.confidence)
    )
    roc = roc_points(*scores)
    return AnomalyMetrics(
        tpr=Proportion.counted(within, len(genuine)),
        tnr=Proportion.counted(len(foreign) - beyond, len(foreign)),
        auroc=auroc(*scores),
        auroc_confidence=auroc(*doubts),
        caught_at_5=float(roc[1][roc[0] <= REJECTED_GENUINE].max(initial=0.0))
        if len(roc[0])
        else None,
        roc=Curve.thinned(*roc),
        roc_confidence=Curve.thinned(*roc_points(*doubts)),
    )


def auroc(genuine: Sequence[float], foreign: Sequence[float]) -> float | None:
    """That the score of a foreign thing is above that of a genuine one, equals counting half; None where either is missing."""
    return (
        float(roc_auc_score(*_classes(genuine, foreign))) if len(genuine) and len(foreign) else None
    )


def roc_points(genuine: Sequence[float], foreign: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Genuine lost and foreign caught at every limit, from none to all; both empty where either is missing."""
    if not (len(genuine) and len(foreign)):
        return np.empty(0), np.empty(0)
    lost, caught, _ = roc_curve(*_classes(genuine, foreign))
    return lost, caught


def _classes(genuine: Sequence[float], foreign: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    finite = np.finfo(float).max
    return np.repeat([0, 1], [len(genuine), len(foreign)]), np.clip(
        np.array([*genuine, *foreign], float), -finite, finite
    )
