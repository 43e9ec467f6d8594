"""What systemd is told: that the machine is ready, that frames still come, and what it does; nothing where nobody asks.

The protocol is sd_notify(3): with $NOTIFY_SOCKET set, somebody asks.
"""

import os
import time
from collections.abc import Callable

from coinsorter.errors import ServiceError

# Told so often, of systemd's own interval: it restarts the machine when it has heard nothing for a whole one (sd_watchdog_enabled(3)).
PINGS = 4
STATUS_S = 5.0


class SystemdNotifier:
    """Tells systemd, or nobody. notify: sends a message; now_s: seconds on a monotonic clock; interval_s: of the watchdog, None without."""

    def __init__(
        self,
        notify: Callable[[str], object],
        now_s: Callable[[], float] = time.monotonic,
        interval_s: float | None = None,
    ) -> None:
        self._notify, self._now_s, self._interval_s = notify, now_s, interval_s
        self._pinged_s = self._told_s = self._beat_s = float("-inf")

    def report_ready(self, status: str) -> None:
        """The machine sorts from now on."""
        self._notify(f"READY=1\nSTATUS={status}")
        self._pinged_s = self._told_s = self._now_s()

    def report_alive(self, beat_s: float, status: Callable[[], str]) -> None:
        """The machine's loop goes round. beat_s: when the last frame came; the watchdog hears of new ones only. As often as you like."""
        now_s = self._now_s()
        if (
            self._interval_s
            and beat_s > self._beat_s
            and now_s >= self._pinged_s + self._interval_s / PINGS
        ):
            self._pinged_s, self._beat_s = now_s, beat_s
            self._notify("WATCHDOG=1")
        if now_s >= self._told_s + STATUS_S:
            self._told_s = now_s
            self._notify(f"STATUS={status()}")

    def report_reloading(self) -> None:
        """The settings are being read anew; `ready` ends it."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def report_stopping(self, why: str) -> None:
        """The machine parks its flaps and ends."""
        self._notify(f"STOPPING=1\nSTATUS={why}")


def connect_systemd() -> SystemdNotifier:
    """systemd's if it started this program and asked to be told, else nobody's. Raises ServiceError where it cannot be told."""
    if not os.environ.get("NOTIFY_SOCKET"):
        return SystemdNotifier(lambda message: None)
    try:
        from systemd import daemon
    except ImportError as error:
        how = "install it with `sudo apt install python3-systemd`"
        raise ServiceError(
            f"systemd asks to be told when the machine is ready, but python3-systemd is not there; {how}"
        ) from error
    return SystemdNotifier(daemon.notify, interval_s=_interval_s())


def _interval_s() -> float | None:
    """The watchdog's, if it is this process that is watched."""
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return (
        int(os.environ["WATCHDOG_USEC"]) / 1e6
        if watched and os.environ.get("WATCHDOG_USEC")
        else None
    )
