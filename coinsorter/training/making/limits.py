"""Held-out coins -> fusion, anomaly scales and limits: what a bundle promises, and what its sample can prove.

Every number here comes from coins that no network saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize

from coinsorter.bundle import AnomalyScale, Fusion, Label, Limits
from coinsorter.classify import diameter_likelihoods, log_softmax
from coinsorter.records import Circle
from coinsorter.scale import PRIOR, ScaleFollower, ScalePlane
from coinsorter.training.bounds import highest
from coinsorter.training.making.recipe import Budget

FREEDOM = 4.0
# However narrow the held-out coins lie, a limit is never nearer than this: another day's lamp and camera are not the training's.
MIN_DIAMETER_SPREAD = 0.004
MIN_TOLERANCE = 0.012
MIN_DIAMETER_WEIGHT = 0.3  # a diameter is always evidence
RELIEF_UNIT = 100.0  # a cosine of 0.01 is about as telling as a logit of 1
TOLERANCE_SPREADS, ANOMALY_SPREADS = 4.0, 4.5
OTHER_DAYS = 12  # on which the same coins come in other orders


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What the int8 networks and the view say of each held-out genuine coin.

    labels: int (n,). logits: (n, labels + 1), the classifier's. reliefs: (n, labels + 1), how like the known coins' theirs are. errors:
    (n,), the autoencoder's. diameters_mm: (n,), NaN where pictures tell none; scale_spreads: (n,), how far the view's scale may be off,
    relative.
    """

    labels: np.ndarray
    logits: np.ndarray
    reliefs: np.ndarray
    errors: np.ndarray
    diameters_mm: np.ndarray
    scale_spreads: np.ndarray

    def at(self, places: np.ndarray) -> Self:
        """The coins at some places, in that order."""
        return type(self)(*(getattr(self, name)[places] for name in self.__dataclass_fields__))

    def weighed(self, relief_weight: float) -> Self:
        """The same with the reliefs' say in the logits, as `Classifier.logits` has it."""
        return replace(self, logits=self.logits + relief_weight * self.reliefs, reliefs=np.zeros_like(self.reliefs))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def days(held: HeldOut, circles: Sequence[Circle], groups: np.ndarray, plane: ScalePlane, labels: list[Label], fused: Fusion, seed: int) -> list[HeldOut]:
    """The day the coins were taken on, as the machine would have measured it, and other days made of its bursts.

    circles, groups: outline and burst of each coin, in the order taken. On the other days the bursts come in another order, to a camera
    that was set up anew, as far off the plane as a follower expects at first.
    """
    rng = np.random.default_rng([seed, 6])
    found = [as_followed(held, circles, plane, labels, fused)]
    for _ in range(OTHER_DAYS):
        order = np.concatenate([np.flatnonzero(groups == group) for group in rng.permutation(np.unique(groups))])
        off, along, across = rng.normal(0, np.array(PRIOR) * fused.diameter_spread)
        anew = replace(plane, px_per_mm=plane.px_per_mm * (1 + off), tilt_along=plane.tilt_along + along, tilt_across=plane.tilt_across + across)
        found.append(as_followed(held.at(order), [circles[place] for place in order], anew, labels, fused))
    return found


def as_followed(held: HeldOut, circles: Sequence[Circle], plane: ScalePlane, labels: list[Label], fused: Fusion) -> HeldOut:
    """The same coins with diameters as a machine measures them that follows the view's scale by them, labels unknown to it.

    circles: theirs, in the order taken.
    """
    follower, measured = ScaleFollower(plane, fused.diameter_spread), []
    nominal = [label.diameter_mm for label in labels]
    for circle, logits in zip(circles, held.logits):
        diameter, spread = follower.plane.diameter_mm(circle), follower.plane.spread_at(circle.x_px, circle.y_px)
        measured.append((diameter, spread))
        follower.follow(circle, nominal, np.exp(_posterior(logits, diameter, spread, nominal, fused)[:-1]))
    diameters, spreads = np.array(measured).T
    return replace(held, diameters_mm=diameters, scale_spreads=spreads)


def fusion(held: HeldOut, labels: list[Label], expected_spread: float = MIN_DIAMETER_SPREAD) -> Fusion:
    """Temperature (Guo et al., 2017), diameter's and relief's weight by maximum likelihood; the diameters' spread about their nominal ones.

    expected_spread: relative, of diameters that the held-out coins' pictures do not tell; they count in full then.
    """
    nominal = np.array([label.diameter_mm for label in labels])
    measured = not np.isnan(held.diameters_mm).any()
    off = held.diameters_mm / nominal[held.labels] - 1
    spread = max(MIN_DIAMETER_SPREAD, 1.4826 * float(np.median(np.abs(off)))) if measured else expected_spread

    def with_(warmth: float, weight: float = 1.0, relief: float = 0.0) -> Fusion:
        return Fusion(
            temperature=round(float(np.exp(warmth)), 4), diameter_spread=round(spread, 5), freedom=FREEDOM,
            diameter_weight=round(float(weight), 3), relief_weight=round(float(relief) * RELIEF_UNIT, 2),
        )  # fmt: skip

    # A network without a held-out mistake would be called ever surer: it is never trusted more than its own logits say.
    knobs = {"warmth": (0.5, (0.0, 2.0))}
    if measured:
        knobs["weight"] = (0.8, (MIN_DIAMETER_WEIGHT, 1.0))
    if held.reliefs.any():
        knobs["relief"] = (1.0, (0.0, 4.0))

    def loss(values: np.ndarray) -> float:
        fused = with_(**dict(zip(knobs, values)))
        found = _fused(held.weighed(fused.relief_weight), nominal, fused)
        return -float(np.mean(found[np.arange(len(found)), held.labels]))

    first, bounds = zip(*knobs.values())
    return with_(**dict(zip(knobs, minimize(loss, first, bounds=bounds, method="Nelder-Mead").x)))


def anomaly_scales(held: HeldOut, labels: list[Label]) -> dict[str, AnomalyScale]:
    """Middle and spread of the logarithm of the autoencoder's error, by label."""
    scales = {}
    for index, label in enumerate(labels):
        logs = np.log(held.errors[held.labels == index])
        middle = float(np.median(logs))
        scales[label.name] = AnomalyScale(middle=round(middle, 5), spread=round(1.4826 * float(np.median(np.abs(logs - middle))), 5))
    return scales


def limits(
    days: Sequence[HeldOut], labels: list[Label], fused: Fusion, scales: dict[str, AnomalyScale], budget: Budget
) -> tuple[dict[str, Limits], dict[str, Any]]:
    """Each label's thresholds, and the budget they keep, with what the sample proves of it: the same coins on one day or several.

    The confidence limit is the highest that rejects no more genuine coins than the budget allows, and at least so high that of the
    held-out coins above it no more are wrong than it allows; the others leave out no more genuine coins than that. The proof is the first
    day's: the others' coins are not further ones.
    """
    held = HeldOut.joined(days)
    best, confidence = _answers(held, labels, fused)
    right = best == held.labels
    share = budget.genuine_rejected / 3
    floor = _keeping(confidence, right, budget.wrong)
    found = {}
    for index, label in enumerate(labels):
        own = held.labels == index
        off = np.abs(held.diameters_mm[own] / label.diameter_mm - 1)
        scores = _scores(held.errors[own], scales[label.name])
        tolerance = float(np.nanmax((MIN_TOLERANCE, TOLERANCE_SPREADS * fused.diameter_spread, np.quantile(off, 1 - share))))
        found[label.name] = Limits(
            min_confidence=round(max(floor, _lowest(confidence[own & right], share)), 6),
            max_anomaly=round(max(ANOMALY_SPREADS, float(np.quantile(scores, 1 - share))), 3),
            tolerance_mm=round(tolerance * label.diameter_mm, 3),
            n=int(own.sum()) // len(days),
        )
    return found, _proof(days[0], labels, found, scales, *_answers(days[0], labels, fused), budget)


def _answers(held: HeldOut, labels: list[Label], fused: Fusion) -> tuple[np.ndarray, np.ndarray]:
    """Each coin's likeliest label, int (n,), and its probability, float (n,)."""
    probabilities = np.exp(_fused(held, np.array([label.diameter_mm for label in labels]), fused))
    best = probabilities[:, :-1].argmax(axis=1)
    return best, probabilities[np.arange(len(best)), best]


def _fused(held: HeldOut, nominal: np.ndarray, fused: Fusion) -> np.ndarray:
    """Log probabilities of every label and "none of these", (n, labels + 1), as the machine fuses them."""
    coins = zip(held.logits, held.diameters_mm, held.scale_spreads)
    return np.array([_posterior(logits, diameter, spread, nominal, fused) for logits, diameter, spread in coins])


def _posterior(logits: np.ndarray, diameter_mm: float, scale_spread: float, nominal: Sequence[float], fused: Fusion) -> np.ndarray:
    pictures = np.array(log_softmax((logits / fused.temperature).tolist()))
    if np.isnan(diameter_mm):
        return pictures
    diameters = np.array(diameter_likelihoods(diameter_mm, nominal, fused, scale_spread))
    return np.array(log_softmax((pictures + fused.diameter_weight * diameters).tolist()))


def _scores(errors: np.ndarray, scale: AnomalyScale) -> np.ndarray:
    return np.abs(np.log(errors) - scale.middle) / scale.spread


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


def _proof(held: HeldOut, labels: list[Label], found: dict[str, Limits], scales, best, confidence, budget: Budget) -> dict[str, Any]:
    """How many held-out coins the limits accept, how many of them wrongly, and the 95 % bound on that share (Clopper and Pearson, 1934)."""
    accepted = np.zeros(len(best), bool)
    for index, label in enumerate(labels):
        mine, own = best == index, found[label.name]
        near = ~(np.abs(held.diameters_mm - label.diameter_mm) > own.tolerance_mm)  # one that is not known rejects nothing here
        accepted |= mine & near & (confidence >= own.min_confidence) & (_scores(held.errors, scales[label.name]) <= own.max_anomaly)
    count, wrong = int(accepted.sum()), int((accepted & (best != held.labels)).sum())
    bound = highest(wrong, count, 0.95)
    return {
        "wrong": budget.wrong,
        "genuine_rejected": budget.genuine_rejected,
        "held_out": len(best),
        "held_out_accepted": count,
        "held_out_wrong": wrong,
        "wrong_at_most_95": float(f"{bound:.3g}"),
        "proven": bool(bound <= budget.wrong),
    }
