"""machine: where coins land, what the pins carry and what the ledger holds, run by run."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from coinsorter.errors import FlapError, FrameError
from coinsorter.ledger.queries import read_rows, read_totals
from coinsorter.records import Frame
from coinsorter.simulator.simulated_machine import SimulatedMachine
from tests.unit.sorting.conftest import (
    REST_US,
    moved_bins,
    read_incidents,
    run_empty_belt,
    run_steps,
    wire_panel,
)


def test_coins_land_in_their_own_bins_and_everything_else_is_rejected(build, crowns):
    simulated = build(count=18)
    result = simulated.run()
    assert result.wrong == result.foreign_accepted == 0 and result.fault is None
    assert result.ledger_matches and result.correct >= result.genuine_alone - 1
    landed = {rider.landed for rider in simulated.belt.riders}
    assert moved_bins(simulated) == landed - {"reject"}
    check_evidence(simulated, crowns)


def check_evidence(simulated: SimulatedMachine, crowns) -> None:
    """Every row holds the coin's evidence and the thresholds that it was compared with."""
    rows = read_rows(simulated.ledger_path)
    assert all(row["landed"] == row["bin"] for row in rows)
    for row in [row for row in rows if row["reason"] == "sorted"]:
        thresholds = crowns.thresholds[row["label"]]
        assert row["confidence"] >= row["min_confidence"] == thresholds.min_confidence
        assert row["anomaly"] <= row["max_anomaly"] == thresholds.max_anomaly
        error_mm = abs(row["diameter_mm"] - row["nominal_mm"])
        assert error_mm <= row["tolerance_mm"] == thresholds.tolerance_mm
        assert (row["value"], row["currency"]) == (crowns.labels[row["label"]].value, "CRN")


def test_the_same_seed_is_the_same_run_bit_for_bit(build):
    def run():
        simulated = build(count=5, seed=4)
        result = simulated.run()
        rows = read_rows(simulated.ledger_path)
        pulses = {name: servo.pulses for name, servo in simulated.belt.servos.items()}
        simulated.ledger_path.unlink()
        return replace(result, cpu_ms_per_coin=0.0), [{**row, "at": ""} for row in rows], pulses

    assert run() == run()


def test_an_empty_belt_moves_nothing_and_writes_no_row(build_true):
    simulated = build_true(count=0)
    result = simulated.run()
    assert result.objects == 0 and result.ledger_matches and moved_bins(simulated) == set()
    assert read_totals(simulated.ledger_path)["seen"] == 0


def test_a_coin_decided_on_too_late_falls_to_reject(build_true):
    simulated = build_true()
    read_frame = simulated.camera.next_frame

    def read_slowly():
        frame = read_frame()
        simulated.clock.advance_to(simulated.clock.now_s() + 0.4)
        return frame

    simulated.camera.next_frame = read_slowly
    result = simulated.run()
    assert result.correct == result.wrong == result.foreign_accepted == 0
    assert result.rejected.get("late", 0) > 0 and result.ledger_matches
    assert moved_bins(simulated) == set()


def test_a_row_that_does_not_become_durable_keeps_its_flap_at_rest(build_true):
    simulated = build_true()
    record = simulated.machine.ledger.record

    def record_on_a_slow_disk(event):
        record(event)
        return SimpleNamespace(durable=False)

    simulated.machine.ledger.record = record_on_a_slow_disk
    result = simulated.run()
    assert moved_bins(simulated) == set()
    assert result.correct == 0 and result.rejected.get("late", 0) > 0 and result.ledger_matches


def test_a_paused_machine_rejects_everything_and_writes_it_down(build_true):
    simulated = build_true(count=6)
    simulated.machine.paused = True
    result = simulated.run()
    assert result.rejected == {"paused": 6} and result.ledger_matches
    assert moved_bins(simulated) == set()


@pytest.mark.parametrize("shape", [(240, 320, 3), (640, 480, 3)])
def test_a_frame_of_the_wrong_size_is_refused_with_both_sizes(build, shape):
    simulated = build(count=1)
    simulated.camera.next_frame = lambda: Frame(np.zeros(shape, np.uint8), 0, 0.0)
    message = f"{shape[1]}x{shape[0]}, not 640x480; set camera.width_px"
    with pytest.raises(FrameError, match=message):
        simulated.machine.step()


def test_closing_leaves_every_flap_at_rest_and_limp(build_true):
    simulated = build_true(count=3)
    simulated.run()
    simulated.machine.close()
    for servo in simulated.belt.servos.values():
        assert [round(pulse_us) for _, pulse_us in servo.pulses[-2:]] == [REST_US, 0]


def test_coins_that_sensors_see_fall_are_in_their_bins(build_true):
    simulated = build_true()
    wire_panel(simulated)
    simulated.machine.start()
    run_steps(simulated)
    run_empty_belt(simulated)
    landed = Counter(rider.landed for rider in simulated.belt.riders)
    assert read_totals(simulated.ledger_path)["bins"] == dict(landed)
    assert read_incidents(simulated) == []


def test_a_coin_that_no_sensor_saw_fall_is_uncertain_and_reported(build_true):
    simulated = build_true()
    labels = Counter(rider.item.label for rider in simulated.belt.riders if rider.item.label)
    ((blind, _),) = labels.most_common(1)
    wire_panel(simulated, blind=(blind,))
    simulated.machine.start()
    run_steps(simulated)
    run_empty_belt(simulated)
    totals = read_totals(simulated.ledger_path)
    landed = Counter(rider.landed for rider in simulated.belt.riders)
    assert totals["uncertain"] == landed[blind] > 0 and blind not in totals["bins"]
    assert totals["seen"] == 12 == sum(totals["bins"].values()) + totals["uncertain"]
    incidents = read_incidents(simulated)
    assert len(incidents) == landed[blind]
    assert all(f"was not seen to fall into {blind}" in what for what in incidents)


def test_something_that_falls_into_a_bin_unsent_is_reported(build_true):
    simulated = build_true(count=1)
    wire_panel(simulated)
    drops = {"bit_10": 1}
    simulated.machine.drop_sensors.count_drops = lambda name: drops.pop(name, 0)
    simulated.machine.start()
    run_steps(simulated)
    run_empty_belt(simulated)
    assert "something fell into bit_10 that was not sent there" in read_incidents(simulated)


def test_the_stop_button_pauses_and_goes_on(build_true):
    simulated = build_true(count=20)
    panel = wire_panel(simulated)
    simulated.machine.start()
    for _ in range(10):
        simulated.machine.step()
    assert (panel.states, panel.feeding) == (["sorting"], [True])
    panel.pressed = 1
    while simulated.machine.step() and simulated.camera.landed < 4:
        pass
    panel.pressed = 1
    run_steps(simulated)
    run_empty_belt(simulated)
    assert panel.states == ["sorting", "paused", "sorting"]
    assert panel.feeding == [True, False, True, False]
    rejected = read_totals(simulated.ledger_path)["rejected"]
    assert 4 <= rejected["paused"] < 20 - 4


def test_a_fault_stops_the_feeder_and_shows_itself(build_true):
    simulated = build_true(count=6)
    panel = wire_panel(simulated)

    def fail(bin, open):
        raise FlapError(f"bin {bin}: GPIO 5 does not take pulses: gone; check the wiring")

    simulated.machine.start()
    simulated.machine.flaps.move = fail
    run_steps(simulated)
    assert panel.states[-1] == "fault" and panel.feeding[-1] is False
    assert simulated.machine.state == "fault"


def test_things_that_pass_the_beam_and_not_the_camera_are_reported(build_true):
    simulated = build_true(count=3)
    panel = wire_panel(simulated)
    panel.entered = 5
    simulated.machine.start()
    run_steps(simulated)
    run_empty_belt(simulated)
    (what,) = read_incidents(simulated)
    assert what.startswith("2 more things broke the light beam")


def test_whoever_listens_is_called_with_every_coin(build_true):
    simulated = build_true(count=4)
    coins = []
    simulated.run(on_sorted=coins.append)
    assert [sorted_coin.coin.number for sorted_coin in coins] == [1, 2, 3, 4]
    rows = read_rows(simulated.ledger_path)
    assert [row["bin"] for row in rows] == [sorted_coin.decision.bin for sorted_coin in coins]


class LostFollower:
    """A follower of the scale whose third coin leads it too far away; see `ScaleFollower`."""

    lost = False

    def __init__(self, scale) -> None:
        self._scale = scale
        self.followed = 0

    def follow_coin(self, coin, verdict, thresholds, diameters_mm):
        self.followed += 1
        self.lost = self.followed == 3
        return self._scale


def test_a_scale_that_drifts_too_far_is_reported_and_followed_no_more(build_true):
    simulated = build_true()
    follower = LostFollower(simulated.machine.tracker.scale)
    simulated.machine.scale_follower = follower
    simulated.run()
    assert read_incidents(simulated) == ["the view's scale has drifted by more than 6 %"]
    assert follower.followed == 3 and simulated.machine.scale_follower is None
