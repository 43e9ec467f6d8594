"""What signals ask of a machine that sorts, and the end that it comes to in time whatever hangs."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable

from coinsorter.command_line import SIGNAL_STATUS, StopSignal

log = logging.getLogger(__name__)

#: Seconds after SIGTERM in which the machine may bring its flaps to rest by itself; where it does
#: not they are closed by force, which takes some 0.2 s, so that it is safe within 2 s.
SAFE_S = 1.5
#: Seconds that it has after that to complete its ledger; systemd kills it after 10 s in all.
COMPLETE_S = 6.5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalRequests:
    """SIGTERM and SIGINT to stop, SIGHUP to read config.yaml again.

    A signal interrupts nothing: the machine's loop looks here between two frames, and its start
    between two steps. Where a camera, a disk or a library hangs, a thread makes the flaps safe
    after `SAFE_S` and ends the process. It hears of the signal by a socket that Python's own
    handler writes to at once, even while the main thread is in a library (signal.set_wakeup_fd).
    stop: whether the machine is to stop. was_forced: whether its flaps were closed by force.
    """

    def __init__(self) -> None:
        self.stop = False
        self.was_forced = False
        self._complete_s = 0.0
        self._reload = False
        self._number = signal.SIGTERM
        self._make_safe: Callable[[], None] = _do_nothing
        self._done = threading.Event()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        for number in STOP_SIGNALS:
            signal.signal(number, self._request_stop)
        signal.signal(signal.SIGHUP, self._request_reload)

    def call_at_the_end(self, make_safe: Callable[[], None]) -> None:
        """Takes what brings the flaps to rest, for a machine that does not end by itself."""
        self._make_safe = make_safe

    def expect_rows(self) -> None:
        """From now on the ledger has rows to complete at the end, and `COMPLETE_S` to do so."""
        self._complete_s = COMPLETE_S

    def check(self) -> None:
        """Raises StopSignal where a signal has asked to stop."""
        if self.stop:
            raise StopSignal(self._number)

    def take_reload(self) -> bool:
        """Whether SIGHUP came since the last call."""
        wanted, self._reload = self._reload, False
        return wanted

    def close(self) -> None:
        """Ends the thread: the machine has come to its end. Signals do nothing from now on."""
        self._done.set()
        signal.set_wakeup_fd(-1)
        self._writer.close()

    def _request_stop(self, number: int, _: object) -> None:
        self._number = signal.Signals(number)
        self.stop = True

    def _request_reload(self, *_: object) -> None:
        self._reload = True

    def _watch(self) -> None:
        with self._reader:
            while number := self._reader.recv(1):
                if number[0] in STOP_SIGNALS:
                    self._request_stop(number[0], None)
                    self._end_in_time()
                    return

    def _end_in_time(self) -> None:
        if self._done.wait(SAFE_S):
            return
        log.warning("not at its end %.1f s after the signal: its flaps are closed", SAFE_S)
        self.was_forced = True
        try:
            self._make_safe()
        finally:
            if not self._done.wait(self._complete_s):
                os._exit(SIGNAL_STATUS + self._number)


def _do_nothing() -> None:
    """No flap has been touched yet."""
