"""The whole acceptance rule: a coin and its verdict -> a decision, with every reason to reject.

A coin is accepted by proof only; whatever is in doubt is rejected. Every test is written so that
a missing value or NaN fails it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from coinsorter.records import (
    ANOMALY,
    DIAMETER,
    FAULT,
    FOREIGN,
    LATE,
    NO_BIN,
    NOT_ALONE,
    PAUSED,
    SORTED,
    UNSURE,
    Coin,
    Decision,
    Thresholds,
    Verdict,
)


@dataclass(frozen=True)
class Rules:
    """What a machine accepts, and where to.

    thresholds: those in force, by label.
    bins: the bin of each label that has one.
    reject_bin: the name of the reject bin.
    """

    thresholds: dict[str, Thresholds]
    bins: dict[str, str]
    reject_bin: str


def decide(
    coin: Coin, verdict: Verdict, rules: Rules, *, is_faulty: bool = False, is_paused: bool = False
) -> Decision:
    """The bin of the coin's label, if all evidence agrees; else the reject bin and the reason.

    is_faulty, is_paused: whether the machine is in safety, or stopped by its button; then every
    coin is rejected. Whether a flap can be on time is for the schedule to prove: see `reject_late`.
    """
    if is_faulty:
        return Decision(rules.reject_bin, FAULT)
    if is_paused:
        return Decision(rules.reject_bin, PAUSED)
    if not coin.alone:
        return Decision(rules.reject_bin, NOT_ALONE)
    thresholds = rules.thresholds.get(verdict.label)
    if thresholds is None:
        return Decision(rules.reject_bin, UNSURE)
    reason = find_failed_threshold(verdict, thresholds)
    if reason is not None:
        return Decision(rules.reject_bin, reason)
    if verdict.label not in rules.bins:
        return Decision(rules.reject_bin, NO_BIN)
    return Decision(rules.bins[verdict.label], SORTED)


def reject_late(rules: Rules) -> Decision:
    """The decision on an accepted coin whose flap cannot be proven to be in place in time."""
    return Decision(rules.reject_bin, LATE)


def find_failed_threshold(
    verdict: Verdict, thresholds: Thresholds, *, check_diameter: bool = True
) -> str | None:
    """The reason of the first threshold that a coin fails; None if it passes all. NaN fails.

    First whether it is such a coin at all, then which. check_diameter: False only where no
    diameters exist at all, as in a data set of ready crops; then the diameter is not checked.
    """
    if not verdict.membership >= thresholds.min_membership:
        return FOREIGN
    if not verdict.confidence >= thresholds.min_confidence:
        return UNSURE
    if not verdict.margin >= thresholds.min_margin:
        return UNSURE
    if not verdict.anomaly <= thresholds.max_anomaly:
        return ANOMALY
    error_mm = abs(verdict.diameter_mm - thresholds.nominal_mm)
    if check_diameter and not error_mm <= thresholds.tolerance_mm:
        return DIAMETER
    return None


def tighten_thresholds(
    bundled: Thresholds,
    min_confidence: float | None,
    max_anomaly: float | None,
    max_error_mm: float | None,
    min_membership: float | None,
    may_loosen: bool,
) -> Thresholds:
    """A label's thresholds as its bundle has them, made stricter by the settings that are not None.

    may_loosen: the settings replace the bundle's thresholds, even where they are looser. The margin
    goes with the confidence: where that is replaced, it is not asked for.
    """
    is_replaced = may_loosen and min_confidence is not None
    return Thresholds(
        min_confidence=_combine(bundled.min_confidence, min_confidence, max, may_loosen),
        max_anomaly=_combine(bundled.max_anomaly, max_anomaly, min, may_loosen),
        nominal_mm=bundled.nominal_mm,
        tolerance_mm=_combine(bundled.tolerance_mm, max_error_mm, min, may_loosen),
        min_margin=0.0 if is_replaced else bundled.min_margin,
        min_membership=_combine(bundled.min_membership, min_membership, max, may_loosen),
    )


def _combine(
    bundled: float,
    setting: float | None,
    choose_stricter: Callable[[float, float], float],
    may_loosen: bool,
) -> float:
    if setting is None:
        return bundled
    return setting if may_loosen else choose_stricter(bundled, setting)
