"""Faults of an installed machine on an emulated Pi: each is safe, named, and found by doctor."""

import shutil
from pathlib import Path

import pytest

from coinsorter.hardware.camera.timing import SILENCE_FRAMES
from tests.conftest import IN_FULL
from tests.system.conftest import Rig
from tests.system.photographs import FRAMES_PER_S


class Faults(dict[str, dict]):
    """What became of each fault, by its name."""

    def __missing__(self, fault: str) -> dict:
        pytest.skip(f"{fault}: takes a minute or two; run it with COINSORTER_TESTS=all")


@pytest.fixture(scope="module")
def faults(rig: Rig, card: Path, tmp_path_factory) -> Faults:
    outcome = rig.run(
        f"python3 guest/faults.py {'all' if IN_FULL else ''}",
        backend="uml",
        disk=Path(shutil.copy(card, tmp_path_factory.mktemp("faults") / "disk")),
        timeout_s=1200,
    )
    assert outcome.status == 0, outcome.printed + outcome.journal
    return Faults(outcome.json("faults.json"))


def test_a_camera_that_is_silent_for_a_while_is_opened_again_and_nothing_is_restarted(faults):
    result = faults["camera silent for a while"]
    assert result["service"]["ActiveState"] == "active" and result["service"]["NRestarts"] == "0"
    assert [
        f"no frame for {SILENCE_FRAMES / FRAMES_PER_S:.2g} s; "
        "check the camera's cable, then start again",
        "camera",
    ] in result["incidents"]
    assert result["doctor"]["service"][0] == "ok"


@pytest.mark.parametrize(
    "fault, reason",
    [
        (
            "camera silent",
            "no camera: it is found, but sends no frame for 2 s; check its cable at both ends",
        ),
        ("camera absent", "no camera: none is found; check its cable at both ends"),
        (
            "chip absent",
            "no GPIO chip of a Raspberry Pi (pinctrl-rp1, pinctrl-bcm2711, pinctrl-bcm2835); "
            "found: another-chip",
        ),
        (
            "pin in use",
            "bin bin_025: GPIO 13 cannot be driven: 'GPIO busy'; is another program using it?",
        ),
    ],
)
def test_a_machine_that_cannot_start_says_why_and_is_tried_again(faults, fault, reason):
    assert reason in faults[fault]["said"]
    assert "Main process exited, code=exited, status=69" in faults[fault]["said"]
    assert faults[fault]["then"] == "auto-restart"


@pytest.mark.parametrize(
    "fault", ["camera silent", "camera absent", "pin in use", "watchdog starved", "service killed"]
)
def test_no_servo_is_driven_by_a_machine_that_does_not_sort(faults, fault):
    assert faults[fault]["pulsing"] == 0


@pytest.mark.parametrize(
    "fault, part, words",
    [
        ("camera silent", "camera", "it is found, but sends no frame for 2 s"),
        ("camera absent", "camera", "none is found; check its cable"),
        ("chip absent", "gpio", "found: another-chip"),
        ("pin in use", "gpio", "held by another program: GPIO 13 (bins[2].flap.pin) by gpioset"),
        ("watchdog starved", "service", "the watchdog stopped it"),
        ("service killed", "service", "it was killed"),
    ],
)
def test_doctor_finds_each_fault_by_name(faults, fault, part, words):
    state, what = faults[fault]["doctor"][part]
    assert state != "ok" and words in what
    others = {name for name, (state, _) in faults[fault]["doctor"].items() if state == "fault"} - {
        part,
        "service",
    }
    assert others == set()


def test_a_chip_with_another_number_is_found_by_its_label(faults):
    result = faults["chip renumbered"]
    assert result["service"]["ActiveState"] == "active" and result["pulsing"] > 0
    assert result["doctor"]["gpio"] == ["ok", "gpiochip1, 5 pins in use; "]


@pytest.mark.parametrize(
    "fault, word",
    [("watchdog starved", "Watchdog timeout (limit 30s)"), ("service killed", "status=9/KILL")],
)
def test_a_process_that_is_hit_is_started_again_parks_and_leaves_no_row_open(faults, fault, word):
    result = faults[fault]
    assert word in result["said"] and "every flap is at rest" in result["said"]
    assert result["service"]["ActiveState"] == "active" and result["service"]["NRestarts"] == "1"
    assert result["still_open"] == 0


def test_a_second_process_is_refused_by_name_whoever_starts_it(faults):
    result = faults["second process"]
    assert len(result["second"]) == 4
    for status, err in result["second"].values():
        assert status == 75
        assert f"the machine is sorting (process {result['pid']}, since " in err
    assert result["service"]["MainPID"] == result["pid"] and result["pulsing"] > 0
    assert result["is_untouched"] and result["parked_after"] == 0
