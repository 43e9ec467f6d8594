"""A coin and its verdict -> a decision. A coin is accepted by proof only; all that is in doubt is rejected.

Every test is written so that what is missing or not a number fails it.
"""

from dataclasses import dataclass

from coinsorter.records import (
    ANOMALY,
    DIAMETER,
    NO_BIN,
    NOT_ALONE,
    SORTED,
    UNSURE,
    Coin,
    Decision,
    Thresholds,
    Verdict,
)


@dataclass(frozen=True)
class Rules:
    """thresholds: the limits in force, by label. bins: the bin of each label that has one. reject: the reject bin's name."""

    thresholds: dict[str, Thresholds]
    bins: dict[str, str]
    reject_bin: str


def decide(coin: Coin, verdict: Verdict, rules: Rules) -> Decision:
    """The bin of the coin's label, if class, anomaly and diameter agree and it lay alone; else the reject bin and why.

    Whether its flap can be on time is the schedule's to prove.
    """
    limits = rules.thresholds.get(verdict.label)
    if not coin.alone:
        return Decision(rules.reject_bin, NOT_ALONE)
    if limits is None or not verdict.confidence >= limits.min_confidence:
        return Decision(rules.reject_bin, UNSURE)
    if not verdict.anomaly <= limits.max_anomaly:
        return Decision(rules.reject_bin, ANOMALY)
    if not abs(verdict.diameter_mm - limits.nominal_mm) <= limits.tolerance_mm:
        return Decision(rules.reject_bin, DIAMETER)
    if verdict.label not in rules.bins:
        return Decision(rules.reject_bin, NO_BIN)
    return Decision(rules.bins[verdict.label], SORTED)


def tighten_thresholds(
    bundled: Thresholds,
    min_confidence: float | None,
    max_anomaly: float | None,
    max_error_mm: float | None,
    loosen: bool,
) -> Thresholds:
    """A label's limits as the bundle has them, made stricter by the settings that are not None; looser too, if `loosen`."""
    stricter_high, stricter_low = (_replaced, _replaced) if loosen else (max, min)
    return Thresholds(
        min_confidence=_limit(bundled.min_confidence, min_confidence, stricter_high),
        max_anomaly=_limit(bundled.max_anomaly, max_anomaly, stricter_low),
        nominal_mm=bundled.nominal_mm,
        tolerance_mm=_limit(bundled.tolerance_mm, max_error_mm, stricter_low),
    )


def _limit(bundled: float, wanted: float | None, stricter) -> float:
    return bundled if wanted is None else stricter(bundled, wanted)


def _replaced(bundled: float, wanted: float) -> float:
    return wanted
