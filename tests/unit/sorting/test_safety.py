"""safety: whatever fails, flaps go to rest, no row stays open, and the reason is written down."""

from collections import Counter

import pytest

from coinsorter.errors import CameraError, FlapError, LedgerError
from coinsorter.ledger.queries import read_totals
from coinsorter.sorting.camera_reopening import MAX_REOPENINGS
from tests.unit.sorting.conftest import (
    REST_US,
    SilentCamera,
    last_pulses_us,
    read_incidents,
    run_steps,
    wire_panel,
)

GONE = "GPIO 5 does not take pulses: gone; check the wiring, then start again"


def test_a_ledger_that_cannot_be_written_stops_accepting_and_says_why(build_true, caplog):
    simulated = build_true()
    record, calls = simulated.machine.ledger.record, []

    def record_until_full(event):
        calls.append(event)
        if len(calls) > 3:
            raise LedgerError("ledger x: disk is full; free some space, then start again")
        return record(event)

    simulated.machine.ledger.record = record_until_full
    result = simulated.run()
    assert "disk is full" in result.fault and "free some space" in caplog.text
    assert len(calls) == 4, "nothing more is written"
    assert {rider.landed for rider in simulated.belt.riders[6:]} == {"reject"}
    assert read_totals(simulated.ledger_path)["seen"] == 3


def test_a_flap_that_fails_stops_accepting_but_not_the_accounts(build_true, caplog):
    simulated = build_true()
    move, opened = simulated.machine.flaps.move, []

    def move_twice(bin, open):
        opened.extend([bin] if open else [])
        if open and len(opened) == 3:
            raise FlapError(f"bin {bin}: {GONE}")
        move(bin, open)

    simulated.machine.flaps.move = move_twice
    result = simulated.run()
    assert "check the wiring" in result.fault and "check the wiring" in caplog.text
    assert result.wrong == result.foreign_accepted == 0 and result.rejected["fault"] > 0
    totals = read_totals(simulated.ledger_path)
    assert totals["seen"] == 12 and totals["open"] == 0
    rejected = sum(rider.landed == "reject" for rider in simulated.belt.riders)
    booked = totals["bins"].get("reject", 0)
    assert booked <= rejected <= booked + totals["uncertain"]
    before_release = {round(servo.pulses[-2][1]) for servo in simulated.belt.servos.values()}
    assert before_release == {REST_US}


def test_coins_that_meet_a_flap_that_cannot_be_brought_to_rest_are_uncertain(build_true):
    simulated = build_true()
    move, stuck = simulated.machine.flaps.move, []

    def move_until_stuck(bin, open):
        stuck.extend([bin] if open and not stuck else [])
        if open or bin in stuck:
            raise FlapError(f"bin {bin}: {GONE}")
        move(bin, open)

    simulated.machine.flaps.move = move_until_stuck
    simulated.machine.close = simulated.machine.ledger.close  # parking would raise once more
    simulated.run()
    totals = read_totals(simulated.ledger_path)
    assert totals["seen"] == 12 and totals["open"] == 0
    assert totals["uncertain"] == 12 - totals["bins"].get("reject", 0) > 6


def test_a_silent_camera_is_reopened_with_flaps_at_rest_and_the_accounts_kept(build_true):
    simulated = build_true()
    camera = SilentCamera(simulated.camera, at={150, 400})
    simulated.machine.camera = camera
    pulses_us = []
    camera.on_reopen = lambda: pulses_us.append(last_pulses_us(simulated))
    simulated.run()
    assert camera.reopened == 2 and pulses_us == [{REST_US}] * 2
    totals = read_totals(simulated.ledger_path)
    assert totals["seen"] == 12 and totals["open"] == 0
    incidents = read_incidents(simulated)
    assert len(incidents) == 2
    assert all(what.startswith("no frame for 0.25 s") for what in incidents)
    landed = Counter(rider.landed for rider in simulated.belt.riders)
    del landed["reject"]
    assert all(totals["bins"].get(name, 0) <= count for name, count in landed.items())


def test_a_flap_that_fails_while_the_camera_is_silent_leaves_no_row_open(build_true):
    simulated = build_true()
    simulated.machine.camera = SilentCamera(simulated.camera, at={250})

    def fail():
        raise FlapError(f"bin bit_10: {GONE}")

    simulated.machine.start()
    simulated.machine.flaps.park = fail
    run_steps(simulated)
    simulated.machine.ledger.close()
    totals = read_totals(simulated.ledger_path)
    assert totals["seen"] == 12 and totals["open"] == 0 < totals["uncertain"]
    assert "check the wiring" in str(simulated.machine.failure)


def test_a_camera_that_cannot_be_reopened_ends_the_run_with_flaps_at_rest(build_true):
    simulated = build_true()
    simulated.machine.camera = SilentCamera(simulated.camera, at={150}, opens=False)
    simulated.machine.start()
    with pytest.raises(CameraError, match="no camera: gone"):
        simulated.machine.run()
    assert last_pulses_us(simulated) == {REST_US}


def test_a_camera_that_falls_silent_again_and_again_ends_the_run(build_true):
    simulated = build_true()
    camera = SilentCamera(simulated.camera, at={150, 160, 170, 180, 190})
    simulated.machine.camera = camera
    simulated.machine.start()
    with pytest.raises(CameraError, match="no frame for"):
        simulated.machine.run()
    assert camera.reopened == MAX_REOPENINGS


@pytest.mark.parametrize("steps", [0, 1, 40, 97, 150, 203, 260])
def test_whenever_it_is_stopped_every_flap_is_at_rest_and_the_feeder_off(build_true, steps):
    simulated = build_true()
    panel = wire_panel(simulated)
    simulated.machine.start()
    for _ in range(steps):
        simulated.machine.step()
    simulated.machine.close()
    assert panel.feeding[-1] is False
    for servo in simulated.belt.servos.values():
        assert [round(us) for _, us in servo.pulses[-2:]] == [REST_US, 0]
    totals = read_totals(simulated.ledger_path)
    landed = sum(totals["bins"].values()) + totals["uncertain"] + totals["open"]
    assert totals["seen"] == simulated.machine.coins_seen == landed


def test_a_feeder_that_cannot_be_switched_keeps_no_flap_from_its_rest(build_true):
    simulated = build_true()
    panel = wire_panel(simulated)
    simulated.machine.start()
    for _ in range(150):
        simulated.machine.step()

    def fail(on):
        raise FlapError(f"panel.feeder_pin cannot be switched: {GONE}")

    panel.feed = fail
    with pytest.raises(FlapError, match="feeder_pin"):
        simulated.machine.close()
    for servo in simulated.belt.servos.values():
        assert [round(us) for _, us in servo.pulses[-2:]] == [REST_US, 0]
    assert read_totals(simulated.ledger_path)["seen"] == simulated.machine.coins_seen
