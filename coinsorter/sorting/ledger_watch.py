"""Whether rows get onto the disk: while they do not, the machine waits, and goes on by itself.

While it waits the feeder is off, no flap opens, and coins that are on the belt run on to the reject
bin. Their rows wait in memory with the others.
"""

import logging
from dataclasses import dataclass

from coinsorter.sorting.ports import CoinLedger
from coinsorter.sorting.schedule import Schedule

log = logging.getLogger(__name__)


@dataclass
class LedgerWatch:
    """Watches the ledger for the machine.

    waiting_for: why rows do not get onto the disk; None while they do.
    """

    ledger: CoinLedger
    schedule: Schedule
    waiting_for: str | None = None
    _since_s: float = 0.0

    def update(self, now_s: float) -> None:
        """Looks at the ledger; now_s: seconds on the monotonic clock.

        Raises LedgerError where rows will never get onto the disk.
        """
        before, self.waiting_for = self.waiting_for, self.ledger.trouble
        if before is None and self.waiting_for is not None:
            self._begin(now_s, self.waiting_for)
        if before is not None and self.waiting_for is None:
            self._end(now_s, before)

    def _begin(self, now_s: float, why: str) -> None:
        self._since_s = now_s
        log.warning("waiting for the ledger, feeder off: %s", why)
        self.schedule.stand_down()

    def _end(self, now_s: float, why: str) -> None:
        waited_s = now_s - self._since_s
        log.info("the ledger is written again after %.1f s; going on", waited_s)
        what = f"rows did not get onto the disk for {waited_s:.0f} s: {why}"
        self.ledger.report_incident(what, "ledger", "no row is lost; look why, so that it stays so")
