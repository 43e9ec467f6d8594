"""Figures of predictions: accuracy, acceptance, risk and coverage, reliability, anomaly score.

Two views of the same images. *All answered*: each genuine coin gets its likeliest label, however
unsure. *The machine*: an accepted coin went into its label's bin, every other one was rejected.
A share of no coins is None. Nothing here reads an image or draws.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from coinsorter.records import Thresholds
from coinsorter.robust import clopper_pearson_upper
from coinsorter.training.evaluation.predictions import (
    Prediction,
    select_foreign,
    select_genuine,
)

#: What a confusion matrix calls a coin that was not found in its image.
NO_COIN_ANSWER = "(no coin)"
#: What a confusion matrix calls the reject bin.
REJECT_ANSWER = "(rejected)"
#: What a confusion matrix calls foreign objects of any kind.
FOREIGN_TRUTH = "(foreign)"
#: Confidence level of every bound and interval.
LEVEL = 0.95
#: Bins of the reliability diagram, of equal width: tenths of confidence, as in most papers.
BIN_COUNT = 10
#: Points of a curve that are stored; more cannot be distinguished in a figure 480 px wide.
MAX_CURVE_POINTS = 400
#: Error rates for which the reachable coverage is stated: the range of sensible error budgets.
RISKS = (0.0001, 0.001, 0.01)
#: Share of genuine coins that may be lost, where `caught_at_5` counts the foreign ones caught.
GENUINE_LOSS = 0.05


@dataclass(frozen=True)
class Proportion:
    """A count, the number it is a part of, and confidence bounds of their ratio.

    share, low_95, high_95: the ratio and its two-sided 95 % interval (Clopper and Pearson, 1934).
    at_most_95: its one-sided 95 % upper bound. All four are None where `of` is 0. They hold for
    independent coins; images of one coin, taken moments apart, are not independent.
    """

    count: int
    of: int
    share: float | None
    low_95: float | None
    high_95: float | None
    at_most_95: float | None

    @classmethod
    def from_counts(cls, count: int, of: int) -> Self:
        """The proportion with its bounds."""
        if not of:
            return cls(count, of, None, None, None, None)
        tail = (1 - LEVEL) / 2
        return cls(
            count=count,
            of=of,
            share=count / of,
            low_95=1 - clopper_pearson_upper(of - count, of, 1 - tail),
            high_95=clopper_pearson_upper(count, of, 1 - tail),
            at_most_95=clopper_pearson_upper(count, of, LEVEL),
        )


@dataclass(frozen=True)
class LabelScore:
    """How well one label was recognised.

    coins: how many there were. precision: of what was called so, the share that was. recall: of
    its coins, the share that was called so. None where there is nothing to divide by.
    """

    coins: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ConfusionMatrix:
    """counts[row][column]: how many coins of the row's label were given the column's answer."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def list_mistakes(self) -> list[tuple[str, str, int]]:
        """(true label, answer, count) of each wrong pair that occurred, the most frequent first."""
        mistakes = []
        for row, counts in zip(self.rows, self.counts):
            for column, count in zip(self.columns, counts):
                if count and row != column:
                    mistakes.append((row, column, count))
        return sorted(mistakes, key=lambda mistake: -mistake[2])


@dataclass(frozen=True)
class ClosedSetMetrics:
    """How well the labels were distinguished.

    right: of the genuine coins. Balanced and macro figures are means over the labels with coins.
    """

    right: Proportion
    balanced_accuracy: float | None
    macro_precision: float | None
    macro_f1: float | None
    per_label: dict[str, LabelScore]
    confusion: ConfusionMatrix


@dataclass(frozen=True)
class AcceptanceMetrics:
    """What the thresholds accept.

    accepted: coins of any kind. genuine_accepted: of the genuine coins. false_accepts: wrong
    labels and foreign objects among all that was accepted. Its two parts: wrong_labels among the
    accepted genuine coins, foreign_accepted among the foreign objects. rejected: genuine coins by
    reason. answers: with the reject bin as an answer.
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
    """Points of a curve, from left to right."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    @classmethod
    def sample(cls, x: np.ndarray, y: np.ndarray) -> Self:
        """At most MAX_CURVE_POINTS evenly chosen points, the first and the last among them."""
        if not len(x):
            return cls((), ())
        count = min(len(x), MAX_CURVE_POINTS)
        evenly = np.linspace(0, len(x) - 1, count)
        indices = np.unique(evenly.round().astype(int))
        x_values = x[indices].tolist()
        y_values = y[indices].tolist()
        return cls(tuple(x_values), tuple(y_values))


@dataclass(frozen=True)
class RiskCoverage:
    """Error rate of the answered coins over the share that is answered, the surest first.

    area: under the curve, the mean error rate over all coverages (AURC); None without coins.
    coverage_at: the largest coverage that keeps the error rate at or below each of RISKS.
    """

    curve: Curve
    area: float | None
    coverage_at: dict[str, float]


@dataclass(frozen=True)
class ReliabilityBin:
    """Coins whose confidence is above `low`, up to `high`.

    confidence: their mean. right: how many of them were called rightly.
    """

    low: float
    high: float
    confidence: float
    right: Proportion

    @property
    def gap(self) -> float:
        """The distance between confidence and accuracy."""
        return abs(self.confidence - (self.right.share or 0.0))


@dataclass(frozen=True)
class Reliability:
    """How far confidence can be taken at its word.

    expected_error: mean distance between confidence and accuracy over the bins, weighted by their
    coins (expected calibration error: Naeini et al., 2015); None without coins.
    """

    bins: tuple[ReliabilityBin, ...]
    expected_error: float | None


@dataclass(frozen=True)
class AnomalyMetrics:
    """How well the anomaly score alone tells foreign objects from genuine coins.

    tpr: genuine coins within their label's threshold. tnr: foreign objects beyond it.
    auroc: probability that a foreign object's score is above a genuine coin's.
    auroc_confidence: the same of one minus the confidence. caught_at_5: share of the foreign
    objects above the score that 5 % of the genuine coins exceed. roc: foreign objects caught (y)
    over genuine coins lost (x) at every threshold; roc_confidence likewise. Images in which no
    coin was found do not count.
    """

    tpr: Proportion
    tnr: Proportion
    auroc: float | None
    auroc_confidence: float | None
    caught_at_5: float | None
    roc: Curve
    roc_confidence: Curve


@dataclass(frozen=True)
class MembershipMetrics:
    """How well the gate alone separates foreign objects from genuine coins.

    tpr: genuine coins at or above their label's threshold. tnr: foreign objects below it. auroc:
    probability that a foreign object's log odds are below a genuine coin's; by_folder: the same of
    each folder of foreign objects. Images in which no coin was found do not count.
    """

    tpr: Proportion
    tnr: Proportion
    auroc: float | None
    by_folder: dict[str, float | None]


@dataclass(frozen=True)
class EvaluationMetrics:
    """Every figure of an evaluation.

    images: readable ones. unlabelled: images in no folder of their own, which count nowhere else.
    no_coin: images of genuine coins in which none was found; they count as wrong answers.
    foreign_folders: images and accepted ones by folder. membership: None without a gate.
    """

    images: int
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
    membership: MembershipMetrics | None = None


def compute_metrics(
    predictions: Iterable[Prediction],
    labels: Sequence[str],
    thresholds: Mapping[str, Thresholds],
    has_gate: bool = False,
) -> EvaluationMetrics:
    """Every figure of an evaluation.

    labels: the bundle's, in its order. thresholds: those in force by label. has_gate: whether the
    bundle has a gate.
    """
    max_anomaly = {name: own.max_anomaly for name, own in thresholds.items()}
    every = list(predictions)
    genuine = select_genuine(every, labels)
    foreign = select_foreign(every, labels)
    truth = [str(p.label) for p in genuine]
    answers = [p.predicted or NO_COIN_ANSWER for p in genuine]
    confidence = np.array([p.confidence for p in genuine])
    correct = np.array([p.is_correct for p in genuine], bool)
    seen = np.array([p.has_coin for p in genuine], bool)
    genuine_seen = [p for p in genuine if p.has_coin]
    foreign_seen = [p for p in foreign if p.has_coin]
    return EvaluationMetrics(
        images=len(every),
        genuine=len(genuine),
        foreign=len(foreign),
        unlabelled=len(every) - len(genuine) - len(foreign),
        no_coin=len(genuine) - len(genuine_seen),
        foreign_folders=_count_folders(foreign),
        all_answered=compute_closed_set_metrics(truth, answers, labels),
        machine=compute_acceptance(genuine, foreign, labels),
        risk_coverage=compute_risk_coverage(confidence, correct),
        reliability=compute_reliability(confidence[seen], correct[seen]),
        anomaly=compute_anomaly_metrics(genuine_seen, foreign_seen, max_anomaly),
        membership=compute_membership_metrics(genuine_seen, foreign_seen, thresholds)
        if has_gate
        else None,
    )


def _count_folders(foreign: list[Prediction]) -> dict[str, tuple[int, int]]:
    images = Counter(str(p.label) for p in foreign)
    accepted = Counter(str(p.label) for p in foreign if p.accepted)
    return {name: (count, accepted[name]) for name, count in sorted(images.items())}


def compute_closed_set_metrics(
    truth: Sequence[str], answers: Sequence[str], labels: Sequence[str]
) -> ClosedSetMetrics:
    """How well answers agree with the truth, both given as names.

    A truth that is no label (a foreign object) lowers the precision of the label it was given,
    and counts nowhere else.
    """
    pairs = zip(truth, answers)
    genuine = [pair for pair in pairs if pair[0] in labels]
    right = sum(true == answer for true, answer in genuine)
    per_label = _score_labels(truth, answers, labels)
    present = [score for score in per_label.values() if score.coins]
    return ClosedSetMetrics(
        right=Proportion.from_counts(right, len(genuine)),
        balanced_accuracy=_mean(score.recall for score in present),
        macro_precision=_mean(score.precision or 0.0 for score in present),
        macro_f1=_mean(score.f1 for score in present),
        per_label=per_label,
        confusion=count_confusions(truth, answers, labels),
    )


def _score_labels(
    truth: Sequence[str], answers: Sequence[str], labels: Sequence[str]
) -> dict[str, LabelScore]:
    coins, taken = Counter(truth), Counter(answers)
    right = Counter(true for true, answer in zip(truth, answers) if true == answer)
    return {
        label: LabelScore(
            coins=coins[label],
            precision=_divide(right[label], taken[label]),
            recall=_divide(right[label], coins[label]),
            f1=_divide(2 * right[label], coins[label] + taken[label]),
        )
        for label in labels
    }


def _divide(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def count_confusions(
    truth: Sequence[str], answers: Sequence[str], labels: Sequence[str]
) -> ConfusionMatrix:
    """The confusion matrix of answers.

    Rows: the labels that have coins, then other truths. Columns: the labels that have coins or
    were an answer, then other answers.
    """
    rows = [label for label in labels if label in set(truth)]
    rows += sorted(set(truth) - set(labels))
    names = {*truth, *answers}
    columns = [label for label in labels if label in names]
    columns += sorted(set(answers) - set(labels))
    cells = Counter(zip(truth, answers))
    counts = []
    for row in rows:
        line = [cells[row, column] for column in columns]
        counts.append(tuple(line))
    return ConfusionMatrix(tuple(rows), tuple(columns), tuple(counts))


def compute_acceptance(
    genuine: list[Prediction], foreign: list[Prediction], labels: Sequence[str]
) -> AcceptanceMetrics:
    """What the machine accepted of genuine coins and of foreign objects."""
    every = [*genuine, *foreign]
    genuine_accepted = [p for p in genuine if p.accepted]
    foreign_accepted = sum(p.accepted for p in foreign)
    accepted = len(genuine_accepted) + foreign_accepted
    wrong = sum(not p.is_correct for p in genuine_accepted)
    reasons = Counter(p.reason for p in genuine if not p.accepted)
    truth = [str(p.label) for p in genuine]
    truth += [FOREIGN_TRUTH] * len(foreign)
    answers = [p.predicted if p.accepted else REJECT_ANSWER for p in every]
    return AcceptanceMetrics(
        accepted=accepted,
        genuine_accepted=Proportion.from_counts(len(genuine_accepted), len(genuine)),
        false_accepts=Proportion.from_counts(wrong + foreign_accepted, accepted),
        wrong_labels=Proportion.from_counts(wrong, len(genuine_accepted)),
        foreign_accepted=Proportion.from_counts(foreign_accepted, len(foreign)),
        rejected=dict(reasons.most_common()),
        answers=compute_closed_set_metrics(truth, answers, labels),
    )


def compute_risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> RiskCoverage:
    """The risk-coverage curve (El-Yaniv and Wiener, 2010) of float (n,) and bool (n,).

    Coins of equal confidence are answered together or not at all.
    """
    if not len(correct):
        return RiskCoverage(Curve((), ()), None, {})
    order = np.argsort(-confidence, kind="stable")
    steps = np.diff(confidence[order], append=-np.inf)
    last = np.flatnonzero(steps < 0)  # the last coin of each run of equal confidence
    coverage = (last + 1) / len(correct)
    wrong = np.cumsum(~correct[order])
    risk = wrong[last] / (last + 1)
    widths = np.diff(coverage, prepend=0.0)
    area = float(np.sum(widths * risk))
    coverage_at = {}
    for max_risk in RISKS:
        allowed = coverage[risk <= max_risk]
        coverage_at[f"{max_risk:g}"] = float(allowed.max(initial=0.0))
    return RiskCoverage(Curve.sample(coverage, risk), area, coverage_at)


def compute_reliability(confidence: np.ndarray, correct: np.ndarray) -> Reliability:
    """Accuracy over confidence, float (n,) and bool (n,), in BIN_COUNT bins; empty ones omitted."""
    numbers = np.ceil(confidence * BIN_COUNT).astype(int) - 1
    numbers = np.clip(numbers, 0, BIN_COUNT - 1)
    bins = []
    for number in np.unique(numbers).tolist():
        members = numbers == number
        bins.append(_fill_bin(number, confidence[members], correct[members]))
    if not len(correct):
        return Reliability((), None)
    error = sum(b.right.of * b.gap for b in bins)
    return Reliability(tuple(bins), error / len(correct))


def _fill_bin(number: int, confidence: np.ndarray, correct: np.ndarray) -> ReliabilityBin:
    return ReliabilityBin(
        low=number / BIN_COUNT,
        high=(number + 1) / BIN_COUNT,
        confidence=float(confidence.mean()),
        right=Proportion.from_counts(int(correct.sum()), len(correct)),
    )


def compute_anomaly_metrics(
    genuine: Sequence[Prediction],
    foreign: Sequence[Prediction],
    max_anomaly: Mapping[str, float],
) -> AnomalyMetrics:
    """Figures of the anomaly score by itself; the machine also checks confidence and diameter."""
    scores = _list_scores(genuine), _list_scores(foreign)
    doubts = _list_doubts(genuine), _list_doubts(foreign)
    lost, caught = compute_roc(*scores)
    foreign_beyond = len(foreign) - _count_within(foreign, max_anomaly)
    return AnomalyMetrics(
        tpr=Proportion.from_counts(_count_within(genuine, max_anomaly), len(genuine)),
        tnr=Proportion.from_counts(foreign_beyond, len(foreign)),
        auroc=compute_auroc(*scores),
        auroc_confidence=compute_auroc(*doubts),
        caught_at_5=_max_caught(lost, caught, GENUINE_LOSS),
        roc=Curve.sample(lost, caught),
        roc_confidence=Curve.sample(*compute_roc(*doubts)),
    )


def compute_membership_metrics(
    genuine: Sequence[Prediction],
    foreign: Sequence[Prediction],
    thresholds: Mapping[str, Thresholds],
) -> MembershipMetrics:
    """Figures of the gate by itself; the machine also checks all the rest."""

    def count_members(predictions: Sequence[Prediction]) -> int:
        return sum(p.membership >= thresholds[p.predicted].min_membership for p in predictions)

    odds = [-p.membership for p in genuine]
    folders: dict[str, list[float]] = {}
    for prediction in foreign:
        folders.setdefault(str(prediction.label), []).append(-prediction.membership)
    return MembershipMetrics(
        tpr=Proportion.from_counts(count_members(genuine), len(genuine)),
        tnr=Proportion.from_counts(len(foreign) - count_members(foreign), len(foreign)),
        auroc=compute_auroc(odds, [-p.membership for p in foreign]),
        by_folder={name: compute_auroc(odds, own) for name, own in sorted(folders.items())},
    )


def _count_within(predictions: Sequence[Prediction], max_anomaly: Mapping[str, float]) -> int:
    """How many have an anomaly score within the threshold of their likeliest label."""
    return sum(p.anomaly <= max_anomaly[p.predicted] for p in predictions)


def _list_scores(predictions: Sequence[Prediction]) -> list[float]:
    return [p.anomaly for p in predictions]


def _list_doubts(predictions: Sequence[Prediction]) -> list[float]:
    return [1 - p.confidence for p in predictions]


def _max_caught(lost: np.ndarray, caught: np.ndarray, max_lost: float) -> float | None:
    if not len(lost):
        return None
    return float(caught[lost <= max_lost].max(initial=0.0))


def compute_auroc(genuine: Sequence[float], foreign: Sequence[float]) -> float | None:
    """Probability that a foreign object's score is above a genuine coin's, ties counting half.

    None where there are no scores of either.
    """
    if not (len(genuine) and len(foreign)):
        return None
    return float(_import_sklearn_metrics().roc_auc_score(*_label_scores(genuine, foreign)))


def compute_roc(
    genuine: Sequence[float], foreign: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Share of genuine coins lost and of foreign objects caught at every threshold.

    Both are float (n,), from none to all, or empty where there are no scores of either.
    """
    if not (len(genuine) and len(foreign)):
        return np.empty(0), np.empty(0)
    lost, caught, _ = _import_sklearn_metrics().roc_curve(*_label_scores(genuine, foreign))
    return lost, caught


def _label_scores(
    genuine: Sequence[float], foreign: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Classes, 0 for genuine and 1 for foreign, and scores; infinite ones as the largest float."""
    max_score = np.finfo(float).max
    classes = np.repeat([0, 1], [len(genuine), len(foreign)])
    scores = np.array([*genuine, *foreign], float)
    return classes, np.clip(scores, -max_score, max_score)


def _import_sklearn_metrics() -> Any:
    """scikit-learn's metrics: seconds, which images that cannot be read need not cost."""
    from sklearn import metrics

    return metrics
