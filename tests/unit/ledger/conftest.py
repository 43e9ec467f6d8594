"""An open ledger for the tests of this room."""

import pytest

from coinsorter.ledger.background_ledger import BackgroundLedger
from coinsorter.ledger.ledger import Ledger
from tests.unit.ledger.ledger_rows import RUN


@pytest.fixture(params=["direct", "background"])
def ledger(request, tmp_path):
    """An open ledger, written at once or by its own thread."""
    path = tmp_path / "ledger.db"
    if request.param == "direct":
        opened = Ledger(path, RUN)
    else:
        opened = BackgroundLedger(lambda: Ledger(path, RUN))
        opened.path = path
    yield opened
    opened.close()
