"""machine: whole runs of the simulated machine; where coins landed, what the pins carried, what the ledger holds."""

import sqlite3
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from coinsorter.errors import CameraError, FlapError, FrameError, LedgerError
from coinsorter.recognition import runtime
from coinsorter.records import Frame
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.sorting.ledger_queries import read_rows, read_totals


@pytest.fixture
def build(config, crowns, tmp_path):
    def make(count: int = 12, seed: int = 1, **changes) -> SimulatedMachine:
        settings = config.model_copy(update=changes)
        return SimulatedMachine(
            settings,
            crowns,
            tmp_path / f"ledger-{seed}.db",
            count,
            seed,
            runtime.pick_runtime("auto"),
        )

    return make


def moved_bins(simulated: SimulatedMachine) -> set[str]:
    """Bins whose servo ever carried anything but its rest pulse."""
    rest = 1500
    return {
        name
        for name, servo in simulated.belt.servos.items()
        if any(round(pulse) not in (0, rest) for _, pulse in servo.pulses)
    }


def test_coins_land_in_their_own_bins_and_everything_else_is_rejected(build):
    simulated = build(count=30)
    truth = simulated.run()
    assert (
        truth.wrong == 0
        and truth.foreign_accepted == 0
        and truth.ledger_matches
        and truth.fault is None
    )
    assert truth.correct >= truth.genuine_alone - 1
    assert moved_bins(simulated) == {rider.landed for rider in simulated.belt.riders} - {"reject"}


def test_the_same_seed_is_the_same_run_bit_for_bit(build, tmp_path):
    def run(name: str):
        simulated = build(count=15, seed=4)
        simulated.ledger_path.unlink()
        simulated = build(count=15, seed=4)
        truth = simulated.run()
        rows = [
            {key: row[key] for key in row if key != "at"}
            for row in read_rows(simulated.ledger_path)
        ]
        pulses = {bin_: servo.pulses for bin_, servo in simulated.belt.servos.items()}
        simulated.ledger_path.unlink()
        return replace(truth, cpu_ms_per_coin=0.0), rows, pulses

    assert run("a") == run("b")


def test_every_row_holds_the_evidence_and_the_limits_it_was_judged_by(build, crowns):
    simulated = build(count=12)
    simulated.run()
    for row in read_rows(simulated.ledger_path):
        assert row["landed"] == row["bin"]
        if row["reason"] == "sorted":
            limits = crowns.thresholds[row["label"]]
            assert row["confidence"] >= row["min_confidence"] == limits.min_confidence
            assert row["anomaly"] <= row["max_anomaly"] == limits.max_anomaly
            assert (
                abs(row["diameter_mm"] - row["nominal_mm"])
                <= row["tolerance_mm"]
                == limits.tolerance_mm
            )
            assert (row["value"], row["currency"]) == (crowns.labels[row["label"]].value, "CRN")


def test_an_empty_belt_moves_nothing_and_writes_no_row(build):
    simulated = build(count=0)
    truth = simulated.run()
    assert truth.objects == 0 and truth.ledger_matches and moved_bins(simulated) == set()
    assert read_totals(simulated.ledger_path)["seen"] == 0


def test_a_coin_judged_too_late_falls_to_reject(build):
    simulated = build(count=12)
    read = simulated.camera.next_frame

    def slow():
        frame = read()
        simulated.clock.advance_to(
            simulated.clock.now_s() + 0.4
        )  # as if judging had taken that long
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
            raise LedgerError(
                "ledger x: database or disk is full; free some space, then start again"
            )
        return record(event)

    simulated.machine.ledger.record = full
    truth = simulated.run()
    assert "disk is full" in truth.fault and "free some space" in caplog.text
    assert len(calls) == 4, "nothing more is written"
    after = [rider.landed for rider in simulated.belt.riders[6:]]
    assert set(after) == {"reject"}
    assert read_totals(simulated.ledger_path)["seen"] == 3


def test_a_flap_that_fails_stops_accepting_but_not_the_accounts(build, caplog):
    simulated = build(count=12)
    move, opened = simulated.machine.flaps.move, []

    def breaks(bin_, open):
        opened.extend([bin_] if open else [])
        if open and len(opened) == 3:
            raise FlapError(
                f"bin {bin_}: GPIO 5 does not take pulses: gone; check the wiring, then start again"
            )
        move(bin_, open)

    simulated.machine.flaps.move = breaks
    truth = simulated.run()
    assert "check the wiring" in truth.fault and "check the wiring" in caplog.text
    assert truth.wrong == truth.foreign_accepted == 0 and truth.rejected["fault"] > 0
    found = read_totals(simulated.ledger_path)
    assert found["seen"] == 12 and found["open"] == 0
    assert (
        found["bins"].get("reject", 0)
        <= sum(rider.landed == "reject" for rider in simulated.belt.riders)
        <= found["bins"]["reject"] + found["uncertain"]
    )
    assert all(
        servo.pulses[-2][1] == pytest.approx(1500) for servo in simulated.belt.servos.values()
    )


def test_coins_that_meet_a_flap_that_cannot_be_brought_to_rest_are_uncertain(build):
    simulated = build(count=12)
    move, stuck = simulated.machine.flaps.move, []

    def sticks(bin_, open):
        stuck.extend([bin_] if open and not stuck else [])
        if open or bin_ in stuck:
            raise FlapError(
                f"bin {bin_}: GPIO 5 does not take pulses: gone; check the wiring, then start again"
            )
        move(bin_, open)

    simulated.machine.flaps.move = sticks
    simulated.machine.close = simulated.machine.ledger.close  # parking would say so once more
    simulated.run()
    found = read_totals(simulated.ledger_path)
    assert (
        found["seen"] == 12
        and found["open"] == 0
        and found["uncertain"] == 12 - found["bins"].get("reject", 0) > 6
    )


def test_a_paused_machine_rejects_everything_and_writes_it_down(build):
    simulated = build(count=6)
    simulated.machine.paused = True
    truth = simulated.run()
    assert (
        truth.rejected == {"paused": 6} and truth.ledger_matches and moved_bins(simulated) == set()
    )


def test_coins_that_have_no_bin_are_rejected_by_that_name(build, config):
    simulated = build(count=12, bins=[b for b in config.bins if b.name != "crown_5"])
    truth = simulated.run()
    labels = [rider.item.label for rider in simulated.belt.riders]
    assert truth.rejected.get("no-bin", 0) == labels.count("crown_5") > 0 and truth.ledger_matches


def test_one_bin_may_take_several_labels(build, config):
    joined = [
        config.bins[0].model_copy(
            update={"name": "all", "labels": [label for b in config.bins for label in b.labels]}
        )
    ]
    simulated = build(count=15, bins=joined)
    truth = simulated.run()
    assert truth.wrong == truth.foreign_accepted == 0 and truth.correct >= truth.genuine_alone - 1
    assert truth.bins["all"][0] == truth.correct


def test_stricter_settings_reject_more(build, config):
    strict = build(
        count=12, acceptance=config.acceptance.model_copy(update={"max_diameter_error_mm": 0.0})
    )
    assert strict.run().correct == 0


@pytest.mark.parametrize("shape", [(240, 320, 3), (640, 480, 3)])
def test_a_frame_of_the_wrong_size_is_refused_with_both_sizes(build, shape):
    simulated = build(count=1)
    simulated.camera.next_frame = lambda: Frame(np.zeros(shape, np.uint8), 0, 0.0)
    with pytest.raises(
        FrameError, match=f"{shape[1]}x{shape[0]}, not 640x480; set camera.width_px"
    ):
        simulated.machine.step()


def test_closing_leaves_every_flap_at_rest_and_limp(build):
    simulated = build(count=3)
    simulated.run()
    simulated.machine.close()
    for servo in simulated.belt.servos.values():
        assert [round(pulse) for _, pulse in servo.pulses[-2:]] == [1500, 0]


class WiredPanel:
    """A panel whose button is pressed by hand, and whose sensors see what really happens on the simulated belt."""

    def __init__(self, simulated: SimulatedMachine, blind: tuple[str, ...] = ()) -> None:
        self._simulated, self._blind = simulated, blind
        self._told: dict[str, int] = {}
        self.pressed = 0
        self.entered = 0
        self.feeding: list[bool] = []
        self.shown: list[str] = []

    def feed(self, on: bool) -> None:
        self.feeding.append(on)

    def show(self, state: str) -> None:
        self.shown.append(state)

    def count_presses(self) -> int:
        pressed, self.pressed = self.pressed, 0
        return pressed

    def count_beam_breaks(self) -> int:
        entered, self.entered = self.entered, 0
        return entered

    def count_drops(self, bin: str) -> int:
        landed = sum(rider.landed == bin for rider in self._simulated.belt.riders)
        new = landed - self._told.get(bin, 0)
        self._told[bin] = landed
        return 0 if bin in self._blind else new


def wired(simulated: SimulatedMachine, **settings) -> WiredPanel:
    """The simulated machine with a panel; the belt tells of landings a second late, so sensors have more time."""
    panel = WiredPanel(simulated, **settings)
    simulated.machine.panel = panel
    drop_sensors = simulated.machine.drop_sensors
    drop_sensors.count_drops = panel.count_drops
    drop_sensors.within_s = {b.name: 3.0 for b in simulated.config.bins}
    return panel


def incidents(simulated: SimulatedMachine) -> list[str]:
    with sqlite3.connect(simulated.ledger_path) as book:
        return [what for (what,) in book.execute("SELECT what FROM incidents ORDER BY id")]


def run_on(simulated: SimulatedMachine, seconds: float) -> None:
    """Lets the belt run on empty, so that sensors have their say."""
    end_s = simulated.clock.now_s() + seconds
    while simulated.clock.now_s() < end_s:
        simulated.clock.advance_to(simulated.clock.now_s() + 0.05)
        simulated.machine.tick()


def drain(simulated: SimulatedMachine) -> None:
    simulated.machine.start()
    while simulated.machine.step():
        pass
    run_on(simulated, 5.0)
    simulated.machine.close()


def test_coins_that_sensors_see_fall_are_in_their_bins(build):
    simulated = build(count=12)
    wired(simulated)
    drain(simulated)
    landed = Counter(rider.landed for rider in simulated.belt.riders)
    assert read_totals(simulated.ledger_path)["bins"] == dict(landed) and incidents(simulated) == []


def test_a_coin_that_no_sensor_saw_fall_is_uncertain_and_told(build):
    simulated = build(count=12)
    expected = Counter(rider.item.label for rider in simulated.belt.riders)
    blind = expected.most_common(1)[0][0]
    wired(simulated, blind=(blind,))
    drain(simulated)
    found, landed = (
        read_totals(simulated.ledger_path),
        Counter(rider.landed for rider in simulated.belt.riders),
    )
    assert found["uncertain"] == landed[blind] > 0 and blind not in found["bins"]
    assert found["seen"] == 12 == sum(found["bins"].values()) + found["uncertain"]
    assert [what for what in incidents(simulated) if f"was not seen to fall into {blind}" in what]


def test_the_stop_button_pauses_and_goes_on(build):
    simulated = build(count=20)
    panel = wired(simulated)
    simulated.machine.start()
    for _ in range(10):
        simulated.machine.step()
    assert (panel.shown, panel.feeding) == (["sorting"], [True])
    panel.pressed = 1
    while simulated.machine.step() and simulated.camera.landed < 4:
        pass
    panel.pressed = 1
    while simulated.machine.step():
        pass
    run_on(simulated, 5.0)
    simulated.machine.close()
    assert panel.shown == ["sorting", "paused", "sorting"] and panel.feeding == [
        True,
        False,
        True,
        False,
    ]
    rejected = read_totals(simulated.ledger_path)["rejected"]
    assert 4 <= rejected["paused"] < 20 - 4


def test_a_fault_stops_the_feeder_and_shows_itself(build):
    simulated = build(count=6)
    panel = wired(simulated)

    def breaks(bin_, open):
        raise FlapError(
            f"bin {bin_}: GPIO 5 does not take pulses: gone; check the wiring, then start again"
        )

    simulated.machine.start()
    simulated.machine.flaps.move = breaks
    while simulated.machine.step():
        pass
    assert panel.shown[-1] == "fault" and panel.feeding[-1] is False


def test_things_that_pass_the_beam_and_not_the_camera_are_told(build):
    simulated = build(count=3)
    panel = wired(simulated)
    panel.entered = 5
    drain(simulated)
    assert [
        what
        for what in incidents(simulated)
        if what.startswith("2 more things broke the light beam")
    ]


class Silent:
    """A camera that falls silent at some frames, and delivers again once it has been opened anew."""

    def __init__(self, camera, at: set[int], opens: bool = True) -> None:
        self._camera, self._at, self._opens = camera, set(at), opens
        self.taken = self.reopened = 0

    def next_frame(self):
        if self.taken in self._at:
            raise CameraError("no frame for 0.25 s; check the camera's cable, then start again")
        self.taken += 1
        return self._camera.next_frame()

    def reopen(self) -> None:
        self.reopened += 1
        if not self._opens:
            raise CameraError("no camera: gone; check its cable")
        self._at.discard(self.taken)

    def close(self) -> None:
        self._camera.close()


def test_a_camera_that_falls_silent_is_opened_again_with_flaps_at_rest_and_the_accounts_kept(build):
    simulated = build(count=12)
    simulated.machine.camera = camera = Silent(simulated.camera, at={150, 400})
    rest_at = []
    reopen = camera.reopen
    camera.reopen = lambda: (
        rest_at.append([round(servo.pulses[-1][1]) for servo in simulated.belt.servos.values()]),
        reopen(),
    )
    simulated.run()
    assert camera.reopened == 2 and rest_at == [[1500] * 8] * 2
    found = read_totals(simulated.ledger_path)
    assert found["seen"] == 12 and found["open"] == 0
    assert [
        what for what in incidents(simulated) if what.startswith("no frame for 0.25 s")
    ] == incidents(simulated)
    landed = Counter(rider.landed for rider in simulated.belt.riders)
    assert all(
        found["bins"].get(name, 0) <= count for name, count in landed.items() if name != "reject"
    )


def test_a_flap_that_fails_while_the_camera_is_silent_leaves_no_row_open(build):
    simulated = build(count=12)
    simulated.machine.camera = Silent(simulated.camera, at={250})

    def breaks():
        raise FlapError(
            "bin bit_10: GPIO 5 does not take pulses: gone; check the wiring, then start again"
        )

    simulated.machine.start()
    simulated.machine.flaps.park = breaks
    while simulated.machine.step():
        pass
    found = read_totals(simulated.ledger_path)
    assert (
        found["seen"] == 12
        and found["open"] == 0 < found["uncertain"]
        and "check the wiring" in str(simulated.machine.failure)
    )


def test_a_camera_that_cannot_be_opened_again_ends_the_run_with_flaps_at_rest(build):
    simulated = build(count=12)
    simulated.machine.camera = Silent(simulated.camera, at={150}, opens=False)
    simulated.machine.start()
    with pytest.raises(CameraError, match="no camera: gone"):
        simulated.machine.run()
    assert all(round(servo.pulses[-1][1]) == 1500 for servo in simulated.belt.servos.values())


def test_a_camera_that_falls_silent_again_and_again_ends_the_run(build):
    simulated = build(count=12)
    simulated.machine.camera = camera = Silent(simulated.camera, at={150, 160, 170, 180, 190})
    simulated.machine.start()
    with pytest.raises(CameraError, match="no frame for"):
        simulated.machine.run()
    assert camera.reopened == 3
