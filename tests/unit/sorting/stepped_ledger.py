"""A queued ledger for the simulated machine: it writes when the machine looks at it.

Its clock is the simulated one, so that retries and deadlines need no real time.
"""

from coinsorter.simulator.simulated_disk import SimulatedDisk
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.sorting.ledger import Ledger
from coinsorter.sorting.queued_ledger import QueuedLedger
from tests.unit.sorting.ledger_rows import RUN


class SteppedLedger(QueuedLedger):
    """Writes what is due whenever it is asked for its trouble, unless its thread hangs.

    hangs: the disk takes nothing, and reports nothing.
    """

    hangs = False

    @property
    def trouble(self) -> str | None:
        while self.is_due and not self.hangs:
            self.write_due()
        return super().trouble


def give_disk(simulated: SimulatedMachine) -> tuple[SimulatedDisk, SteppedLedger]:
    """Puts the machine's ledger onto a simulated disk, written as the real machine writes it."""
    machine, disk = simulated.machine, SimulatedDisk()
    machine.ledger.close()
    machine.ledger = SteppedLedger(
        lambda: Ledger(simulated.ledger_path, RUN, connect=disk.connect), simulated.clock.now_s
    )
    machine.__post_init__()
    return disk, machine.ledger
