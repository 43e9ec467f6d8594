"""What `doctor` says of the computer: ledger and disk, watchdog, clock, heat, supply and memory."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from coinsorter.tools.doctor_probe import (
    Observation,
    Probe,
    report_fault,
    report_ok,
    report_warning,
)
from coinsorter.tools.status import read_temperature_c

#: Free disk space, megabytes: rows are small, but SQLite's log and the journal share it.
MIN_DISK_MB = 500
#: Free memory besides what runs, megabytes: the machine itself takes some 170.
MIN_MEMORY_MB = 150
#: Free contiguous memory, megabytes: four 640x480 frames and libcamera's own.
MIN_CMA_MB = 24
#: Degrees Celsius from which a fan is worth its money.
WARM_C = 75.0
#: Degrees Celsius at which a Pi slows down (Raspberry Pi documentation, "Frequency management and
#: thermal control").
HOT_C = 80.0
# Bits of the firmware's word on its supply (Raspberry Pi documentation, "vcgencmd get_throttled").
UNDER_VOLTAGE_NOW = 1 << 0
UNDER_VOLTAGE_SINCE_BOOT = 1 << 16


def check_ledger(probe: Probe) -> Observation:
    """Whether the ledger's file is sound, its folder can be written, and there is room."""
    path = probe.config_path.parent / probe.settings.ledger.path
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free_mb = shutil.disk_usage(folder).free / 1e6
    damage = _find_damage(path) if path.exists() else ""
    if damage:
        return report_fault(
            f"{path}: {damage}",
            f"copy {path} away, then delete it; a new one is begun at the next start",
        )
    if not os.access(folder, os.W_OK):
        return report_fault(
            f"{folder} cannot be written by this user",
            "run this as the user of the service: sudo -u coinsorter coinsorter doctor",
        )
    if free_mb < MIN_DISK_MB:
        return report_fault(
            f"{free_mb:.0f} MB free where {path} is",
            "free some space: `journalctl --vacuum-size=50M`, old exports",
        )
    return report_ok(f"{path}: {free_mb / 1000:.1f} GB free")


def _find_damage(path: Path) -> str:
    """What SQLite finds wrong with a file; "" where it is sound."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if answer == "ok" else str(answer)


def check_watchdog(probe: Probe) -> Observation:
    """Whether the hardware watchdog is there, and systemd uses it."""
    if not probe.find_devices("watchdog*"):
        return report_warning(
            "no hardware watchdog: a hanging kernel is not restarted",
            "run `sudo make install`, or put firmware/coinsorter.txt into "
            "/boot/firmware/config.txt",
        )
    interval = probe.run(["systemctl", "show", "--property=RuntimeWatchdogUSec", "--value"])
    if interval in (None, "", "0", "infinity"):
        return report_warning(
            "the hardware watchdog is not in use",
            "install systemd/coinsorter-watchdog.conf, then start again",
        )
    return report_ok(f"hardware watchdog, {interval}")


def check_clock(probe: Probe) -> Observation:
    """Whether the wall clock is synchronised; it only dates rows, which are ordered by id."""
    now = time.strftime("%Y-%m-%d %H:%M")
    synchronised = probe.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if synchronised == "yes":
        return report_ok(f"{now}, synchronised")
    return report_warning(
        f"{now}, not synchronised: dates in the ledger may be wrong",
        "connect the network once, or fit a clock battery",
    )


def check_temperature(probe: Probe) -> Observation:
    """The processor's temperature."""
    celsius = read_temperature_c(probe.root)
    if celsius is None:
        return report_warning("this computer does not report its temperature")
    what = f"{celsius:.0f} degrees"
    remedy = "fit a fan or a heat sink: at 80 degrees it slows down and coins are late"
    if celsius >= HOT_C:
        return report_fault(what, remedy)
    if celsius >= WARM_C:
        return report_warning(what, remedy)
    return report_ok(what)


def check_supply(probe: Probe) -> Observation:
    """Under-voltage, as the firmware has seen it."""
    bits = _read_throttled_bits(probe)
    if bits is None:
        return report_warning("this computer does not report its voltage")
    remedy = "use the official supply and a short cable; feed the servos from a supply of their own"
    if bits & UNDER_VOLTAGE_NOW:
        return report_fault("under-voltage now", remedy)
    if bits & UNDER_VOLTAGE_SINCE_BOOT:
        return report_warning("there was under-voltage since it was switched on", remedy)
    return report_ok("no under-voltage since it was switched on")


def _read_throttled_bits(probe: Probe) -> int | None:
    """The kernel's file has a hexadecimal number; vcgencmd prints `throttled=0x0`."""
    text = probe.read_file("/sys/devices/platform/soc/soc:firmware/get_throttled")
    if not text:
        output = probe.run(["vcgencmd", "get_throttled"]) or ""
        text = output.rpartition("=")[2]
    try:
        return int(text, 16)
    except ValueError:
        return None


def check_memory(probe: Probe) -> Observation:
    """Whether there is memory for the machine, and contiguous memory for the camera."""
    memory_mb = _read_memory_mb(probe)
    free_mb = memory_mb.get("MemAvailable")
    if free_mb is None:
        return report_warning("this computer does not report its memory")
    if free_mb < MIN_MEMORY_MB:
        return report_fault(
            f"{free_mb:.0f} MB free", "stop what else runs here: `ps aux --sort=-rss | head`"
        )
    if _lacks_contiguous_memory(memory_mb) and not probe.is_service_active():
        return report_fault(
            f"{memory_mb['CmaFree']:.0f} MB of contiguous memory free: too little for a camera",
            "see firmware/cmdline.md, then start again",
        )
    return report_ok(f"{free_mb:.0f} MB free")


def _lacks_contiguous_memory(memory_mb: dict[str, float]) -> bool:
    """Not where the kernel has none at all: such a computer does not need it for its camera."""
    if not memory_mb.get("CmaTotal"):
        return False
    return memory_mb["CmaFree"] < MIN_CMA_MB


def _read_memory_mb(probe: Probe) -> dict[str, float]:
    """The numbers of /proc/meminfo, which are kilobytes there, in megabytes."""
    memory_mb = {}
    for line in (probe.read_file("/proc/meminfo") or "").splitlines():
        name, _, size = line.partition(":")
        if size.strip():
            memory_mb[name] = int(size.split()[0]) / 1024
    return memory_mb
