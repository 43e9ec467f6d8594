"""receipts: a row is durable once it is written, and never when it could not be."""

import pytest

from coinsorter.errors import LedgerError
from coinsorter.sorting.receipts import Receipt


def test_a_receipt_says_that_the_row_was_written_or_why_it_was_not():
    receipt = Receipt()
    assert not receipt.durable
    receipt.settle()
    assert receipt.durable and receipt.wait(1)
    failed = Receipt()
    failed.settle(LedgerError("ledger x: disk is full"))
    with pytest.raises(LedgerError, match="disk is full"):
        failed.wait(1)
