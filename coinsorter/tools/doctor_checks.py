"""What is wrong with this machine: one finding for each part of it, and what to do.

Nothing moves: no servo gets a pulse, no pin is driven. What is read comes from the kernel's own files, below `root` so that it can be
another machine's.
"""

import grp
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from coinsorter import config
from coinsorter.config import Config
from coinsorter.errors import CoinsorterError, ConfigError
from coinsorter.hardware import gpio_chip
from coinsorter.hardware.servos import open_servos
from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.sorting.ports import Camera

OK, WARNING, FAULT = "ok", "warning", "fault"

SERVICE = "coinsorter.service"
FEWEST_MB = 500  # of disk: rows are small, but SQLite's log and the journal share it
FEWEST_MEMORY_MB = 150  # beside what runs: the machine itself takes some 170
FEWEST_CMA_MB = 24  # contiguous memory: four 640x480 pictures and libcamera's own
HOT_C, TOO_HOT_C = (
    75.0,
    80.0,
)  # at 80 degrees a Pi slows down (Raspberry Pi documentation, "Frequency management and thermal control")
SLOWEST_FRAMES = 0.8  # of the frames a second that config.yaml asks for
COUNTED_FRAMES = 20
# Bits of what the firmware says of its supply (Raspberry Pi documentation, "vcgencmd get_throttled").
LOW_NOW, LOW_BEFORE = 1 << 0, 1 << 16
RESULTS = {
    "exit-code": "it gave up",
    "signal": "it was killed",
    "core-dump": "it crashed",
    "watchdog": "the watchdog stopped it: no frames came, or it stood still",
    "timeout": "it took too long to start or to stop",
    "oom-kill": "memory ran out",
}
GROUPS = "video", "gpio", "render"
PACKAGES = (
    "coinsorter",
    "numpy",
    "opencv-python-headless",
    "gpiozero",
    "lgpio",
    "picamera2",
    "ai-edge-litert",
    "tflite-runtime",
)


def _asked(words: list[str]) -> str | None:
    try:
        return subprocess.run(
            words, capture_output=True, text=True, timeout=10, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None


@dataclass(frozen=True)
class Finding:
    """What one part is like. remedy: "" where there is nothing to do."""

    part: str
    state: str
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Patient:
    """The machine that is looked at.

    settings: None where they cannot be loaded; then what needs them is left out. open_camera: opens the camera that they name. root: of its
    files. ask: runs a program and returns what it printed, or None where there is no such program.
    """

    config_path: Path
    settings: Config | None
    open_camera: Callable[[], Camera]
    root: Path = Path("/")
    ask: Callable[[list[str]], str | None] = _asked

    def read(self, path: str) -> str | None:
        """A file's text, None where it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text().strip("\0\n ")
        except (OSError, UnicodeDecodeError):
            return None


# A state, what is so, and what to do about it, if anything. CoinsorterError: a fault.
Told = tuple[str, str] | tuple[str, str, str]
Check = Callable[[Patient], Told]


def examine(patient: Patient, hardware: bool = True) -> Iterator[Finding]:
    """Every finding, as it is made. hardware: False to look at settings and models alone."""
    for part, check in (BY_THEMSELVES | HARDWARE if hardware else BY_THEMSELVES).items():
        if check not in WITH_SETTINGS or patient.settings:
            yield examined(patient, part, check)


def examined(patient: Patient, part: str, check: Check) -> Finding:
    """What a check finds; an error is a fault, in its own words: what is before its last semicolon, and what to do after it."""
    try:
        return Finding(part, *check(patient))
    except CoinsorterError as error:
        what, _, remedy = str(error).rpartition("; ")
        return Finding(part, FAULT, what or remedy, remedy if what else "")


def admitted(config_path: Path, open_camera: Callable[[Config], Camera]) -> Patient:
    """This computer, and its settings as far as they can be loaded."""
    try:
        settings = config.load(config_path)
    except ConfigError:
        settings = None  # the first finding says why
    return Patient(config_path, settings, lambda: open_camera(settings))


def _settings(patient: Patient) -> Told:
    try:
        config.load(patient.config_path)
    except ConfigError as error:
        count = len(str(error).splitlines())
        return (
            FAULT,
            f"{count} mistakes, the first: {str(error).splitlines()[0]}",
            f"run `coinsorter check {patient.config_path}`",
        )
    return OK, str(patient.config_path)


def _models(patient: Patient) -> Told:
    models = bundle.load(patient.config_path.parent / patient.settings.runtime.bundle)
    name = runtime.pick(patient.settings.runtime.interpreter)
    began_s = time.monotonic()
    Classifier(models, name, patient.settings.runtime.threads).self_test()
    took_s = time.monotonic() - began_s
    mistakes = config.read(patient.config_path, models.labels)[1]
    if mistakes:
        return (
            FAULT,
            config.render(patient.config_path, mistakes)[0],
            "correct config.yaml, or name another bundle",
        )
    return (
        OK,
        f"{models.path}: {len(models.golden.crops)} golden crops answered on {name} {runtime.version(name)} in {took_s:.1f} s",
    )


def _packages(patient: Patient) -> Told:
    """What the servos' driver needs beside what comes with every release."""
    driver = patient.settings.servo.driver
    if missing := open_servos.missing_packages(driver):
        return (
            FAULT,
            f"servo.driver {driver} lacks {', '.join(missing)}",
            "run `sudo make install` again, which adds it",
        )
    return OK, f"all that servo.driver {driver} needs"


def _service(patient: Patient) -> Told:
    state = patient.ask(
        [
            "systemctl",
            "show",
            "--property=ActiveState,SubState,NRestarts,Result,StatusText",
            SERVICE,
        ]
    )
    if not state:
        return WARNING, "systemd does not answer", "start the machine by hand: coinsorter run"
    facts = dict(line.split("=", 1) for line in state.splitlines() if "=" in line)
    active, restarts, doing = (
        facts.get("ActiveState", "?"),
        facts.get("NRestarts", "0"),
        facts.get("StatusText") or facts.get("SubState", "?"),
    )
    if active == "failed":
        return (
            FAULT,
            f"failed: {_end(patient)}",
            "read `journalctl -u coinsorter -n 50`, mend that, then `systemctl restart coinsorter`",
        )
    elif doing.startswith("fault"):
        return FAULT, f"{active}: {doing}", "mend that, then `systemctl restart coinsorter`"
    elif int(restarts or 0) > 0:
        return (
            WARNING,
            f"{active}, started again {restarts} times, the last time since {_end(patient)}",
            "read `journalctl -u coinsorter`: it says why",
        )
    else:
        return OK, f"{active}: {doing}"


def _end(patient: Patient) -> str:
    """How the service last failed since the Pi was switched on, by systemd's own words for it (systemd.exec(5), $SERVICE_RESULT)."""
    told = (
        patient.ask(
            [
                "journalctl",
                "--unit",
                SERVICE,
                "--boot",
                "--output=cat",
                "--no-pager",
                "--grep",
                "Failed with result '(?!start-limit)",
            ]
        )
        or ""
    )
    result = told.splitlines()[-1].split("'")[1] if "'" in told else ""
    return RESULTS.get(result, result or "why is in a journal that this user may not read")


def _camera(patient: Patient) -> Told:
    if _running(patient):
        return OK, "in use by the running service"
    with closing(patient.open_camera()) as camera:
        return _watched(camera, patient.settings)


def _watched(camera: Camera, settings: Config) -> Told:
    """What its frames are like, and how often they come."""
    taken, sizes = [], set()
    for _ in range(COUNTED_FRAMES):
        frame = camera.next_frame()
        if frame is None:
            return FAULT, "delivers no frames", "see camera.source in config.yaml"
        taken.append(frame.taken_s)
        sizes.add(frame.pixels.shape[1::-1])
    rate, wanted = (len(taken) - 1) / max(taken[-1] - taken[0], 1e-9), settings.camera.frames_per_s
    size = (settings.camera.width_px, settings.camera.height_px)
    shown = " and ".join(f"{width}x{height}" for width, height in sorted(sizes))
    if sizes != {size}:
        return (
            FAULT,
            f"delivers {shown}, not {size[0]}x{size[1]}",
            "set camera.width_px and camera.height_px to what it delivers",
        )
    if rate < SLOWEST_FRAMES * wanted:
        return (
            WARNING,
            f"{shown}, {rate:.0f} frames a second, not {wanted:g}",
            "lower camera.frames_per_s, or exposure_us",
        )
    return OK, f"{settings.camera.source}: {shown}, {rate:.0f} frames a second"


def _running(patient: Patient) -> bool:
    return patient.ask(["systemctl", "is-active", SERVICE]) == "active"


def _gpio(patient: Patient) -> Told:
    """The chip by its label, and every pin in use: held by nobody else."""
    if patient.settings.servo.driver == "mock":
        return OK, "no pin is in use, as servo.driver is mock"
    found = gpio_chip.find()
    held = gpio_chip.holders(found)
    wanted = {
        pin: config.option(at)
        for at, pin, _ in config.pins(patient.settings)
        if at[-1] != "pin" or patient.settings.servo.driver != "pca9685"
    }
    taken = {pin: holder for pin, holder in held.items() if pin in wanted}
    if taken and not _running(patient):
        which = ", ".join(
            f"GPIO {pin} ({wanted[pin]}) by {holder}" for pin, holder in sorted(taken.items())
        )
        return (
            FAULT,
            f"held by another program: {which}",
            "stop that program, or take another pin in config.yaml",
        )
    else:
        return OK, f"gpiochip{found}, {len(wanted)} pins in use"


def _pulses(patient: Patient) -> Told:
    """What makes the servo pulses."""
    driver = patient.settings.servo.driver
    if driver == "mock":
        return (
            WARNING,
            "servo.driver is mock: no flap moves",
            "set servo.driver in config.yaml once the servos are wired",
        )
    elif driver == "hardware-pwm" and not list((patient.root / "sys/class/pwm").glob("pwmchip*")):
        return (
            FAULT,
            "no hardware PWM",
            "run `sudo make install` once more, or put firmware/coinsorter.txt into /boot/firmware/config.txt, and start again",
        )
    elif driver == "pca9685" and not list((patient.root / "dev").glob("i2c-*")):
        return (
            FAULT,
            "no I2C bus",
            "set dtparam=i2c_arm=on in /boot/firmware/config.txt and start again",
        )
    else:
        return OK, f"pulses by {driver}"


def _permissions(patient: Patient) -> Told:
    """Who runs this may use the devices."""
    if os.geteuid() == 0:
        return OK, "root"
    own = {grp.getgrgid(number).gr_name for number in os.getgroups()}
    closed = [
        str(path) for path in _devices(patient.root) if not os.access(path, os.R_OK | os.W_OK)
    ]
    if closed:
        missing = ", ".join(group for group in GROUPS if group not in own) or "none"
        return (
            FAULT,
            f"may not use {', '.join(closed[:4])} (groups missing: {missing})",
            "sudo usermod -aG video,gpio,render $USER, then log in again",
        )
    else:
        return OK, f"groups {', '.join(sorted(own & set(GROUPS))) or 'none needed'}"


def _devices(root: Path) -> list[Path]:
    return sorted(
        [
            *(root / "dev").glob("gpiochip*"),
            *(root / "dev").glob("video*"),
            *(root / "dev").glob("media*"),
        ]
    )


def _ledger(patient: Patient) -> Told:
    """The ledger's file is sound, its folder can be written, and there is room."""
    path = patient.config_path.parent / patient.settings.ledger.path
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free_mb = shutil.disk_usage(folder).free / 1e6
    if path.exists() and (what := _unsound(path)):
        return (
            FAULT,
            f"{path}: {what}",
            f"copy {path} away, then delete it; a new one is begun at the next start",
        )
    elif not os.access(folder, os.W_OK):
        return (
            FAULT,
            f"{folder} cannot be written by this user",
            "run this as the user of the service: sudo -u coinsorter coinsorter doctor",
        )
    elif free_mb < FEWEST_MB:
        return (
            FAULT,
            f"{free_mb:.0f} MB free where {path} is",
            "free some space: `journalctl --vacuum-size=50M`, old exports",
        )
    else:
        return OK, f"{path}: {free_mb / 1000:.1f} GB free"


def _unsound(path: Path) -> str:
    """What SQLite finds wrong with a file; "" where it is sound."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if answer == "ok" else answer


def _clock(patient: Patient) -> Told:
    """The wall clock only dates rows: they are ordered by id."""
    synchronised = patient.ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    now = time.strftime("%Y-%m-%d %H:%M")
    if synchronised == "yes":
        return OK, f"{now}, synchronised"
    else:
        return (
            WARNING,
            f"{now}, not synchronised: dates in the ledger may be wrong",
            "connect the network once, or fit a clock battery",
        )


def _temperature(patient: Patient) -> Told:
    told = patient.read("/sys/class/thermal/thermal_zone0/temp")
    if told is None or not told.lstrip("-").isdigit():
        return WARNING, "this computer tells none"
    celsius = int(told) / 1000
    state = FAULT if celsius >= TOO_HOT_C else WARNING if celsius >= HOT_C else OK
    return (
        state,
        f"{celsius:.0f} degrees",
        ""
        if state == OK
        else "fit a fan or a heat sink: at 80 degrees it slows down and coins are late",
    )


def _supply(patient: Patient) -> Told:
    """Under-voltage, as the firmware has seen it."""
    told = (
        patient.read("/sys/devices/platform/soc/soc:firmware/get_throttled")
        or (patient.ask(["vcgencmd", "get_throttled"]) or "").rpartition("=")[2]
    )
    try:
        bits = int(told, 16)
    except ValueError:
        return WARNING, "this computer does not tell its voltage"
    remedy = "use the official supply and a short cable; feed the servos from a supply of their own"
    if bits & LOW_NOW:
        return FAULT, "under-voltage now", remedy
    elif bits & LOW_BEFORE:
        return WARNING, "there was under-voltage since it was switched on", remedy
    else:
        return OK, "no under-voltage since it was switched on"


def _memory(patient: Patient) -> Told:
    facts = dict(
        line.split(":", 1)
        for line in (patient.read("/proc/meminfo") or "").splitlines()
        if ":" in line
    )
    free_mb = {
        name: int(facts[name].split()[0]) / 1024
        for name in ("MemAvailable", "CmaFree")
        if name in facts
    }
    if "MemAvailable" not in free_mb:
        return WARNING, "this computer does not tell"
    elif free_mb["MemAvailable"] < FEWEST_MEMORY_MB:
        return (
            FAULT,
            f"{free_mb['MemAvailable']:.0f} MB free",
            "stop what else runs here: `ps aux --sort=-rss | head`",
        )
    elif (
        int(facts.get("CmaTotal", "0").split()[0])
        and free_mb["CmaFree"] < FEWEST_CMA_MB
        and not _running(patient)
    ):
        return (
            FAULT,
            f"{free_mb['CmaFree']:.0f} MB of contiguous memory free: too little for a camera",
            "see firmware/cmdline.md, then start again",
        )
    else:
        return OK, f"{free_mb['MemAvailable']:.0f} MB free"


def _watchdog(patient: Patient) -> Told:
    told = patient.ask(["systemctl", "show", "--property=RuntimeWatchdogUSec", "--value"])
    if not list((patient.root / "dev").glob("watchdog*")):
        return (
            WARNING,
            "no hardware watchdog: a hanging kernel is not restarted",
            "run `sudo make install`, or put firmware/coinsorter.txt into /boot/firmware/config.txt",
        )
    elif told in (None, "", "0", "infinity"):
        return (
            WARNING,
            "the hardware watchdog is not in use",
            "install systemd/coinsorter-watchdog.conf, then start again",
        )
    else:
        return OK, f"hardware watchdog, {told}"


def _versions(patient: Patient) -> Told:
    found = [f"{name} {version}" for name in PACKAGES if (version := _version(name))]
    model = patient.read("/proc/device-tree/model") or "no Raspberry Pi"
    return OK, f"{model}; Python {sys.version.split()[0]}; {', '.join(found)}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


BY_THEMSELVES: dict[str, Check] = {"settings": _settings, "models": _models, "packages": _packages}
HARDWARE: dict[str, Check] = {
    "service": _service,
    "camera": _camera,
    "gpio": _gpio,
    "servos": _pulses,
    "permissions": _permissions,
    "ledger": _ledger,
    "watchdog": _watchdog,
    "clock": _clock,
    "temperature": _temperature,
    "supply": _supply,
    "memory": _memory,
    "versions": _versions,
}
WITH_SETTINGS = (
    _models,
    _packages,
    _camera,
    _gpio,
    _pulses,
    _ledger,
)  # which cannot be asked without
