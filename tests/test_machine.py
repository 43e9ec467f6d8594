"""machine: whole runs of the simulated machine; where coins landed, what the pins carried, what the ledger holds."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from coinsorter import ledger, runtime
from coinsorter.errors import FlapError, FrameError, LedgerError
from coinsorter.records import Frame
from coinsorter.simulator.machine import SimulatedMachine


@pytest.fixture
def build(config, crowns, tmp_path):
    def make(count: int = 12, seed: int = 1, **changes) -> SimulatedMachine:
        settings = config.model_copy(update=changes)
        return SimulatedMachine(settings, crowns, tmp_path / f"ledger-{seed}.db", count, seed, runtime.pick("auto"))

    return make


def moved_bins(simulated: SimulatedMachine) -> set[str]:
    """Bins whose servo ever carried anything but its rest pulse."""
    rest = 1500
    return {name for name, servo in simulated.belt.servos.items() if any(round(pulse) not in (0, rest) for _, pulse in servo.pulses)}


def test_coins_land_in_their_own_bins_and_everything_else_is_rejected(build):
    simulated = build(count=30)
    truth = simulated.run()
    assert truth.wrong == 0 and truth.foreign_accepted == 0 and truth.ledger_matches and truth.fault is None
    assert truth.correct >= truth.genuine_alone - 1
    assert moved_bins(simulated) == {rider.landed for rider in simulated.belt.riders} - {"reject"}


def test_the_same_seed_is_the_same_run_bit_for_bit(build, tmp_path):
    def run(name: str):
        simulated = build(count=15, seed=4)
        simulated.ledger_path.unlink()
        simulated = build(count=15, seed=4)
        truth = simulated.run()
        rows = [{key: row[key] for key in row if key != "at"} for row in ledger.rows(simulated.ledger_path)]
        pulses = {bin_: servo.pulses for bin_, servo in simulated.belt.servos.items()}
        simulated.ledger_path.unlink()
        return replace(truth, cpu_ms_per_coin=0.0), rows, pulses

    assert run("a") == run("b")


def test_every_row_holds_the_evidence_and_the_limits_it_was_judged_by(build, crowns):
    simulated = build(count=12)
    simulated.run()
    for row in ledger.rows(simulated.ledger_path):
        assert row["landed"] == row["bin"]
        if row["reason"] == "sorted":
            limits = crowns.thresholds[row["label"]]
            assert row["confidence"] >= row["min_confidence"] == limits.min_confidence
            assert row["anomaly"] <= row["max_anomaly"] == limits.max_anomaly
            assert abs(row["diameter_mm"] - row["nominal_mm"]) <= row["tolerance_mm"] == limits.tolerance_mm
            assert (row["value"], row["currency"]) == (crowns.labels[row["label"]].value, "CRN")


def test_an_empty_belt_moves_nothing_and_writes_no_row(build):
    simulated = build(count=0)
    truth = simulated.run()
    assert truth.objects == 0 and truth.ledger_matches and moved_bins(simulated) == set()
    assert ledger.totals(simulated.ledger_path)["seen"] == 0


def test_a_coin_judged_too_late_falls_to_reject(build):
    simulated = build(count=12)
    read = simulated.camera.next_frame

    def slow():
        frame = read()
        simulated.clock.advance_to(simulated.clock.now_s() + 0.4)  # as if judging had taken that long
        return frame

    simulated.camera.next_frame = slow
    truth = simulated.run()
    assert truth.correct == truth.wrong == truth.foreign_accepted == 0
    assert truth.rejected.get("late", 0) > 0 and truth.ledger_matches
    assert moved_bins(simulated) == set()


def test_a_row_that_does_not_become_durable_keeps_its_flap_at_rest(build):
    simulated = build(count=12)
    record = simulated.machine.ledger.record

    def slow_disk(event):
        record(event)
        return SimpleNamespace(durable=False)

    simulated.machine.ledger.record = slow_disk
    truth = simulated.run()
    assert moved_bins(simulated) == set()
    assert truth.correct == 0 and truth.rejected.get("late", 0) > 0 and truth.ledger_matches


def test_a_ledger_that_cannot_be_written_stops_accepting_and_says_why(build, caplog):
    simulated = build(count=12)
    record, calls = simulated.machine.ledger.record, []

    def full(event):
        calls.append(event)
        if len(calls) > 3:
            raise LedgerError("ledger x: database or disk is full; free some space, then start again")
        return record(event)

    simulated.machine.ledger.record = full
    truth = simulated.run()
    assert "disk is full" in truth.fault and "free some space" in caplog.text
    assert len(calls) == 4, "nothing more is written"
    after = [rider.landed for rider in simulated.belt.riders[6:]]
    assert set(after) == {"reject"}
    assert ledger.totals(simulated.ledger_path)["seen"] == 3


def test_a_flap_that_fails_stops_accepting_but_not_the_accounts(build, caplog):
    simulated = build(count=12)
    move, opened = simulated.machine.flaps.move, []

    def breaks(bin_, open):
        opened.extend([bin_] if open else [])
        if open and len(opened) == 3:
            raise FlapError(f"bin {bin_}: GPIO 5 does not take pulses: gone; check the wiring, then start again")
        move(bin_, open)

    simulated.machine.flaps.move = breaks
    truth = simulated.run()
    assert "check the wiring" in truth.fault and "check the wiring" in caplog.text
    assert truth.wrong == truth.foreign_accepted == 0 and truth.rejected["fault"] > 0
    found = ledger.totals(simulated.ledger_path)
    assert found["seen"] == 12 and found["open"] == 0
    assert found["bins"].get("reject", 0) <= sum(rider.landed == "reject" for rider in simulated.belt.riders) <= found["bins"]["reject"] + found["uncertain"]
    assert all(servo.pulses[-2][1] == pytest.approx(1500) for servo in simulated.belt.servos.values())


def test_coins_that_meet_a_flap_that_cannot_be_brought_to_rest_are_uncertain(build):
    simulated = build(count=12)
    move, stuck = simulated.machine.flaps.move, []

    def sticks(bin_, open):
        stuck.extend([bin_] if open and not stuck else [])
        if open or bin_ in stuck:
            raise FlapError(f"bin {bin_}: GPIO 5 does not take pulses: gone; check the wiring, then start again")
        move(bin_, open)

    simulated.machine.flaps.move = sticks
    simulated.machine.close = simulated.machine.ledger.close  # parking would say so once more
    simulated.run()
    found = ledger.totals(simulated.ledger_path)
    assert found["seen"] == 12 and found["open"] == 0 and found["uncertain"] == 12 - found["bins"].get("reject", 0) > 6


def test_a_paused_machine_rejects_everything_and_writes_it_down(build):
    simulated = build(count=6)
    simulated.machine.paused = True
    truth = simulated.run()
    assert truth.rejected == {"paused": 6} and truth.ledger_matches and moved_bins(simulated) == set()


def test_coins_that_have_no_bin_are_rejected_by_that_name(build, config):
    simulated = build(count=12, bins=[b for b in config.bins if b.name != "crown_5"])
    truth = simulated.run()
    labels = [rider.thing.label for rider in simulated.belt.riders]
    assert truth.rejected.get("no-bin", 0) == labels.count("crown_5") > 0 and truth.ledger_matches


def test_one_bin_may_take_several_labels(build, config):
    joined = [config.bins[0].model_copy(update={"name": "all", "labels": [label for b in config.bins for label in b.labels]})]
    simulated = build(count=15, bins=joined)
    truth = simulated.run()
    assert truth.wrong == truth.foreign_accepted == 0 and truth.correct >= truth.genuine_alone - 1
    assert truth.bins["all"][0] == truth.correct


def test_stricter_settings_reject_more(build, config):
    strict = build(count=12, acceptance=config.acceptance.model_copy(update={"max_diameter_error_mm": 0.0}))
    assert strict.run().correct == 0


@pytest.mark.parametrize("shape", [(240, 320, 3), (640, 480, 3)])
def test_a_frame_of_the_wrong_size_is_refused_with_both_sizes(build, shape):
    simulated = build(count=1)
    simulated.camera.next_frame = lambda: Frame(np.zeros(shape, np.uint8), 0, 0.0)
    with pytest.raises(FrameError, match=f"{shape[1]}x{shape[0]}, not 640x480; set camera.width_px"):
        simulated.machine.step()


def test_closing_leaves_every_flap_at_rest_and_limp(build):
    simulated = build(count=3)
    simulated.run()
    simulated.machine.close()
    for servo in simulated.belt.servos.values():
        assert [round(pulse) for _, pulse in servo.pulses[-2:]] == [1500, 0]
