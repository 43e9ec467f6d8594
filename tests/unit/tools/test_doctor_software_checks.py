"""What doctor says of settings, models, packages, service and versions."""

import shutil
from importlib import metadata

import pytest

from coinsorter.errors import BundleError
from coinsorter.tools.doctor_probe import FAULT, OK, WARNING, Observation
from coinsorter.tools.doctor_software_checks import (
    check_models,
    check_packages,
    check_service,
    check_settings,
    check_versions,
)
from tests.conftest import CROWNS
from tests.unit.recognition.sealed import read_facts, write_sealed
from tests.unit.tools.conftest import SERVICE_STATE


def journal(result: str) -> str:
    """The lines that systemd writes into the journal when the service fails, the last one last."""
    line = "coinsorter.service: Failed with result '{}'.\n"
    return line.format("oom-kill") + line.format(result)


@pytest.mark.parametrize(
    "state_answer, journal_answer, state, words",
    [
        ("ActiveState=inactive\nSubState=dead\nNRestarts=0", None, OK, "inactive: dead"),
        (
            "ActiveState=active\nSubState=running\nNRestarts=0\nStatusText=sorting; 7 things seen",
            None,
            OK,
            "active: sorting; 7",
        ),
        (
            "ActiveState=active\nNRestarts=0\nStatusText=fault: bin a: GPIO 5 is gone",
            None,
            FAULT,
            "active: fault: bin a: GPIO 5",
        ),
        ("ActiveState=failed\nNRestarts=5", journal("exit-code"), FAULT, "failed: it gave up"),
        ("ActiveState=failed\nNRestarts=5", journal("odd"), FAULT, "failed: odd"),
        ("ActiveState=failed\nNRestarts=5", "", FAULT, "may not read"),
        (
            "ActiveState=active\nNRestarts=3",
            journal("watchdog"),
            WARNING,
            "again 3 times, the last time since the watchdog",
        ),
        ("ActiveState=active\nNRestarts=1", journal("signal"), WARNING, "since it was killed"),
        (None, None, WARNING, "does not answer"),
    ],
)
def test_the_service_is_what_systemd_and_the_journal_say(
    make_probe, state_answer, journal_answer, state, words
):
    answers = {SERVICE_STATE: state_answer, "Failed with": journal_answer}
    observation = check_service(make_probe(answers=answers))
    assert observation.state == state and words in observation.what
    assert bool(observation.remedy) == (state != OK)


def test_sound_settings_are_named(make_probe):
    probe = make_probe()
    assert check_settings(probe) == Observation(OK, str(probe.config_path))


def test_mistakes_in_the_settings_are_counted_and_the_first_is_named(make_probe):
    probe = make_probe()
    text = probe.config_path.read_text().replace("pin: 6", "pin: 99")
    probe.config_path.write_text(text.replace("threads: 1 ", "threads: 99 "))
    observation = check_settings(probe)
    assert observation.state == FAULT and "99 is above 27" in observation.what
    assert observation.what.startswith("2 mistakes, the first: ")


def test_models_that_answer_their_golden_crops_are_fine(make_probe):
    observation = check_models(make_probe())
    assert observation.state == OK and "golden crops answered on" in observation.what


def test_a_bundle_that_is_absent_is_an_error_of_the_bundle(make_probe):
    runtime = make_probe().settings.runtime.model_copy(update={"bundle": "none"})
    with pytest.raises(BundleError, match="no such bundle"):
        check_models(make_probe(runtime=runtime))


def test_a_label_without_thresholds_of_its_own_is_a_warning(make_probe, tmp_path):
    folder = shutil.copytree(CROWNS, tmp_path / "crowns")
    facts = read_facts(folder)
    name = facts["labels"][0]["name"]
    facts["limits"][name]["n"] = 0
    write_sealed(folder, facts)
    runtime = make_probe().settings.runtime.model_copy(update={"bundle": str(folder)})
    observation = check_models(make_probe(runtime=runtime))
    assert observation.state == WARNING and observation.what.endswith(f"held-out coin set: {name}")


def test_a_label_that_the_bundle_does_not_have_is_a_fault(make_probe):
    probe = make_probe()
    text = probe.config_path.read_text().replace("labels: [crown_1]", "labels: [gold]")
    probe.config_path.write_text(text)
    observation = check_models(probe)
    assert observation.state == FAULT and "gold" in observation.what


def test_a_package_that_the_servos_driver_lacks_is_named(make_probe, monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: ['never-made>=1; extra == "pca9685"'])
    sound = make_probe()
    assert check_packages(sound) == Observation(OK, "all that servo.driver gpio needs")
    servo = sound.settings.servo.model_copy(update={"driver": "pca9685"})
    assert check_packages(make_probe(servo=servo)) == Observation(
        FAULT,
        "servo.driver pca9685 lacks never-made>=1",
        "run `sudo make install` again, which adds it",
    )


def test_versions_name_the_computer_python_and_only_packages_that_are_there(make_probe):
    observation = check_versions(make_probe())
    assert observation.state == OK
    assert observation.what.startswith("Raspberry Pi 4 Model B Rev 1.4; Python 3.")
    assert "numpy " in observation.what and "None" not in observation.what


def test_another_computer_is_said_to_be_no_raspberry_pi(make_probe):
    probe = make_probe(files={"proc/device-tree/model": None})
    assert check_versions(probe).what.startswith("no Raspberry Pi; ")
