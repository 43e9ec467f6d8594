"""Signals at several instants of the service's life; `python -m benchmarks.starts` tries more."""

import signal

import pytest

from benchmarks.starts import HANGS_S, kill_machine, stop_machine


@pytest.fixture
def config_path(tmp_path, without_hardware):
    path = tmp_path / "config.yaml"
    path.write_text(without_hardware)
    return path


@pytest.mark.parametrize(
    "number, after_s",
    [
        (signal.SIGTERM, 0.1),
        (signal.SIGINT, 0.3),
        (signal.SIGTERM, 0.6),
        (signal.SIGINT, 1.0),
        (signal.SIGTERM, 2.0),
    ],
)
def test_a_signal_ends_the_machine_whenever_it_comes(config_path, number, after_s):
    ending = stop_machine(config_path, number, after_s)
    assert ending.is_right, (ending.status, ending.log)
    assert ending.took_s < HANGS_S


def test_after_kill_9_the_flaps_are_at_rest_before_anything_slow(config_path):
    assert kill_machine(config_path, 1.0) < HANGS_S
