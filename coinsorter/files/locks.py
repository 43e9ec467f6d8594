"""Locks that the kernel holds, and lets go of when their process ends, however it ends.

A lock is a range of bytes of a file or a device node, locked for one open file description
(fcntl(2), F_OFD_SETLK). Unlike flock, two processes may hold different slots of one file; unlike
POSIX locks it is not lost when another part of the program closes the same file, as SQLite and
lgpio do. The range's length says which process holds it and what for, so that whoever is refused
can name it, without a file that would outlive the process.
"""

import errno
import fcntl
import os
import struct
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

#: What a process holds a machine for, in the words of "the machine is ...".
SORTING = "sorting"
SIMULATING = "simulated"
PARKING = "parking its flaps"
JOGGING = "moving a flap by hand"
CALIBRATING = "being calibrated"
CAPTURING = "taking frames"
CHANGING = "having its ledger changed"
#: By their numbers in a lock.
PURPOSES = (SORTING, SIMULATING, PARKING, JOGGING, CALIBRATING, CAPTURING, CHANGING)

#: The slot of a ledger's writer, on the ledger's own file.
LEDGER_SLOT = 1

#: Bits for the purpose in a range's length; above them is the process's number, of 22 bits.
_PURPOSE_BITS = 4
#: A slot's bytes: more than any length takes. SQLite's own locks are below 2 GiB, in slot 0.
_SLOT_BYTES = 2**32
#: struct flock of fcntl(2): kind, whence, start, length, process; padded to a multiple of 8.
_FLOCK = struct.Struct("@hhqqi0q")


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    since: when it was started, local time; None where the system does not say.
    """

    pid: int
    purpose: str
    since: datetime | None


class LockHeldError(Exception):
    """Another open file description holds the lock; `holder` says whose."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(describe_holder(holder))
        self.holder = holder


class FileLock:
    """A slot of an open file, locked until `close` or the process's end."""

    _descriptor: int | None = None

    def __init__(self, path: Path, slot: int, purpose: str, flags: int = 0) -> None:
        """Opens the file and locks the slot at once.

        slot: a number from 1 up. flags: of os.open, besides those that are needed. Raises
        LockHeldError, and OSError where the file cannot be opened for writing or locked.
        """
        wanted = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        self._descriptor = os.open(path, wanted | flags, 0o644)
        try:
            _lock_slot(self._descriptor, slot, purpose)
        except (OSError, LockHeldError):
            self.close()
            raise

    def is_at(self, path: Path) -> bool:
        """Whether the locked file is still the one of that name. Raises OSError."""
        return self._descriptor is not None and os.path.samestat(
            os.fstat(self._descriptor), path.stat()
        )

    def close(self) -> None:
        """Lets go of the lock; safe to call twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def find_holder(path: Path, slot: int) -> Holder | None:
    """Who holds a slot of a file that may be read; None where it is free. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return _find_holder(descriptor, slot)
    finally:
        os.close(descriptor)


def describe_holder(holder: Holder | None) -> str:
    """What the machine is doing, and for whom; with what to do about it."""
    if holder is None:
        return "the machine is in use by another process; try again"
    since = f", since {holder.since:%Y-%m-%d %H:%M:%S}" if holder.since else ""
    what = f"the machine is {holder.purpose} (process {holder.pid}{since})"
    if holder.purpose == SORTING:
        return f"{what}; stop it with `sudo systemctl stop coinsorter` first"
    return f"{what}; wait until that is done, or end it with `kill {holder.pid}`"


def _lock_slot(descriptor: int, slot: int, purpose: str) -> None:
    length = 1 + (os.getpid() << _PURPOSE_BITS | PURPOSES.index(purpose))
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, slot * _SLOT_BYTES, length, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise LockHeldError(_find_holder(descriptor, slot)) from None


def _find_holder(descriptor: int, slot: int) -> Holder | None:
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, slot * _SLOT_BYTES, 1, 0)
    lock = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, wanted)
    kind, _, _, length, _ = _FLOCK.unpack(lock)
    if kind == fcntl.F_UNLCK:
        return None
    pid, number = divmod(length - 1, 2**_PURPOSE_BITS)
    purpose = PURPOSES[number] if number < len(PURPOSES) else "in use"
    return Holder(pid, purpose, _read_start(pid))


def _read_start(pid: int) -> datetime | None:
    """When a process was started, by /proc (proc(5): field 22 of stat, in clock ticks)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        ticks = int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(time.time() - age_s).astimezone()
