"""receipts: a row is durable once it is written, and never when it could not be."""

import sys
import threading

import pytest

from coinsorter.errors import LedgerError
from coinsorter.ledger.receipts import Receipt

FULL = LedgerError("ledger x: disk is full")


def test_a_row_that_waits_is_not_durable():
    receipt = Receipt()
    assert not receipt.durable and not receipt.wait(0)


def test_a_written_row_is_durable():
    receipt = Receipt()
    receipt.settle()
    assert receipt.durable and receipt.wait(0)


def test_a_row_that_could_not_be_written_raises_why():
    receipt = Receipt()
    receipt.settle(FULL)
    with pytest.raises(LedgerError, match="disk is full"):
        receipt.wait(0)


@pytest.mark.parametrize("first, then", [(None, FULL), (FULL, None)])
def test_what_was_said_first_stays(first, then):
    receipt = Receipt()
    receipt.settle(first)
    receipt.settle(then)
    if first is None:
        assert receipt.durable
    else:
        with pytest.raises(LedgerError):
            assert not receipt.durable


@pytest.fixture
def _short_switch_interval():
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


@pytest.mark.usefixtures("_short_switch_interval")
def test_a_row_that_could_not_be_written_is_at_no_instant_durable():
    receipts = [Receipt() for _ in range(300)]
    reached = [0]

    def settle_all():
        for number, receipt in enumerate(receipts):
            while reached[0] < number:
                pass
            receipt.settle(FULL)

    writer = threading.Thread(target=settle_all)
    writer.start()
    called_durable = []
    for reached[0], receipt in enumerate(receipts):
        called_durable += [reached[0]] if watch(receipt) else []
    writer.join()
    assert called_durable == []


def watch(receipt: Receipt) -> bool:
    """Reads a receipt until it is settled; whether it was ever called durable."""
    try:
        while not receipt.durable:
            pass
    except LedgerError:
        return False
    return True
