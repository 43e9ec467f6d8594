"""The simulated machine's ledger."""

import pytest

from coinsorter.hardware.clock import ManualClock
from coinsorter.ledger.ledger import Ledger
from coinsorter.ledger.queries import read_totals
from coinsorter.ledger.queued_ledger import COMPANY_S
from coinsorter.simulator.stepped_ledger import step_ledger
from tests.unit.ledger.ledger_rows import RUN, event


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def ledger(clock, tmp_path):
    stepped = step_ledger(Ledger(tmp_path / "ledger.db", RUN), clock.now_s)
    yield stepped
    stepped.close()


def test_a_row_is_on_the_disk_at_once(ledger, tmp_path):
    assert ledger.record(event(1)).durable and ledger.trouble is None
    assert read_totals(tmp_path / "ledger.db")["open"] == 1


def test_the_end_of_a_row_waits_for_the_next_one_but_not_longer_than_the_real_one(
    ledger, clock, tmp_path
):
    ledger.record(event(1))
    assert ledger.trouble is None
    ledger.complete(1, "bit_10")
    assert ledger.trouble is None
    assert read_totals(tmp_path / "ledger.db")["open"] == 1
    clock.advance_to(COMPANY_S)
    assert ledger.trouble is None
    assert read_totals(tmp_path / "ledger.db")["bins"] == {"bit_10": 1}


def test_closing_writes_what_waits(ledger, tmp_path):
    ledger.record(event(1))
    ledger.complete(1, "reject")
    ledger.close()
    assert read_totals(tmp_path / "ledger.db")["bins"] == {"reject": 1}
