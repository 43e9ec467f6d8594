"""Signals are requests, and a machine that hangs comes to its end all the same."""

import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import closing

import pytest

from coinsorter.command_line import StopSignal
from coinsorter.tools import signal_requests
from coinsorter.tools.signal_requests import SignalRequests
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "number, requests",
    [
        (signal.SIGTERM, (True, False)),
        (signal.SIGINT, (True, False)),
        (signal.SIGHUP, (False, True)),
    ],
)
def test_a_signal_is_a_request(number, requests):
    with closing(SignalRequests()) as signals:
        assert (signals.stop, signals.take_reload()) == (False, False)
        signals.check()
        signal.raise_signal(number)
        assert (signals.stop, signals.take_reload()) == requests
        assert not signals.take_reload()


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_between_two_steps_of_the_start_a_signal_ends_it(number, status):
    with closing(SignalRequests()) as signals:
        signal.raise_signal(number)
        with pytest.raises(StopSignal) as stop:
            signals.check()
    assert stop.value.status == status


HANG = """
    import sys, time
    from coinsorter.tools.signal_requests import SignalRequests
    signals = SignalRequests()
    signals.call_at_the_end(lambda: print("at rest", flush=True))
    print("hangs", flush=True)
    while True:
        time.sleep(60)
"""


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_machine_that_hangs_is_made_safe_and_ended(number, status):
    words = [sys.executable, "-c", textwrap.dedent(HANG)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "at rest\n")
    assert "Traceback" not in err and "not at its end" in err


def test_a_machine_that_goes_on_after_its_flaps_were_closed_may_complete_its_ledger(monkeypatch):
    monkeypatch.setattr(signal_requests, "SAFE_S", 0.0)
    closed = threading.Event()
    with closing(SignalRequests()) as signals:
        signals.call_at_the_end(closed.set)
        signals.expect_rows()
        signal.raise_signal(signal.SIGTERM)
        assert closed.wait(30) and signals.was_forced and signals.stop


def test_a_machine_that_ends_by_itself_is_left_alone():
    with closing(SignalRequests()) as signals:
        ended = []
        signals.call_at_the_end(lambda: ended.append("forced"))
        signal.raise_signal(signal.SIGTERM)
    assert ended == []
