"""What doctor's probe reads of a computer's files, programs and settings."""

import sys

import pytest

from coinsorter.errors import ConfigError
from coinsorter.tools.doctor_probe import Probe, load_probe, run_program
from tests.conftest import CONFIG


def test_a_file_is_read_without_the_zeros_and_line_ends_around_it(make_probe):
    assert make_probe().read_file("/proc/device-tree/model") == "Raspberry Pi 4 Model B Rev 1.4"


@pytest.mark.parametrize("name", ["none", "dev", "binary"])
def test_a_file_that_cannot_be_read_is_none(make_probe, name):
    probe = make_probe()
    (probe.root / "binary").write_bytes(b"\xff\xfe\x80")
    assert probe.read_file(f"/{name}") is None


def test_devices_are_listed_by_pattern(make_probe):
    probe = make_probe(files={"dev/video1": "", "dev/video0": "", "dev/gpiochip0": ""})
    names = [path.name for path in probe.find_devices("video*", "watchdog*")]
    assert names == ["video0", "video1", "watchdog0"]


@pytest.mark.parametrize(
    "answer, expected", [("active", True), ("inactive", False), ("activating", False)]
)
def test_the_service_is_active_only_if_systemd_says_exactly_that(make_probe, answer, expected):
    assert make_probe(answers={"is-active": answer}).is_service_active() is expected


def test_a_program_is_run_and_its_output_returned():
    assert run_program([sys.executable, "-c", "print(' 7 ')"]) == "7"


def test_a_program_that_is_not_installed_answers_nothing():
    assert run_program(["no-such-program-of-coinsorter"]) is None


def test_settings_that_cannot_be_loaded_are_none_and_refused(tmp_path):
    probe = load_probe(tmp_path / "none.yaml", lambda settings: None)
    assert probe.config is None
    with pytest.raises(ConfigError, match="run `coinsorter check`"):
        _ = probe.settings


def test_the_camera_is_opened_with_the_settings_that_were_loaded():
    probe: Probe = load_probe(CONFIG, lambda settings: settings.camera.width_px)
    assert probe.open_camera() == 640
