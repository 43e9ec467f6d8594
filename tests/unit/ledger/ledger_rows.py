"""Rows that the tests of the ledger and of its queries write."""

from coinsorter.ledger.ledger import RunRecord
from coinsorter.records import Decision, Event, Thresholds, Verdict

RUN = RunRecord("models/crowns", "abc", "litert")
VERDICT = Verdict("crown_2", 0.999, 0.99, "crown_5", 1.2, 23.01, margin=6.5, membership=3.25)
THRESHOLDS = Thresholds(0.9, 4.0, 23.0, 0.5, 2.5, -1.5)


def event(
    coin: int, bin: str = "crown_2", reason: str = "sorted", verdict: Verdict | None = VERDICT
) -> Event:
    return Event(
        coin=coin,
        seen_s=1.5 * coin,
        diameter_mm=23.01,
        speed_mm_s=250.0,
        verdict=verdict,
        thresholds=THRESHOLDS if verdict else None,
        decision=Decision(bin, reason),
        value=2.0,
        currency="CRN",
    )
