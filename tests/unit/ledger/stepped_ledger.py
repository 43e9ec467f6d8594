"""A queued ledger for the simulated machine: it writes when the machine looks at it.

Its clock is the simulated one, so that retries and deadlines need no real time.
"""

from coinsorter.ledger.ledger import Ledger
from coinsorter.simulator.simulated_disk import SimulatedDisk
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.simulator.stepped_ledger import SteppedLedger
from tests.unit.ledger.ledger_rows import RUN


class HangingLedger(SteppedLedger):
    """A stepped ledger whose thread may hang.

    hangs: the disk takes nothing, and reports nothing.
    """

    hangs = False

    def _write_all_due(self) -> None:
        if not self.hangs:
            super()._write_all_due()


def give_disk(simulated: SimulatedMachine) -> tuple[SimulatedDisk, HangingLedger]:
    """Puts the machine's ledger onto a simulated disk, written as the real machine writes it."""
    machine, disk = simulated.machine, SimulatedDisk()
    machine.ledger.close()
    machine.ledger = HangingLedger(
        lambda: Ledger(simulated.ledger_path, RUN, connect=disk.connect), simulated.clock.now_s
    )
    machine.__post_init__()
    return disk, machine.ledger
