"""What keeps the machine safe and its accounts true when something fails.

A flap may move only for a coin whose row is durable. Whatever breaks, the flaps go to rest, where
coins run on to the reject bin, and the rows of coins that may lie anywhere are called uncertain.
A camera that falls silent is opened again a few times (`camera_reopening`); every other failure
needs a person.
"""

import logging
from dataclasses import dataclass, field

from coinsorter.errors import CoinsorterError, FlapError, LedgerError
from coinsorter.ledger.receipts import Receipt
from coinsorter.records import UNCERTAIN
from coinsorter.sorting.ports import CoinLedger, FlapMover
from coinsorter.sorting.schedule import Schedule
from coinsorter.sorting.sensor_checks import DropSensorCheck

log = logging.getLogger(__name__)


@dataclass
class Safety:
    """Watches over the coins on their way, and brings the machine to rest.

    failure: why the machine is in safety; None while it is not.
    at_rest: whether every flap could be brought to rest when the machine went to safety.
    """

    schedule: Schedule
    flaps: FlapMover
    ledger: CoinLedger
    drop_sensors: DropSensorCheck
    failure: CoinsorterError | None = None
    at_rest: bool = True
    _receipts: dict[int, Receipt] = field(default_factory=dict)

    def await_row(self, coin: int, receipt: Receipt) -> None:
        """Holds back a coin's flap until its row is durable."""
        self._receipts[coin] = receipt

    def arm_durable(self) -> None:
        """Lets the flaps of coins move whose rows have become durable.

        Raises LedgerError for a row that could not be written.
        """
        durable = [coin for coin, receipt in self._receipts.items() if receipt.durable]
        for coin in durable:
            self.schedule.arm(coin)
            del self._receipts[coin]

    def park(self) -> None:
        """Brings the flaps to rest for a while; coins on their way may lie anywhere.

        Does nothing in safety: there the flaps are at rest already.
        """
        if self.failure:
            return
        coins = self._abandon()
        try:
            self._mark_uncertain(coins)  # first, so that a flap's failure leaves no row open
            self.flaps.park()
        except (FlapError, LedgerError) as error:
            self.stop(error)

    def stop(self, error: CoinsorterError) -> None:
        """Goes to safety: no coin is accepted until a person has dealt with the error."""
        self.failure = error
        log.warning("stopped accepting coins: %s", error)
        coins = self._abandon()
        try:
            self.flaps.park()
        except FlapError as flap_error:
            self.at_rest = False
            log.warning("a flap may not be at rest: %s", flap_error)
        if not isinstance(error, LedgerError):
            self._close_accounts(coins, str(error))

    def report_incident(self, what: str, place: str, remedy: str) -> None:
        """Logs an incident and writes it into the ledger; stops the machine if that fails."""
        log.warning("%s: %s; %s", place, what, remedy)
        try:
            self.ledger.report_incident(what, place, remedy)
        except LedgerError as error:
            self.stop(error)

    def _abandon(self) -> list[int]:
        """Gives up every plan; returns the coins that were on their way."""
        self._receipts = {}
        return [*self.schedule.abandon(), *self.drop_sensors.forget()]

    def _mark_uncertain(self, coins: list[int]) -> None:
        for coin in coins:
            self.ledger.complete(coin, UNCERTAIN)

    def _close_accounts(self, coins: list[int], what: str) -> None:
        try:
            self._mark_uncertain(coins)
            remedy = "check wiring and servos, then start again"
            self.ledger.report_incident(what, "flaps", remedy)
        except LedgerError as error:
            self.failure = error
