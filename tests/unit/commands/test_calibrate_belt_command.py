"""coinsorter calibrate belt, on a simulated belt whose flaps are not where config.yaml says."""

import json
from math import sqrt

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from coinsorter.config.load import load_config
from coinsorter.hardware import panel
from coinsorter.hardware.camera import open_camera as cameras
from coinsorter.hardware.servos import open_servos
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.recognition import runtime
from coinsorter.records import Frame
from coinsorter.simulator.servo import SimulatedPins
from coinsorter.simulator.simulated_machine import SimulatedMachine
from tests.conftest import CONFIG, CROWNS

FALL_MM = 80.0
FALL_S = sqrt(2 * FALL_MM / 9806.65)
DROP_PINS = {"bit_10": 27, "bit_20": 22}
TRUE_MM = {"bit_10": 166.5, "bit_20": 194.0}  # config.yaml has 160 and 200
# Eight coins, each some 0.4 % off the belt's speed over 100 mm and 4 ms off its fall, give the
# place to 0.5 mm; three times that.
TOLERANCE_MM = 1.5


class SensedBelt:
    """The simulated belt's camera; what falls through an open flap trips that bin's drop sensor."""

    def __init__(
        self, simulated: SimulatedMachine, pins: MockFactory, rng: np.random.Generator
    ) -> None:
        self._camera, self._belt, self._pins = simulated.camera, simulated.belt, pins
        self._frame_s, self._frames = 1 / simulated.config.camera.frames_per_s, 0
        self.now_s, self.interrupt_at, self.closed = 0.0, None, False
        at_mm = {bin_.name: bin_.flap.distance_mm for bin_ in simulated.config.bins}
        drive = self._belt.drive
        self._falls = sorted(
            (
                drive.compute_time_s(rider.offset_mm + at_mm[name]) + FALL_S + rng.normal(0, 0.004),
                name,
                rider.number,
            )
            for rider in self._belt.riders
            for name in DROP_PINS
        )

    def next_frame(self) -> Frame | None:
        if self._frames == self.interrupt_at:
            raise KeyboardInterrupt
        while self._falls and self._falls[0][0] <= self._frames * self._frame_s:
            self._fall(*self._falls.pop(0))
        self._frames += 1
        return self._camera.next_frame()

    def close(self) -> None:
        self.closed = True

    def _fall(self, at_s: float, name: str, number: int) -> None:
        if self._belt.find_landing_bin(self._belt.riders[number]) == name:
            self.now_s = at_s
            self._pins.pin(DROP_PINS[name]).drive_low()
            self._pins.pin(DROP_PINS[name]).drive_high()


def wired(text: str, moved: dict[str, float]) -> str:
    """Settings with drop sensors, and flaps at other distances."""
    for name, pin in DROP_PINS.items():
        index = list(DROP_PINS).index(name)
        configured_mm = 160 + 40 * index
        angles = "rest_deg: 90, open_deg: 135"
        before = f"flap: {{pin: {5 + index}, {angles}, distance_mm: {configured_mm},"
        assert text.count(before) == 1
        after = before.replace("pin: ", f"drop_pin: {pin}, pin: ").replace(
            f"{160 + 40 * index},", f"{moved.get(name, 160 + 40 * index)},"
        )
        text = text.replace(before, after)
    return text.replace("models/crowns", str(CROWNS)).replace(
        "frames_per_s: 60 ", "frames_per_s: 25 "
    )


@pytest.fixture
def sensor_settings(tmp_path):
    """A config.yaml with drop sensors, whose distances are not the true ones."""
    path = tmp_path / "config.yaml"
    path.write_text(wired(CONFIG.read_text(), {}))
    return path


@pytest.fixture
def belt(tmp_path, crowns, monkeypatch, sensor_settings):
    """What the command opens: a belt with coins 200 mm apart, and flaps at their true places."""
    true = tmp_path / "true.yaml"
    true.write_text(wired(CONFIG.read_text(), TRUE_MM))
    simulated = SimulatedMachine(
        load_config(true), crowns, tmp_path / "ledger.db", 24, 5, runtime.pick_runtime("auto")
    )
    riders = [rider for rider in simulated.belt.riders if rider.item.label]
    for place, rider in enumerate(riders):
        rider.number, rider.offset_mm = place, 200.0 + 200.0 * place
    simulated.belt.riders[:] = riders
    pins = MockFactory()
    sensed = SensedBelt(simulated, pins, np.random.default_rng(2))
    flaps = SimulatedPins(
        simulated.clock,
        {bin_.flap.pin: simulated.belt.servos[bin_.name] for bin_ in simulated.config.bins},
    )
    monkeypatch.setattr(cameras, "open_camera", lambda *_: sensed)
    monkeypatch.setattr(open_servos, "open_servos", lambda _: MockServos(flaps))
    real_panel = panel.GpioPanel
    monkeypatch.setattr(
        panel, "GpioPanel", lambda settings: real_panel(settings, pins, lambda: sensed.now_s)
    )
    sensed.servos = simulated.belt.servos
    return sensed


def at_rest(belt: SensedBelt) -> bool:
    """Whether every flap was brought to rest, and its servo got no pulses any more after that."""
    last_us = [[round(us) for _, us in history.pulses[-2:]] for history in belt.servos.values()]
    return belt.closed and last_us == [[1500, 0]] * len(last_us)


def test_flaps_are_found_where_they_are_and_written(command, sensor_settings, belt):
    status, out, err = command(
        "calibrate",
        "belt",
        *DROP_PINS,
        "--fall-mm",
        FALL_MM,
        "--coins",
        8,
        "--write",
        "--config",
        sensor_settings,
    )
    assert status == 0, err
    after, before = load_config(sensor_settings), load_config(CONFIG)
    for now, was in zip(after.bins, before.bins):
        if now.name in TRUE_MM:
            assert now.flap.distance_mm == pytest.approx(TRUE_MM[now.name], abs=TOLERANCE_MM)
            assert 1000 * FALL_S < now.flap.drop_ms < 1000 * FALL_S + 40
        else:
            assert now.flap == was.flap
    assert after.belt.speed_mm_s == pytest.approx(250, rel=0.01)
    assert (
        f"its flap is at {after.bins[0].flap.distance_mm} mm, with a standard error of" in out
        and "(config.yaml: 160)" in out
    )
    assert (
        f"bins[1].flap.distance_mm: {after.bins[1].flap.distance_mm}\n" in out
        and out.splitlines()[-1] == f"{sensor_settings}: written"
    )
    assert at_rest(belt)


def test_ctrl_c_brings_the_open_flap_to_rest_and_writes_nothing(command, sensor_settings, belt):
    before, belt.interrupt_at = sensor_settings.read_text(), 40
    status, out, _ = command(
        "calibrate", "belt", "bit_20", "--fall-mm", FALL_MM, "--write", "--config", sensor_settings
    )
    assert status == 130 and out == "" and sensor_settings.read_text() == before
    assert [round(us) for _, us in belt.servos["bit_20"].pulses] == [
        1500,
        2000,
        1500,
        0,
    ] and at_rest(belt)


def test_a_sensor_that_sees_no_coin_fall_is_named_and_the_flap_goes_to_rest(
    command, sensor_settings, belt
):
    belt._falls = []
    status, out, err = command(
        "calibrate", "belt", "bit_20", "--fall-mm", FALL_MM, "--json", "--config", sensor_settings
    )
    assert (
        status == 66
        and out == ""
        and err.startswith(
            "coinsorter: bin bit_20: 4 coins rode by and none was seen to fall; lay them one by one"
        )
    )
    assert at_rest(belt)


@pytest.mark.parametrize(
    "words, complaint",
    [
        (
            ["crown_1", "--fall-mm", "80"],
            "bin crown_1 has no drop sensor that could see coins fall; wire one and set its",
        ),
        (["bit_10", "crown_1", "--fall-mm", "80"], "bin crown_1 has no drop sensor"),
        (["gold", "--fall-mm", "80"], "gold: no such bin; there are bit_10"),
        (["bit_10"], "--fall-mm is missing: how far below the belt the sensors are"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_moves(
    command, sensor_settings, belt, words, complaint
):
    status, out, err = command("calibrate", "belt", *words, "--config", sensor_settings)
    assert status == 66 and out == "" and complaint in err and len(err.splitlines()) == 1
    assert all(history.pulses == [] for history in belt.servos.values())


def test_without_a_bin_no_flap_moves(command, sensor_settings, belt):
    belt.interrupt_at = 60
    assert command("calibrate", "belt", "--config", sensor_settings)[0] == 130
    assert belt.closed and all(history.pulses == [] for history in belt.servos.values())


def test_the_belts_speed_is_measured_on_coins_that_ride_by(command, settings):
    status, out, _ = command("calibrate", "belt", "--coins", 8, "--config", settings, "--json")
    result = json.loads(out)
    assert status == 0 and result["coins"] == 8 and not result["written"]
    assert (
        result["speed_mm_s"] == pytest.approx(250, rel=0.05)
        and 0.5 <= result["speed_tolerance_percent"] < 20
    )
