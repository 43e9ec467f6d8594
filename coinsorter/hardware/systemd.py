"""What systemd hears: that the machine is ready, that frames still come, and what it does.

The protocol is sd_notify(3): systemd listens where $NOTIFY_SOCKET is set.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from functools import partial

log = logging.getLogger(__name__)

#: Pings in each of the watchdog's intervals; systemd restarts a service that has sent none for a
#: whole one, and asks for two at least (sd_watchdog_enabled(3)).
PINGS = 4
#: Seconds between two lines of status.
STATUS_S = 5.0


class SystemdNotifier:
    """Sends systemd the messages of a service.

    Where the messages cannot be sent the machine sorts on, and the log says so once.
    notify: sends a message; raises OSError where it cannot. now_s: seconds on a monotonic clock.
    interval_s: the watchdog's, seconds; None without a watchdog.
    """

    def __init__(
        self,
        notify: Callable[[str], object],
        now_s: Callable[[], float] = time.monotonic,
        interval_s: float | None = None,
    ) -> None:
        self._send = notify
        self._is_heard = True
        self._now_s = now_s
        self._interval_s = interval_s
        self._pinged_s = float("-inf")
        self._status_s = float("-inf")
        self._beat_s = float("-inf")

    def report_ready(self, status: str) -> None:
        """The machine sorts from now on."""
        self._notify(f"READY=1\nSTATUS={_make_line(status)}")
        self._pinged_s = self._status_s = self._now_s()

    def report_alive(self, beat_s: float, status: Callable[[], str]) -> None:
        """The machine's loop goes round; it may be called as often as you like.

        beat_s: when the last frame came; the watchdog is pinged for new frames only.
        status: says in one line what the machine does.
        """
        now_s = self._now_s()
        if self._is_ping_due(now_s) and beat_s > self._beat_s:
            self._pinged_s = now_s
            self._beat_s = beat_s
            self._notify("WATCHDOG=1")
        if now_s >= self._status_s + STATUS_S:
            self._status_s = now_s
            self._notify(f"STATUS={_make_line(status())}")

    def report_reloading(self) -> None:
        """The settings are being read again; `report_ready` ends it."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def report_stopping(self, why: str) -> None:
        """The machine parks its flaps and ends."""
        self._notify(f"STOPPING=1\nSTATUS={_make_line(why)}")

    def _notify(self, message: str) -> None:
        try:
            self._send(message)
        except OSError as error:
            if self._is_heard:
                log.warning("systemd does not hear this service: %s; it sorts on", error)
            self._is_heard = False
        else:
            self._is_heard = True

    def _is_ping_due(self, now_s: float) -> bool:
        if not self._interval_s:
            return False
        return now_s >= self._pinged_s + self._interval_s / PINGS


def connect_systemd() -> SystemdNotifier:
    """Messages to systemd if it started this program and listens; else they go nowhere."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return SystemdNotifier(_ignore)
    if address.startswith("@"):  # a name in the kernel, not in a folder
        address = "\0" + address[1:]
    return SystemdNotifier(partial(_send, address), interval_s=_read_interval_s())


def _send(address: str, message: str) -> None:
    """Sends a message at once or raises OSError: the machine does not wait for systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        own.sendto(message.encode(), address)


def _make_line(text: str) -> str:
    """A text without ends of lines, each of which would begin another message."""
    return " ".join(text.split())


def _ignore(message: str) -> None:
    pass


def _read_interval_s() -> float | None:
    """The watchdog's interval, seconds, if it watches this process."""
    own_pid = str(os.getpid())
    if os.environ.get("WATCHDOG_PID", own_pid) != own_pid:
        return None
    interval_us = os.environ.get("WATCHDOG_USEC", "")
    return int(interval_us) / 1e6 if interval_us.isdecimal() else None
