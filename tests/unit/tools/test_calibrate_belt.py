"""travel: coins that ride through an open flap past a sensor, on a belt whose flaps are not where config.yaml says, and what they tell."""

from math import sqrt

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from coinsorter.config.load import load_config
from coinsorter.errors import InputError
from coinsorter.hardware import panel
from coinsorter.hardware.camera import open_camera as cameras
from coinsorter.hardware.servos import open_servos
from coinsorter.hardware.servos.mock import MockServos
from coinsorter.recognition import runtime
from coinsorter.records import Coin, Frame
from coinsorter.simulator.servo import SimulatedPins
from coinsorter.simulator.simulated_machine import SimulatedMachine
from coinsorter.sorting.assembly import build_search
from coinsorter.tools import calibrate_belt
from coinsorter.tools.calibrate_belt import FallenCoin
from coinsorter.tools.capture import BeltView
from tests.conftest import CONFIG, CROWNS

FALL_MM = 80.0
FALL_S = sqrt(2 * FALL_MM / 9806.65)
DROP_PINS = {"bit_10": 27, "bit_20": 22}
TRUE_MM = {"bit_10": 166.5, "bit_20": 194.0}  # config.yaml has 160 and 200
# Eight coins, each some 0.4 % off the belt's speed over 100 mm and 4 ms off its fall, tell the place to 0.5 mm; three times that.
TOLERANCE_MM = 1.5


# -- the command, on a simulated belt -------------------------------------------------------------------------------------------------


class SensedBelt:
    """The simulated belt's camera; whatever falls through an open flap trips that bin's drop sensor (simulated too) on its way."""

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
        before = f"flap: {{pin: {5 + index}, rest_deg: 90, open_deg: 135, distance_mm: {160 + 40 * index},"
        assert text.count(before) == 1
        after = before.replace("pin: ", f"drop_pin: {pin}, pin: ").replace(
            f"{160 + 40 * index},", f"{moved.get(name, 160 + 40 * index)},"
        )
        text = text.replace(before, after)
    return text.replace("models/crowns", str(CROWNS)).replace(
        "frames_per_s: 60 ", "frames_per_s: 25 "
    )


@pytest.fixture
def settings(tmp_path):
    """A config.yaml with drop sensors, whose distances are not the true ones."""
    path = tmp_path / "config.yaml"
    path.write_text(wired(CONFIG.read_text(), {}))
    return path


@pytest.fixture
def belt(tmp_path, crowns, monkeypatch, settings):
    """A belt with coins 200 mm apart, flaps where they truly are, servos and sensors; what the command opens is this."""
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


def test_flaps_are_found_where_they_are_and_written(command, settings, belt):
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
        settings,
    )
    assert status == 0, err
    found, before = load_config(settings), load_config(CONFIG)
    for now, was in zip(found.bins, before.bins):
        if now.name in TRUE_MM:
            assert now.flap.distance_mm == pytest.approx(TRUE_MM[now.name], abs=TOLERANCE_MM)
            assert 1000 * FALL_S < now.flap.drop_ms < 1000 * FALL_S + 40
        else:
            assert now.flap == was.flap
    assert found.belt.speed_mm_s == pytest.approx(250, rel=0.01)
    assert (
        f"its flap is at {found.bins[0].flap.distance_mm} mm, with a standard error of" in out
        and "(config.yaml: 160)" in out
    )
    assert (
        f"bins[1].flap.distance_mm: {found.bins[1].flap.distance_mm}\n" in out
        and out.splitlines()[-1] == f"{settings}: written"
    )
    assert at_rest(belt)


def test_ctrl_c_brings_the_open_flap_to_rest_and_writes_nothing(command, settings, belt):
    before, belt.interrupt_at = settings.read_text(), 40
    status, out, _ = command(
        "calibrate", "belt", "bit_20", "--fall-mm", FALL_MM, "--write", "--config", settings
    )
    assert status == 130 and out == "" and settings.read_text() == before
    assert [round(us) for _, us in belt.servos["bit_20"].pulses] == [
        1500,
        2000,
        1500,
        0,
    ] and at_rest(belt)


def test_a_sensor_that_sees_no_coin_fall_is_told_and_the_flap_goes_to_rest(command, settings, belt):
    belt._falls = []
    status, out, err = command(
        "calibrate", "belt", "bit_20", "--fall-mm", FALL_MM, "--json", "--config", settings
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
            "bin crown_1 has no drop sensor that could see coins fall; wire one and set its flap.drop_pin",
        ),
        (["bit_10", "crown_1", "--fall-mm", "80"], "bin crown_1 has no drop sensor"),
        (["gold", "--fall-mm", "80"], "gold: no such bin; there are bit_10"),
        (["bit_10"], "--fall-mm is missing: how far below the belt the sensors are"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_moves(
    command, settings, belt, words, complaint
):
    status, out, err = command("calibrate", "belt", *words, "--config", settings)
    assert status == 66 and out == "" and complaint in err and len(err.splitlines()) == 1
    assert all(history.pulses == [] for history in belt.servos.values())


def test_without_a_bin_no_flap_moves(command, settings, belt):
    belt.interrupt_at = 60
    assert command("calibrate", "belt", "--config", settings)[0] == 130
    assert belt.closed and all(history.pulses == [] for history in belt.servos.values())


# -- which coin fell ------------------------------------------------------------------------------------------------------------------


def coin(number: int, seen_s: float = 0.0, alone: bool = True) -> Coin:
    return Coin(number, (), (), 23.0, 60.0, 0.0, seen_s, 250.0, 1.0, 9, alone=alone)


class Told:
    """Camera, tracker and sensor at once, a frame a second: which coins leave the view in each, and what is told to have fallen by then."""

    def __init__(
        self, leaving: dict[int, list[Coin]], falls: dict[int, list[float]], frames: int
    ) -> None:
        self.leaving, self.falls, self.frames, self.now = leaving, falls, frames, -1

    def next_frame(self) -> Frame | None:
        self.now += 1
        return (
            Frame(np.zeros((120, 160, 3), np.uint8), self.now, float(self.now))
            if self.now < self.frames
            else None
        )

    def update(self, frame: Frame, circles: list) -> list[Coin]:
        return self.leaving.get(frame.number, [])

    def take_drop_times_s(self) -> list[float]:
        return self.falls.pop(self.now, [])


@pytest.mark.parametrize(
    "leaving, falls, expected",
    [
        ({1: [coin(1)], 5: [coin(2)]}, {2: [1.9], 7: [6.5]}, [(1, 1.9), (2, 6.5)]),
        (
            {1: [coin(1)], 2: [coin(2)], 7: [coin(3)]},
            {3: [2.9], 4: [3.9], 9: [8.5]},
            [(3, 8.5)],
        ),  # the first two had each other's company
        ({1: [coin(1)], 5: [coin(2)]}, {7: [6.5]}, []),  # the first was missed: whose fall was it?
        ({1: [coin(1, alone=False)], 5: [coin(2)]}, {2: [1.8, 1.9], 7: [6.5]}, [(2, 6.5)]),
        (
            {1: [coin(1)], 5: [coin(2)]},
            {2: [1.8, 1.9], 7: [6.5]},
            [(1, 1.8), (2, 6.5)],
        ),  # it bounced
        ({2: [coin(1)]}, {-1: [-3.0], 4: [3.5]}, [(1, 3.5)]),  # something fell before
        ({6: [coin(1)]}, {2: [7.5]}, [(1, 7.5)]),  # pictures lag behind
        ({1: [coin(1)]}, {}, []),
    ],
)
def test_a_coin_counts_only_if_nobody_else_can_have_fallen(
    crowns, config, leaving, falls, expected
):
    told = Told(leaving, falls, 12)
    found = calibrate_belt.follow_falling_coins(
        BeltView(told, told, build_search(crowns, config.scale)), "bit_10", told.take_drop_times_s
    )
    assert [(one.coin.number, one.fell_s) for one in found] == expected


# -- where the flap is ----------------------------------------------------------------------------------------------------------------


def fallen(ways_mm, speed_mm_s: float = 200.0, fall_mm: float = 50.0) -> list[FallenCoin]:
    """Coins last seen at 60 mm that began to fall at these places."""
    fall_s = sqrt(2 * fall_mm / 9806.65)
    return [
        FallenCoin(coin(n, seen_s=n), n + (way - 60) / speed_mm_s + fall_s)
        for n, way in enumerate(ways_mm)
    ]


def test_the_place_is_the_median_coins_and_the_fall_is_no_part_of_it():
    found = calibrate_belt.locate_flap(
        "bit_10", fallen([300.0] * 7 + [302.0, 298.0, 340.0]), 200.0, 50.0
    )
    assert (
        found.distance_mm == pytest.approx(300)
        and found.coins == 10
        and found.distance_mad_std_mm == pytest.approx(0)
    )
    assert found.travel_ms == pytest.approx(1000 * (300 / 200 + sqrt(100 / 9806.65)))
    assert found.drop_ms == 101  # 100.98: the fall, without any allowance


@pytest.mark.parametrize("wrong_mm", [-5.0, 5.0])
def test_a_ruler_that_is_5_mm_off_matters_little(wrong_mm):
    found = calibrate_belt.locate_flap("bit_10", fallen([300.0] * 8, 250.0), 250.0, 50.0 + wrong_mm)
    assert abs(found.distance_mm - 300) < 1.4


def test_single_coins_spread_and_what_drop_ms_allows_for_it():
    ways_mm = 300 + np.random.default_rng(1).normal(0, 4, 400)
    found = calibrate_belt.locate_flap("bit_10", fallen(ways_mm), 200.0, 50.0)
    assert found.distance_mad_std_mm == pytest.approx(
        4, rel=0.15
    ) and found.distance_sem_mm == pytest.approx(0.25, rel=0.15)
    assert found.distance_mm == pytest.approx(300, abs=3 * found.distance_sem_mm)
    assert found.drop_ms == pytest.approx(101 + 3 * 20, abs=10)


def test_the_shortest_drop_is_one_that_config_yaml_takes():
    assert (
        calibrate_belt.locate_flap("bit_10", fallen([300.0] * 8, fall_mm=1.0), 200.0, 1.0).drop_ms
        == 20
    )


@pytest.mark.parametrize(
    "ways_mm, complaint",
    [
        ([300.0] * 7, "bin bit_10: 7 coins were seen to fall; its flap's place needs 8 or more"),
        ([280.0, 320.0] * 8, "bin bit_10: single coins put its flap 30 mm apart"),
    ],
)
def test_coins_that_tell_no_place_are_refused(ways_mm, complaint):
    with pytest.raises(InputError, match=complaint):
        calibrate_belt.locate_flap("bit_10", fallen(ways_mm), 200.0, 50.0)


def test_coins_are_refused_only_beyond_the_limit():
    apart_mm = 10 / 1.4826
    assert calibrate_belt.locate_flap(
        "bit_10", fallen([300 - 0.99 * apart_mm, 300 + 0.99 * apart_mm] * 8), 200.0, 50.0
    ).distance_mad_std_mm == pytest.approx(9.9)
    with pytest.raises(InputError, match="see that the flap opens wholly"):
        calibrate_belt.locate_flap(
            "bit_10", fallen([300 - 1.01 * apart_mm, 300 + 1.01 * apart_mm] * 8), 200.0, 50.0
        )
