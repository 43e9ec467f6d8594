"""doctor: every fault found by name, on machines whose files and programs answer as a faulty one's would."""

import sqlite3
from importlib import metadata

import pytest

from coinsorter import config
from coinsorter.errors import CameraError, FlapError
from coinsorter.hardware import gpio_chip
from coinsorter.tools import doctor_checks
from coinsorter.tools.doctor_checks import FAULT, OK, WARNING, Finding, Patient
from tests.conftest import CONFIG, CROWNS

SHOWN = "show --property=ActiveState"  # how systemd is asked for the service


@pytest.fixture
def patient(tmp_path):
    """A sound machine, whose files lie below a folder and whose programs answer by a table; changed by what is given."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text().replace("models/crowns", str(CROWNS)))
    root = tmp_path / "root"
    answers = {
        "is-active": "inactive",
        SHOWN: "ActiveState=inactive\nSubState=dead\nNRestarts=0\nResult=success",
        "NTPSynchronized": "yes",
        "RuntimeWatchdogUSec": "15s",
    }
    files = {
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
        "proc/meminfo": "MemTotal: 3884444 kB\nMemAvailable: 3100000 kB\nCmaTotal: 524288 kB\nCmaFree: 500000 kB\n",
        "dev/watchdog0": "",
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    }

    def make(
        camera=None, told: dict | None = None, written: dict | None = None, **changes
    ) -> Patient:
        for name, text in (files | (written or {})).items():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                place.write_text(text)
            else:
                place.unlink(missing_ok=True)
        known = answers | (told or {})
        settings = config.load(path).model_copy(update=changes)

        def ask(words: list[str]) -> str | None:
            return next((answer for part, answer in known.items() if part in " ".join(words)), None)

        return Patient(
            path,
            settings,
            camera
            or (lambda: (_ for _ in ()).throw(CameraError("no camera: gone; check its cable"))),
            root,
            ask,
        )

    return make


def ended(result: str) -> str:
    """What systemd writes into the journal when the service fails."""
    return f"coinsorter.service: Failed with result 'oom-kill'.\ncoinsorter.service: Failed with result '{result}'.\n"


def found(patient: Patient, part: str) -> Finding:
    return doctor_checks.examined(
        patient, part, (doctor_checks.BY_THEMSELVES | doctor_checks.HARDWARE)[part]
    )


@pytest.mark.parametrize(
    "part, written, told, state, words",
    [
        ("temperature", {}, {}, OK, "48 degrees"),
        (
            "temperature",
            {"sys/class/thermal/thermal_zone0/temp": "75000"},
            {},
            WARNING,
            "75 degrees",
        ),
        ("temperature", {"sys/class/thermal/thermal_zone0/temp": "80000"}, {}, FAULT, "80 degrees"),
        ("temperature", {"sys/class/thermal/thermal_zone0/temp": None}, {}, WARNING, "tells none"),
        ("supply", {}, {}, OK, "no under-voltage"),
        (
            "supply",
            {"sys/devices/platform/soc/soc:firmware/get_throttled": "50005"},
            {},
            FAULT,
            "under-voltage now",
        ),
        (
            "supply",
            {"sys/devices/platform/soc/soc:firmware/get_throttled": "50000"},
            {},
            WARNING,
            "since it was switched on",
        ),
        (
            "supply",
            {"sys/devices/platform/soc/soc:firmware/get_throttled": None},
            {"get_throttled": "throttled=0x50000"},
            WARNING,
            "since it was",
        ),
        (
            "supply",
            {"sys/devices/platform/soc/soc:firmware/get_throttled": None},
            {},
            WARNING,
            "does not tell",
        ),
        ("memory", {}, {}, OK, "3027 MB free"),
        ("memory", {"proc/meminfo": "MemAvailable: 100000 kB\n"}, {}, FAULT, "98 MB free"),
        (
            "memory",
            {"proc/meminfo": "MemAvailable: 900000 kB\nCmaTotal: 65536 kB\nCmaFree: 10000 kB\n"},
            {},
            FAULT,
            "contiguous memory",
        ),
        (
            "memory",
            {"proc/meminfo": "MemAvailable: 900000 kB\nCmaTotal: 0 kB\nCmaFree: 0 kB\n"},
            {},
            OK,
            "879 MB free",
        ),
        ("watchdog", {}, {}, OK, "15s"),
        ("watchdog", {}, {"RuntimeWatchdogUSec": "0"}, WARNING, "not in use"),
        ("watchdog", {"dev/watchdog0": None}, {}, WARNING, "no hardware watchdog"),
        ("clock", {}, {}, OK, "synchronised"),
        ("clock", {}, {"NTPSynchronized": "no"}, WARNING, "not synchronised"),
        ("service", {}, {}, OK, "inactive: dead"),
        (
            "service",
            {},
            {
                SHOWN: "ActiveState=active\nSubState=running\nNRestarts=0\nStatusText=sorting; 7 things seen"
            },
            OK,
            "active: sorting; 7",
        ),
        (
            "service",
            {},
            {SHOWN: "ActiveState=active\nNRestarts=0\nStatusText=fault: bin a: GPIO 5 is gone"},
            FAULT,
            "active: fault: bin a: GPIO 5",
        ),
        (
            "service",
            {},
            {SHOWN: "ActiveState=failed\nNRestarts=5", "Failed with": ended("exit-code")},
            FAULT,
            "failed: it gave up",
        ),
        (
            "service",
            {},
            {SHOWN: "ActiveState=failed\nNRestarts=5", "Failed with": ""},
            FAULT,
            "may not read",
        ),
        (
            "service",
            {},
            {SHOWN: "ActiveState=active\nNRestarts=3", "Failed with": ended("watchdog")},
            WARNING,
            "again 3 times, the last time since the watchdog",
        ),
        (
            "service",
            {},
            {SHOWN: "ActiveState=active\nNRestarts=1", "Failed with": ended("signal")},
            WARNING,
            "since it was killed",
        ),
        ("service", {}, {SHOWN: None}, WARNING, "does not answer"),
        ("versions", {}, {}, OK, "Raspberry Pi 4 Model B Rev 1.4; Python 3."),
    ],
)
def test_each_fault_is_found_by_name(patient, part, written, told, state, words):
    finding = found(patient(written=written, told=told), part)
    assert finding.state == state and words in finding.what
    assert bool(finding.remedy) == (state != OK) or "tell" in finding.what


def test_a_camera_that_is_gone_is_named_with_its_remedy(patient):
    assert found(patient(), "camera") == Finding(
        "camera", FAULT, "no camera: gone", "check its cable"
    )


def test_the_camera_is_left_to_the_running_service(patient):
    finding = found(patient(told={"is-active": "active"}), "camera")
    assert finding.state == OK and "in use by the running service" in finding.what


@pytest.mark.parametrize(
    "holders, running, state, words",
    [
        ({}, False, OK, "gpiochip4, 8 pins in use"),
        ({5: "lg", 17: "led"}, False, FAULT, "GPIO 5 (bins[0].flap.pin) by lg"),
        ({17: "led"}, False, OK, "8 pins in use"),
        ({5: "lg"}, True, OK, "8 pins in use"),
    ],
)
def test_pins_that_another_program_holds_are_named(
    patient, monkeypatch, holders, running, state, words
):
    monkeypatch.setattr(gpio_chip, "find", lambda: 4)
    monkeypatch.setattr(gpio_chip, "holders", lambda number: holders)
    finding = found(patient(told={"is-active": "active" if running else "inactive"}), "gpio")
    assert finding.state == state and words in finding.what


def test_a_chip_that_is_absent_is_named(patient, monkeypatch):
    def absent():
        raise FlapError(
            "no GPIO chip of a Raspberry Pi (pinctrl-rp1); found: none; add the user to the group gpio"
        )

    monkeypatch.setattr(gpio_chip, "find", absent)
    assert found(patient(), "gpio") == Finding(
        "gpio",
        FAULT,
        "no GPIO chip of a Raspberry Pi (pinctrl-rp1); found: none",
        "add the user to the group gpio",
    )


@pytest.mark.parametrize(
    "driver, state, words",
    [
        ("gpio", OK, "pulses by gpio"),
        ("mock", WARNING, "no flap moves"),
        ("hardware-pwm", FAULT, "no hardware PWM"),
        ("pca9685", FAULT, "no I2C bus"),
    ],
)
def test_what_makes_the_pulses_is_there(patient, driver, state, words):
    sound = patient()
    servo = sound.settings.servo.model_copy(update={"driver": driver})
    finding = found(patient(servo=servo), "servos")
    assert finding.state == state and words in finding.what


def test_a_package_that_the_servos_driver_lacks_is_named(patient, monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: ['never-made>=1; extra == "pca9685"'])
    assert found(patient(), "packages") == Finding(
        "packages", OK, "all that servo.driver gpio needs"
    )
    board = patient(servo=patient().settings.servo.model_copy(update={"driver": "pca9685"}))
    assert found(board, "packages") == Finding(
        "packages",
        FAULT,
        "servo.driver pca9685 lacks never-made>=1",
        "run `sudo make install` again, which adds it",
    )


def test_a_ledger_that_is_no_database_is_a_fault(patient, tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "ledger.db").write_bytes(b"no database at all" * 100)
    finding = found(patient(), "ledger")
    assert finding.state == FAULT and "not a database" in finding.what


def test_a_sound_ledger_and_one_that_is_yet_to_be_made_are_fine(patient, tmp_path):
    assert found(patient(), "ledger").state == OK
    (tmp_path / "var").mkdir()
    with sqlite3.connect(tmp_path / "var" / "ledger.db") as connection:
        connection.execute("CREATE TABLE coins (id INTEGER)")
    assert found(patient(), "ledger").state == OK


def test_a_full_disk_is_a_fault(patient, monkeypatch):
    monkeypatch.setattr(doctor_checks, "FEWEST_MB", 1e12)
    finding = found(patient(), "ledger")
    assert finding.state == FAULT and "MB free where" in finding.what


def test_mistakes_in_the_settings_are_counted_and_the_first_is_said(patient, tmp_path):
    whole = patient()
    (tmp_path / "config.yaml").write_text(
        (tmp_path / "config.yaml")
        .read_text()
        .replace("pin: 6", "pin: 99")
        .replace("threads: 1 ", "threads: 99 ")
    )
    finding = found(whole, "settings")
    assert (
        finding.state == FAULT
        and finding.what.startswith("2 mistakes, the first: ")
        and "99 is above 27" in finding.what
    )


def test_a_machine_without_settings_is_examined_all_the_same(tmp_path):
    patient = doctor_checks.admitted(tmp_path / "none.yaml", lambda settings: None)
    parts = {finding.part: finding.state for finding in doctor_checks.examine(patient)}
    assert (
        parts["settings"] == FAULT
        and parts["versions"] == OK
        and "camera" not in parts
        and "models" not in parts
    )
