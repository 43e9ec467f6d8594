"""acceptance: accepted by proof only; at each threshold and just past it."""

from dataclasses import replace
from math import inf, nan, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinsorter.records import Coin, Decision, Thresholds, Verdict
from coinsorter.sorting.acceptance import Rules, decide, reject_late, tighten_thresholds

THRESHOLDS = Thresholds(
    min_confidence=0.9,
    max_anomaly=4.0,
    nominal_mm=23.0,
    tolerance_mm=0.5,
    min_margin=2.0,
    min_membership=-1.5,
)
RULES = Rules({"crown_2": THRESHOLDS, "crown_5": THRESHOLDS}, {"crown_2": "twos"}, "reject")
COIN = Coin(1, (), (), 23.0, 0.0, 0.0, 0.0, 250.0, 0.5, 20, alone=True)
SURE = Verdict("crown_2", 0.99, 0.99, "crown_5", 1.0, 23.1)
ACCEPTED = Decision("twos", "sorted")


@pytest.mark.parametrize(
    "change, reason",
    [
        ({}, "sorted"),
        ({"confidence": 0.9}, "sorted"),
        ({"confidence": nextafter(0.9, 0)}, "unsure"),
        ({"confidence": nan}, "unsure"),
        ({"anomaly": 4.0}, "sorted"),
        ({"anomaly": nextafter(4.0, inf)}, "anomaly"),
        ({"anomaly": nan}, "anomaly"),
        ({"anomaly": inf}, "anomaly"),
        ({"diameter_mm": 23.5}, "sorted"),
        ({"diameter_mm": nextafter(23.5, inf)}, "diameter"),
        ({"diameter_mm": 22.5}, "sorted"),
        ({"diameter_mm": nextafter(22.5, 0)}, "diameter"),
        ({"diameter_mm": nan}, "diameter"),
        ({"membership": -1.5}, "sorted"),
        ({"membership": nextafter(-1.5, -inf)}, "foreign"),
        ({"membership": nan}, "foreign"),
        ({"membership": -9.0, "confidence": 0.1, "anomaly": 9.0}, "foreign"),
        ({"margin": 2.0}, "sorted"),
        ({"margin": nextafter(2.0, 0)}, "unsure"),
        ({"margin": nan}, "unsure"),
        ({"label": "crown_5"}, "no-bin"),
        ({"label": "crown_99"}, "unsure"),
        ({"label": ""}, "unsure"),
    ],
)
def test_every_piece_of_evidence_must_hold(change, reason):
    decision = decide(COIN, replace(SURE, **change), RULES)
    assert decision == (ACCEPTED if reason == "sorted" else Decision("reject", reason))


def test_a_coin_that_is_not_alone_is_rejected_however_sure():
    assert decide(replace(COIN, alone=False), SURE, RULES) == Decision("reject", "not-alone")


@pytest.mark.parametrize(
    "state, reason",
    [
        ({"is_faulty": True}, "fault"),
        ({"is_paused": True}, "paused"),
        ({"is_faulty": True, "is_paused": True}, "fault"),
    ],
)
def test_a_machine_that_does_not_sort_rejects_however_sure(state, reason):
    assert decide(COIN, SURE, RULES, **state) == Decision("reject", reason)


def test_a_coin_whose_flap_is_not_proven_goes_to_reject_as_late():
    assert reject_late(RULES) == Decision("reject", "late")


@given(st.floats(), st.floats(), st.floats(), st.booleans())
def test_only_a_coin_that_passes_every_threshold_is_accepted(confidence, anomaly, diameter, alone):
    decision = decide(
        replace(COIN, alone=alone),
        replace(SURE, confidence=confidence, anomaly=anomaly, diameter_mm=diameter),
        RULES,
    )
    proven = alone and confidence >= 0.9 and anomaly <= 4.0 and abs(diameter - 23.0) <= 0.5
    assert (decision.bin != "reject") == bool(proven)


@pytest.mark.parametrize(
    "settings, may_loosen, expected",
    [
        ((None, None, None, None), False, (0.9, 4.0, 0.5, -1.5, 2.0)),
        ((0.95, 3.0, 0.2, 0.0), False, (0.95, 3.0, 0.2, 0.0, 2.0)),
        ((0.5, 9.0, 2.0, -9.0), False, (0.9, 4.0, 0.5, -1.5, 2.0)),
        ((0.5, 9.0, 2.0, -9.0), True, (0.5, 9.0, 2.0, -9.0, 0.0)),
        ((None, 9.0, None, None), True, (0.9, 9.0, 0.5, -1.5, 2.0)),
    ],
)
def test_settings_tighten_thresholds_and_loosen_them_only_where_that_is_allowed(
    settings, may_loosen, expected
):
    thresholds = tighten_thresholds(THRESHOLDS, *settings, may_loosen)
    found = (thresholds.min_confidence, thresholds.max_anomaly, thresholds.tolerance_mm)
    assert (*found, thresholds.min_membership, thresholds.min_margin) == expected
    assert thresholds.nominal_mm == 23.0
