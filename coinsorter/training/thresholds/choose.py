"""Held-out coins -> fusion, anomaly scales and limits: what a bundle promises, and what its sample can prove.

Every number here comes from coins that no network saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize

from coinsorter.recognition.anomaly import MIN_DISTANCE as NEAREST
from coinsorter.recognition.anomaly import AnomalyParts, score_anomaly
from coinsorter.recognition.bundle import AnomalyScale, Fusion, Label, LabelThresholds, RobustStats
from coinsorter.recognition.fusion import compute_diameter_log_likelihoods, log_softmax
from coinsorter.recognition.relief import compute_relief_logits
from coinsorter.records import Circle
from coinsorter.robust import clopper_pearson_upper, mad_std
from coinsorter.training.recipe import Budget
from coinsorter.vision.scale import PRIOR, ScaleFollower, ScalePlane, names_coin

FREEDOM = 4.0
# However narrow the held-out coins lie, a limit is never nearer than this: another day's lamp and camera are not the training's.
MIN_DIAMETER_SPREAD = 0.004
MIN_TOLERANCE = 0.012
# One in ten wrong is no proof, however few of the held-out coins were. Set after two coins of brl-frames/day2 were accepted wrongly at 0.76 by
# a limit of 0.75 that day1's held-out coins had allowed.
MIN_CONFIDENCE = 0.9
MIN_DIAMETER_WEIGHT = 0.3  # a diameter is always evidence
RELIEF_UNIT = 100.0  # a cosine of 0.01 is about as telling as a logit of 1
TOLERANCE_SPREADS, ANOMALY_SPREADS = 4.0, 3.0
OUTLINED_SPREADS = 10.0  # off its label's diameter: further, something else was measured, such as a bimetal coin's core
WEIGHTS = "reconstruction_weight", "similarity_weight", "defect_weight", "distance_weight"
LEAST_REACH = 1.0  # spreads: nearer than that lie most coins of any distribution
FEWEST_ANOMALIES = 8  # of one label, before they have a say in its limit
MIN_SPREAD = 1e-4
OTHER_DAYS = 12  # on which the same coins come in other orders


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What the int8 networks, the relief and the view say of each held-out coin.

    labels: int (n,). logits: (n, labels + 1); likeness, distances: (n, labels); errors, blemishes: (n,), see `classify.Evidence`.
    diameters_mm: (n,), NaN where pictures tell none, as blemishes are where no inspector was asked; scale_sems: (n,), how far the view's
    scale may be off, relative.
    """

    labels: np.ndarray
    logits: np.ndarray
    similarities: np.ndarray
    reconstruction_errors: np.ndarray
    defect_logits: np.ndarray
    distances: np.ndarray
    diameters_mm: np.ndarray
    scale_sems: np.ndarray

    def select(self, places: np.ndarray) -> Self:
        """The coins at some places, in that order."""
        return type(self)(*(getattr(self, name)[places] for name in self.__dataclass_fields__))

    def with_relief(self, relief_weight: float) -> Self:
        """The same with the reliefs' say in the logits, as `Classifier.logits` has it."""
        return replace(
            self, logits=self.logits + relief_weight * compute_relief_logits(self.similarities)
        )

    def without_defects(self) -> Self:
        """The same where no inspector was asked."""
        return replace(self, defect_logits=np.full(len(self), np.nan))

    def impute_defects(self, seed: int) -> Self:
        """The same, genuine coins that no inspector was asked about as blemished as those that it was: each as one of its label, at random.

        Of a label of which none was asked, as one of any label (hot-deck imputation: Little and Rubin, 2002).
        """
        rng, blemishes = np.random.default_rng([seed, 10]), self.defect_logits.copy()
        asked = ~np.isnan(self.defect_logits)
        for label in np.unique(self.labels):
            own = self.labels == label
            known = (
                self.defect_logits[asked & own]
                if (asked & own).any()
                else self.defect_logits[asked]
            )
            blemishes[own & ~asked] = rng.choice(known, int((own & ~asked).sum()))
        return replace(self, defect_logits=blemishes)

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in cls.__dataclass_fields__
            )
        )


def replay_days(
    held: HeldOut,
    circles: Sequence[Circle],
    groups: np.ndarray,
    plane: ScalePlane,
    labels: list[Label],
    fused: Fusion,
    seed: int,
) -> list[HeldOut]:
    """The day the coins were taken on, as the machine would have measured it, and other days made of its bursts.

    circles, groups: outline and burst of each coin, in the order taken. On the other days the bursts come in another order, to a camera
    that was set up anew, as far off the plane as a follower expects at first.
    """
    rng = np.random.default_rng([seed, 6])
    found = [replay_day(held, circles, plane, labels, fused)]
    for _ in range(OTHER_DAYS):
        order = np.concatenate(
            [np.flatnonzero(groups == group) for group in rng.permutation(np.unique(groups))]
        )
        off, along, across = rng.normal(0, np.array(PRIOR) * fused.diameter_std)
        anew = replace(
            plane,
            px_per_mm=plane.px_per_mm * (1 + off),
            tilt_along=plane.tilt_along + along,
            tilt_across=plane.tilt_across + across,
        )
        found.append(
            replay_day(held.select(order), [circles[place] for place in order], anew, labels, fused)
        )
    return found


def replay_day(
    held: HeldOut, circles: Sequence[Circle], plane: ScalePlane, labels: list[Label], fused: Fusion
) -> HeldOut:
    """The same coins with diameters as a machine measures them that follows the view's scale by them, labels unknown to it.

    circles: theirs, in the order taken.
    """
    follower, measured = ScaleFollower(plane, fused.diameter_std), []
    nominal = [label.diameter_mm for label in labels]
    for circle, logits in zip(circles, held.logits):
        diameter, spread = (
            follower.plane.measure_diameter_mm(circle),
            follower.plane.scale_sem_at(circle.x_px, circle.y_px),
        )
        measured.append((diameter, spread))
        probabilities = np.exp(_posterior(logits, diameter, spread, nominal, fused)[:-1])
        by_images = np.exp(_posterior(logits, np.nan, 0.0, nominal, fused))
        if names_coin(by_images[probabilities.argmax()]):
            follower.follow(circle, nominal, probabilities)
    diameters, spreads = np.array(measured).T
    return replace(held, diameters_mm=diameters, scale_sems=spreads)


def fit_fusion(
    held: HeldOut, labels: list[Label], expected_spread: float = MIN_DIAMETER_SPREAD
) -> Fusion:
    """Temperature (Guo et al., 2017), diameter's and relief's weight by maximum likelihood; the diameters' spread about their nominal ones.

    expected_spread: relative, of diameters that the held-out coins' pictures do not tell; they count in full then.
    """
    nominal = np.array([label.diameter_mm for label in labels])
    measured = not np.isnan(held.diameters_mm).any()
    off = held.diameters_mm / nominal[held.labels] - 1
    spread = max(MIN_DIAMETER_SPREAD, mad_std(off, center=0.0)) if measured else expected_spread

    def with_(warmth: float, weight: float = 1.0, relief: float = 0.0) -> Fusion:
        return Fusion(
            temperature=round(float(np.exp(warmth)), 4),
            diameter_std=round(spread, 5),
            degrees_of_freedom=FREEDOM,
            diameter_weight=round(float(weight), 3),
            relief_weight=round(float(relief) * RELIEF_UNIT, 2),
        )

    # A network without a held-out mistake would be called ever surer: it is never trusted more than its own logits say.
    knobs = {"warmth": (0.5, (0.0, 2.0))}
    if measured:
        knobs["weight"] = (0.8, (MIN_DIAMETER_WEIGHT, 1.0))
    if held.similarities.any():
        knobs["relief"] = (1.0, (0.0, 4.0))

    def loss(values: np.ndarray) -> float:
        fused = with_(**dict(zip(knobs, values)))
        found = _fused(held.with_relief(fused.relief_weight), nominal, fused)
        return -float(np.mean(found[np.arange(len(found)), held.labels]))

    first, bounds = zip(*knobs.values())
    return with_(**dict(zip(knobs, minimize(loss, first, bounds=bounds, method="Nelder-Mead").x)))


def assign_labels(told: HeldOut, labels: list[Label], fused: Fusion) -> HeldOut:
    """The same with the reliefs' say in the logits; strange things, of no label, get the label that their pictures alone are taken for."""
    weighed = told.with_relief(fused.relief_weight)
    likeliest = weighed.logits[:, :-1].argmax(axis=1)
    return replace(weighed, labels=np.where(told.labels < 0, likeliest, told.labels))


def fit_anomaly(
    held: HeldOut, labels: list[Label], fused: Fusion, share: float
) -> tuple[dict[str, AnomalyScale], Fusion]:
    """What genuine coins of each label are like in each part of the anomaly score and in all together, and the parts' weights in the fusion.

    Each part weighs the less the further genuine coins of all labels stray in it: inversely to what all but a share of them stay within. So
    no part that is odd about a few genuine coins drowns the others, and nobody has to know what strange things will come. Weights learnt from
    drawn and blemished ones let in twice to four times as many euro coins (euro-crops-64/train, against held-out coins of brl-frames/day1).
    """
    parts = {
        label.name: _parts(held.select(np.flatnonzero(held.labels == index)), index)
        for index, label in enumerate(labels)
    }
    fused = fused.model_copy(update=_weights(held, labels, parts, share))
    for index, label in enumerate(labels):
        own = held.select(np.flatnonzero(held.labels == index))
        parts[label.name] = parts[label.name].model_copy(
            update={"combined": _spread(score_label(own, index, parts[label.name], fused))}
        )
    return parts, fused


def score_label(held: HeldOut, label: int, scale: AnomalyScale, fused: Fusion) -> np.ndarray:
    """The anomaly scores of coins that are taken for one label: float (n,)."""
    told = zip(
        held.reconstruction_errors.tolist(),
        held.similarities[:, label].tolist(),
        held.defect_logits.tolist(),
        held.distances[:, label].tolist(),
    )
    return np.array([score_anomaly(AnomalyParts(*one), scale, fused) for one in told])


def _own_scores(
    held: HeldOut, labels: list[Label], scales: dict[str, AnomalyScale], fused: Fusion
) -> np.ndarray:
    """The anomaly scores of coins, each as its own label's: float (n,)."""
    found = np.empty(len(held))
    for index, label in enumerate(labels):
        own = np.flatnonzero(held.labels == index)
        found[own] = score_label(held.select(own), index, scales[label.name], fused)
    return found


def _parts(own: HeldOut, label: int) -> AnomalyScale:
    return AnomalyScale(
        **_spread(np.log(own.reconstruction_errors)).model_dump(),
        similarity=_spread(own.similarities[:, label]) if own.similarities.any() else None,
        defect=_spread(own.defect_logits) if own.defect_logits.any() else None,
        distance=_spread(np.log(np.maximum(own.distances[:, label], NEAREST)))
        if own.distances.any()
        else None,
    )


def _spread(values: np.ndarray) -> RobustStats:
    middle = float(np.median(values))
    return RobustStats(
        median=round(middle, 5),
        mad_std=max(MIN_SPREAD, round(mad_std(values), 5)),
    )


def _weights(
    held: HeldOut, labels: list[Label], parts: dict[str, AnomalyScale], share: float
) -> dict[str, float]:
    """Of the parts that there are; their sum is 1."""
    found = {}
    for name in WEIGHTS:
        alone = Fusion(
            temperature=1,
            diameter_std=1,
            degrees_of_freedom=1,
            **({"reconstruction_weight": 0.0} | {name: 1.0}),
        )
        reach = _all_but(share, _own_scores(held, labels, parts, alone))
        there = name == "reconstruction_weight" or any(
            getattr(scale, name.removesuffix("_weight")) for scale in parts.values()
        )
        found[name] = there / max(reach, LEAST_REACH)
    return {name: round(weight / sum(found.values()), 4) for name, weight in found.items()}


def choose_thresholds(
    days: Sequence[HeldOut],
    labels: list[Label],
    fused: Fusion,
    scales: dict[str, AnomalyScale],
    budget: Budget,
    anomalies: HeldOut | None = None,
) -> tuple[dict[str, LabelThresholds], dict[str, Any]]:
    """Each label's thresholds, and the budget they keep, with what the sample proves of it: the same coins on one day or several.

    The confidence limit is the highest that rejects no more genuine coins than the budget allows, and at least so high that of the
    held-out coins above it no more are wrong than it allows, and MIN_CONFIDENCE; the others leave out no more genuine coins than that.
    Anomaly and diameter are in spreads and in shares of the label's own, so that all labels' coins together say how far they scatter: one
    label has too few for the rare ones. Coins whose outline is plainly not theirs (OUTLINED_SPREADS) have no say there: no limit is to let
    them through. anomalies: strange things that somebody labelled as such, with the labels they were taken for; then the anomaly limit is
    the one that keeps most of both apart. The proof is the first day's: the others' coins are not further ones.
    """
    held = HeldOut.join(days)
    best, confidence = classify_heldout(held, labels, fused)
    right = best == held.labels
    share = budget.genuine_rejected / 3
    floor = max(MIN_CONFIDENCE, _keeping(confidence, right, budget.wrong))
    genuine = _own_scores(held, labels, scales, fused)
    off = np.nan_to_num(
        np.abs(
            held.diameters_mm / np.array([label.diameter_mm for label in labels])[held.labels] - 1
        )
    )
    outlined = off <= OUTLINED_SPREADS * fused.diameter_std
    usual = max(ANOMALY_SPREADS, _all_but(share, genuine[outlined]))
    fine = right & outlined & (confidence >= floor) & (genuine <= usual)
    tolerance = max(
        MIN_TOLERANCE, TOLERANCE_SPREADS * fused.diameter_std, _all_but(share, off[fine])
    )
    found = {}
    for index, label in enumerate(labels):
        own = held.labels == index
        strange = _strange(anomalies, index, scales[label.name], fused)
        found[label.name] = LabelThresholds(
            min_confidence=round(max(floor, _lowest(confidence[own & right], share)), 6),
            max_anomaly=round(
                usual if len(strange) < FEWEST_ANOMALIES else _telling(genuine[own], strange), 3
            ),
            tolerance_mm=round(tolerance * label.diameter_mm, 3),
            n=int(own.sum()) // len(days),
        )
    return found, _proof(days[0], labels, found, scales, fused, budget)


def _all_but(share: float, values: np.ndarray) -> float:
    """What all but a share of some values are at most; 0 of none."""
    return float(np.quantile(values, 1 - share)) if len(values) else 0.0


def classify_heldout(
    held: HeldOut, labels: list[Label], fused: Fusion
) -> tuple[np.ndarray, np.ndarray]:
    """Each coin's likeliest label, int (n,), and its probability, float (n,)."""
    probabilities = np.exp(_fused(held, np.array([label.diameter_mm for label in labels]), fused))
    best = probabilities[:, :-1].argmax(axis=1)
    return best, probabilities[np.arange(len(best)), best]


def _fused(held: HeldOut, nominal: np.ndarray, fused: Fusion) -> np.ndarray:
    """Log probabilities of every label and "none of these", (n, labels + 1), as the machine fuses them."""
    coins = zip(held.logits, held.diameters_mm, held.scale_sems)
    return np.array(
        [_posterior(logits, diameter, spread, nominal, fused) for logits, diameter, spread in coins]
    )


def _posterior(
    logits: np.ndarray,
    diameter_mm: float,
    scale_spread: float,
    nominal: Sequence[float],
    fused: Fusion,
) -> np.ndarray:
    pictures = np.array(log_softmax((logits / fused.temperature).tolist()))
    if np.isnan(diameter_mm):
        return pictures
    diameters = np.array(
        compute_diameter_log_likelihoods(diameter_mm, nominal, fused, scale_spread)
    )
    return np.array(log_softmax((pictures + fused.diameter_weight * diameters).tolist()))


def _strange(
    anomalies: HeldOut | None, label: int, scale: AnomalyScale, fused: Fusion
) -> np.ndarray:
    """The anomaly scores of given anomalies that are taken for a label, as far as the inspector was asked: float (n,)."""
    if anomalies is None:
        return np.empty(0)
    found = score_label(
        anomalies.select(np.flatnonzero(anomalies.labels == label)), label, scale, fused
    )
    return found[~np.isnan(found)]


def _telling(genuine: np.ndarray, strange: np.ndarray) -> float:
    """The anomaly limit that tells genuine coins best from strange things: by Youden's index."""
    at = np.unique(np.concatenate([genuine, strange]))
    lost = [(genuine > limit).mean() + (strange <= limit).mean() for limit in at]
    return float(at[int(np.argmin(lost))])


def _lowest(confidence: np.ndarray, share: float) -> float:
    """What all but a share of the coins that were named rightly reach; 1 where none was."""
    return min(0.9999, float(np.quantile(confidence, share))) if len(confidence) else 1.0


def _keeping(confidence: np.ndarray, right: np.ndarray, budget: float) -> float:
    """The lowest confidence limit at which the share of wrong coins among those above it, (wrong + 1/2) / (n + 1), is within the budget.

    That estimate is the mean of Jeffreys' posterior for a share; 1 where no limit keeps the budget.
    """
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    share = (np.cumsum(~right[order]) + 0.5) / (counts + 1)
    kept = np.flatnonzero(share <= budget)
    return float(confidence[order[kept[-1]]]) if len(kept) else 1.0


def _proof(
    held: HeldOut,
    labels: list[Label],
    found: dict[str, LabelThresholds],
    scales: dict[str, AnomalyScale],
    fused: Fusion,
    budget: Budget,
) -> dict[str, Any]:
    """How many held-out coins the limits accept, how many of them wrongly, and the 95 % bound on that share (Clopper and Pearson, 1934)."""
    best, confidence = classify_heldout(held, labels, fused)
    accepted = np.zeros(len(best), bool)
    for index, label in enumerate(labels):
        mine, own = best == index, found[label.name]
        near = ~(
            np.abs(held.diameters_mm - label.diameter_mm) > own.tolerance_mm
        )  # one that is not known rejects nothing here
        accepted |= (
            mine
            & near
            & (confidence >= own.min_confidence)
            & ~(score_label(held, index, scales[label.name], fused) > own.max_anomaly)
        )
    count, wrong = int(accepted.sum()), int((accepted & (best != held.labels)).sum())
    bound = clopper_pearson_upper(wrong, count, 0.95)
    return {
        "wrong": budget.wrong,
        "genuine_rejected": budget.genuine_rejected,
        "held_out": len(best),
        "held_out_accepted": count,
        "held_out_wrong": wrong,
        "wrong_at_most_95": float(f"{bound:.3g}"),
        "proven": bool(bound <= budget.wrong),
    }
