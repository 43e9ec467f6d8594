"""ledger_watch: while rows do not get onto the disk no coin is accepted; then it goes on."""

import random
from collections import Counter

import pytest

from coinsorter.errors import LedgerError
from coinsorter.ledger.queries import read_rows, read_totals
from coinsorter.simulator.simulated_disk import DiskFault
from coinsorter.simulator.simulated_machine import SimulatedMachine
from tests.unit.ledger.stepped_ledger import give_disk
from tests.unit.sorting.conftest import (
    REST_US,
    last_pulses_us,
    read_incidents,
    run_empty_belt,
    run_steps,
    wire_panel,
)

PASSING = [fault for fault in DiskFault if fault is not DiskFault.DAMAGED]
TIRING = [fault for fault in PASSING if fault is not DiskFault.IO_AFTER_COMMIT]
COUNT = 20


def step_until(simulated: SimulatedMachine, is_so) -> None:
    while not is_so():
        assert simulated.machine.step(), "it ended before"


def assert_accounts_are_true(simulated: SimulatedMachine) -> None:
    """Every item has one row, in its order, and lies where the row says or nowhere wrong."""
    rows = read_rows(simulated.ledger_path)
    assert [row["coin"] for row in rows] == list(range(1, simulated.machine.coins_seen + 1))
    totals = read_totals(simulated.ledger_path)
    assert totals["open"] == 0
    assert totals["seen"] == sum(totals["bins"].values()) + totals["uncertain"]
    riders = simulated.belt.riders
    certain = [row for row in rows if row["landed"] != "uncertain"]
    assert [row["landed"] for row in certain] == [riders[row["coin"] - 1].landed for row in certain]


@pytest.mark.parametrize("fault", TIRING)
def test_a_passing_fault_stops_the_feeder_and_is_gone_on_from(build_true, fault, caplog):
    simulated = build_true(count=COUNT)
    disk, _ = give_disk(simulated)
    panel = wire_panel(simulated)
    machine = simulated.machine
    machine.start()
    step_until(simulated, lambda: machine.coins_seen == 8)
    disk.fault = fault
    step_until(simulated, lambda: machine.state == "waiting")
    assert machine.coins_seen <= 9, "one coin more at most"
    assert fault.value[0] in machine.waiting_for and "waiting for the ledger" in caplog.text
    assert (panel.states[-1], panel.feeding[-1]) == ("waiting", False)
    rows_before = read_rows(simulated.ledger_path)
    step_until(simulated, lambda: machine.coins_seen == 16)
    assert read_rows(simulated.ledger_path) == rows_before
    assert last_pulses_us(simulated) == {REST_US}
    disk.fault = None
    step_until(simulated, lambda: machine.state == "sorting")
    assert (panel.states[-1], panel.feeding[-1]) == ("sorting", True)
    run_steps(simulated)
    run_empty_belt(simulated)
    assert_accounts_are_true(simulated)
    rows = read_rows(simulated.ledger_path)
    assert {row["reason"] for row in rows[9:15]} == {"fault"}
    assert "sorted" in {row["reason"] for row in rows[17:]}
    (incident,) = read_incidents(simulated)
    assert incident.startswith("rows did not get onto the disk for ") and fault.value[0] in incident


def test_a_disk_that_hangs_stops_the_feeder_after_the_deadline(build_true):
    simulated = build_true(count=COUNT)
    _, ledger = give_disk(simulated)
    panel = wire_panel(simulated)
    machine = simulated.machine
    machine.start()
    step_until(simulated, lambda: machine.coins_seen == 8)
    ledger.hangs = True
    hung_s = simulated.clock.now_s()
    step_until(simulated, lambda: machine.state == "waiting")
    assert simulated.clock.now_s() - hung_s < 5, "2 s after the next coin"
    assert panel.feeding[-1] is False
    step_until(simulated, lambda: simulated.clock.now_s() > hung_s + 4)
    assert last_pulses_us(simulated) == {REST_US}
    ledger.hangs = False
    run_steps(simulated)
    assert machine.state == "sorting"
    run_empty_belt(simulated)
    assert_accounts_are_true(simulated)


def test_coins_under_way_whose_flap_is_not_open_run_on_to_reject(build_true):
    simulated = build_true(count=COUNT)
    _, ledger = give_disk(simulated)
    machine = simulated.machine
    machine.start()
    step_until(simulated, lambda: machine.coins_seen == 8)
    ledger.hangs = True
    step_until(simulated, lambda: machine.state == "waiting")
    opened = {name: len(servo.pulses) for name, servo in simulated.belt.servos.items()}
    step_until(simulated, lambda: machine.coins_seen == 16)
    for name, servo in simulated.belt.servos.items():
        assert all(round(us) == REST_US for _, us in servo.pulses[opened[name] :])
    ledger.hangs = False
    run_steps(simulated)
    run_empty_belt(simulated)
    assert_accounts_are_true(simulated)
    assert "late" in {row["reason"] for row in read_rows(simulated.ledger_path)}


def test_a_fault_that_stays_needs_a_person(build_true):
    simulated = build_true(count=12)
    disk, _ = give_disk(simulated)
    machine = simulated.machine
    machine.start()
    step_until(simulated, lambda: machine.coins_seen == 4)
    disk.fault = DiskFault.DAMAGED
    run_steps(simulated)
    disk.fault = None
    run_empty_belt(simulated, seconds=30)
    assert machine.state == "fault" and "malformed" in str(machine.failure)
    assert machine.waiting_for is None
    assert read_totals(simulated.ledger_path)["seen"] == 4


def test_a_machine_that_waits_from_the_start_has_its_feeder_off(build_true):
    simulated = build_true(count=6)
    _, ledger = give_disk(simulated)
    ledger.hangs = True
    ledger.report_incident("no frame", "camera", "look")
    simulated.clock.advance_to(3.0)
    panel = wire_panel(simulated)
    simulated.machine.start()
    assert (panel.states, panel.feeding) == (["waiting"], [False])


@pytest.mark.parametrize("fault", TIRING)
def test_stopping_while_it_waits_leaves_flaps_at_rest_and_names_lost_rows(build_true, fault):
    simulated = build_true(count=COUNT)
    disk, _ = give_disk(simulated)
    machine = simulated.machine
    machine.start()
    step_until(simulated, lambda: machine.coins_seen == 8)
    disk.fault = fault
    step_until(simulated, lambda: machine.coins_seen == 12)
    with pytest.raises(LedgerError, match=r"rows are not written: .*coin 12"):
        machine.close()
    for servo in simulated.belt.servos.values():
        assert [round(us) for _, us in servo.pulses[-2:]] == [REST_US, 0]


class Watcher:
    """Looks at every pulse that opens a flap: the rows of all coins under it must be durable."""

    def __init__(self, simulated: SimulatedMachine) -> None:
        self.machine = simulated.machine
        self.path = simulated.ledger_path
        self.move, self.machine.flaps.move = self.machine.flaps.move, self.look
        self.opened = 0

    def look(self, bin: str, open: bool) -> None:
        if open:
            self.opened += 1
            rides = [ride for ride in self.machine.schedule._rides if ride.opened]
            here = {ride.coin for ride in rides if ride.bin == bin}
            assert here and here <= {row["coin"] for row in read_rows(self.path)}
        self.move(bin, open)


@pytest.mark.parametrize("seed", range(2))
def test_random_faults_and_recoveries_lose_nothing_and_count_nothing_twice(build_true, seed):
    dice = random.Random(seed)
    simulated = build_true(count=60, seed=seed)
    disk, ledger = give_disk(simulated)
    watcher = Watcher(simulated)
    simulated.machine.start()
    change_s = 3.0
    states = Counter()
    while simulated.machine.step():
        states[simulated.machine.state] += 1
        if simulated.clock.now_s() > change_s:
            is_sound = disk.fault is None and not ledger.hangs
            disk.fault = dice.choice(PASSING) if is_sound else None
            ledger.hangs = is_sound and dice.random() < 0.2
            change_s += dice.uniform(0.01, 3.0) if is_sound else dice.uniform(0.5, 6.0)
    disk.fault, ledger.hangs = None, False
    run_empty_belt(simulated)
    assert simulated.machine.failure is None and simulated.machine.coins_seen == 60
    assert_accounts_are_true(simulated)
    assert watcher.opened > 0 and states["waiting"] > 0 < states["sorting"]
