"""records: what flows through the machine cannot be changed on its way."""

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from coinsorter import records
from coinsorter.records import REASONS, SORTED, UNCERTAIN, Circle, Decision

RECORDS = [kind for kind in vars(records).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", [kind for kind in RECORDS if is_dataclass(kind)])
def test_a_record_is_frozen_and_says_what_its_fields_are(kind):
    assert kind.__dataclass_params__.frozen
    missing = [field.name for field in fields(kind) if field.name not in kind.__doc__]
    assert missing == []


def test_a_decision_cannot_be_changed():
    decision = Decision("bit_10", SORTED)
    with pytest.raises(FrozenInstanceError):
        decision.bin = "crown_1"


def test_reasons_are_why_a_coin_is_rejected():
    assert len(set(REASONS)) == len(REASONS)
    assert SORTED not in REASONS and UNCERTAIN not in REASONS


def test_a_circle_lies_on_its_patch_unless_said_otherwise():
    circle = Circle(10.0, 10.0, 5.0, 1.0, 1.0, 30.0, (90.0, 90.0, 90.0), True)
    assert circle.off_patch == 0.0
