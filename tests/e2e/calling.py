"""Calls the programs as real processes under every condition, and says what is wrong with how."""

import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from coinsorter.ledger.ledger import Ledger, RunRecord
from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import CONFIG, CROWNS, ROOT
from tests.e2e.ways_of_calling import Way
from tests.unit.ledger.ledger_rows import event

#: Most memory that a program may hold, MB of 1024 * 1024 bytes, and seconds that it may take.
MAX_MB = 300
MAX_S = 5.0
#: Seconds after which a process is given up, on whatever computer.
HANGS_S = 120.0
#: The statuses that the documents name.
DOCUMENTED = {0, 1, 2, 65, 66, 69, 70, 71, 74, 75, 78, 129, 130, 143}
MODULES = {"coinsorter": "coinsorter", "coinsorter-train": "coinsorter.training"}
#: What writes the ledger since it is its own.
OWN_LEDGER = "coinsorter run --config"
#: Bytes of the file with a hole.
SPARSE_BYTES = 20_000_000_000


@dataclass(frozen=True)
class Called:
    """What came of a way of calling. problems: what is wrong with it."""

    way: Way
    status: int
    took_s: float
    peak_mb: float
    err: str
    problems: list[str] = field(default_factory=list)


class Place:
    """A folder with all that commands read, and what is handed to them in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self.paths: dict[str, str] = {}
        self._write_machine()
        self._write_kinds(folder / "kinds")
        self._sockets: list[socket.socket] = []
        (folder / "out").mkdir()
        (folder / "out").chmod(0o777)

    def fill(self, words: str) -> list[bytes]:
        """The words of a command line with the paths in it."""
        parts = words.split(" ")
        joined = "\0".join(parts)
        for name, path in self.paths.items():
            joined = joined.replace("{" + name + "}", path)
        return [os.fsencode(part) for part in joined.split("\0")]

    def digest(self) -> dict[Path, str]:
        """What every file is that a command must not change."""
        files = [self.folder / "config.yaml", *(self.folder / "photographs").rglob("*.png")]
        files += [*(self.folder / "var").rglob("ledger.db"), self.folder / "kinds" / "binary"]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def clear(self) -> None:
        """Empties the folder for outputs."""
        for path in (self.folder / "out").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _write_machine(self) -> None:
        folder = self.folder
        self._write_images(folder / "photographs" / "bit_10", "bit_10")
        self._write_images(folder / "photographs" / "crown_2", "crown_2")
        ledger = Ledger(folder / "var" / "ledger.db", RunRecord("b", "h", "r", "Münzen"))
        ledger.record(event(1))
        ledger.close()
        text = CONFIG.read_text().replace("models/crowns", str(CROWNS))
        text = text.replace("driver: gpio ", "driver: mock ")
        text = text.replace("source: pi ", "source: folder ")
        text = text.replace("folder: null ", "folder: photographs ")
        (folder / "config.yaml").write_text(text)
        names = {"config": "config.yaml", "photographs": "photographs", "out": "out"}
        self.paths |= {name: str(folder / path) for name, path in names.items()}
        self.paths["bundle"] = str(CROWNS)

    def _write_images(self, folder: Path, label: str) -> None:
        folder.mkdir(parents=True)
        rng = np.random.default_rng(5)
        camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
        for number in range(2):
            sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
            pixels = camera.render_frame([(sprite, 0.0, 0.0)], 10.0 * number)
            cv2.imwrite(str(folder / f"coin_{number}.png"), pixels[..., ::-1])

    def _write_kinds(self, folder: Path) -> None:
        (folder / "folder").mkdir(parents=True)
        (folder / "empty").touch()
        os.mkfifo(folder / "pipe")
        (folder / "binary").write_bytes(bytes(range(256)) * 20)
        with (folder / "sparse").open("wb") as file:
            file.truncate(SPARSE_BYTES)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(folder / "socket"))
        listening.close()
        (folder / "loop").symlink_to(folder / "loop")
        (folder / "unreadable").write_text((self.folder / "config.yaml").read_text())
        (folder / "unreadable").chmod(0o000)
        (folder / "unreadable folder").mkdir(mode=0o000)
        (folder / "read-only folder").mkdir(mode=0o555)
        names = ["unreadable", "unreadable folder", "read-only folder"]
        names += ["missing", "empty", "folder", "pipe", "binary", "sparse", "socket", "loop"]
        self.paths |= {name: str(folder / name) for name in names}
        self.paths |= {name: name for name in ("/dev/null", "/dev/zero", "/dev/full")}
        self.paths["long name"] = str(folder / ("x" * 300))
        self.paths["binary/below"] = str(folder / "binary" / "below.jpg")
        odd = {"newline": "two\nlines", "escape": "red\x1b[31m\x07", "no utf-8": "\udcff\udcfe"}
        for kind, name in odd.items():
            (folder / name).write_text((self.folder / "config.yaml").read_text())
            self.paths[kind] = str(folder / name)


def call(way: Way, place: Place) -> Called:
    """Calls a program in this way and says what is wrong with how it went."""
    before = place.digest()
    condition = CONDITIONS[way.condition]()
    program, *words = place.fill(way.words)
    command = [sys.executable, "-m", MODULES[program.decode()], *words]
    cwd = condition.prepare(place)
    with (place.folder / "stderr").open("w+b") as complaints:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "cwd": cwd}
        options |= {"stderr": complaints, "env": ENVIRONMENT} | condition.options()
        started_s = time.monotonic()
        process = subprocess.Popen([*condition.before, *command], **options)
        status, peak_mb = _watch(process, way.stop_s)
        took_s = time.monotonic() - started_s - (way.stop_s or 0)
        condition.close()
        complaints.seek(0)
        err = complaints.read().decode(errors="replace")
    called = Called(way, status, took_s, peak_mb, err)
    called.problems.extend(_list_problems(called))
    if place.digest() != before and not way.words.startswith(OWN_LEDGER):
        called.problems.append("a file that is not its own was changed")
    place.clear()
    return called


def _watch(process: subprocess.Popen[bytes], stop_s: float | None) -> tuple[int, float]:
    """Waits for a process; its status, and the most memory it held, MB of 1024 * 1024 bytes."""
    started_s, peak_kb, is_stopped = time.monotonic(), 0, False
    while process.poll() is None:
        peak_kb = max(peak_kb, _read_peak_kb(process.pid))
        age_s = time.monotonic() - started_s
        if stop_s is not None and age_s > stop_s and not is_stopped:
            process.send_signal(signal.SIGTERM)
            is_stopped = True
        if age_s > HANGS_S:
            process.kill()
        time.sleep(0.01)
    return process.returncode, peak_kb / 1024


def _read_peak_kb(pid: int) -> int:
    """The most memory that a process has held; not the parent's, as getrusage's is after a fork."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def _list_problems(called: Called) -> list[str]:
    """What is wrong: its status, a traceback, no word or too many, or its memory; not its time."""
    problems, err, status = [], called.err, called.status
    if status not in DOCUMENTED or status not in called.way.statuses:
        problems.append(f"status {status}, not one of {called.way.statuses}")
    if "Traceback" in err or "Exception ignored" in err or "Error:" in err.split(" ")[0]:
        problems.append("a traceback")
    if "\x1b" in err or "\x07" in err:
        problems.append("what a terminal obeys in a message")
    hears = "stderr" not in called.way.condition and "all closed" not in called.way.condition
    lines = [line for line in err.splitlines() if not line.startswith(("INFO ", "WARNING "))]
    lines = [line for line in lines if "\u2501" not in line and line.strip()]  # bars of progress
    if status in (65, 66, 69, 71, 74, 75) and hears and len(lines) != 1:
        problems.append(f"{len(lines)} lines")
    if status == 78 and hears and not lines and " check " not in called.way.words:
        problems.append("no line")
    if called.peak_mb > MAX_MB:
        problems.append(f"{called.peak_mb:.0f} MB")
    return problems


ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TERM", "LANG")
} | {"PYTHONPATH": str(ROOT)}


class Condition:
    """A condition under which a program is called; this one is the plain one."""

    before: tuple[str, ...] = ()

    def prepare(self, place: Place) -> Path:
        """Makes what is needed; the working directory."""
        return place.folder

    def options(self) -> dict[str, Any]:
        """The options of Popen that differ."""
        return {}

    def close(self) -> None:
        """Removes what was made."""


class Stream(Condition):
    """A standard stream that leads to a full device or to a pipe that has no reader."""

    def __init__(self, name: str, is_pipe: bool) -> None:
        self._name = name
        self._file = os.open("/dev/full", os.O_WRONLY)
        if is_pipe:
            os.close(self._file)
            reader, self._file = os.pipe()
            os.close(reader)

    def options(self) -> dict[str, Any]:
        return {self._name: self._file}

    def close(self) -> None:
        os.close(self._file)


class Closed(Condition):
    """Streams that are closed."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers

    def options(self) -> dict[str, Any]:
        return {"preexec_fn": lambda: [os.close(number) for number in self._numbers]}


class Environment(Condition):
    """Another environment. kept: names of variables that stay; None for all."""

    def __init__(self, kept: tuple[str, ...] | None = None, **changes: str) -> None:
        self._kept = kept
        self._changes = changes

    def options(self) -> dict[str, Any]:
        names = ENVIRONMENT if self._kept is None else self._kept
        kept = {name: ENVIRONMENT[name] for name in names if name in ENVIRONMENT}
        return {"env": kept | self._changes}


class Folder(Condition):
    """Another working directory, and the rights of a user who is not root."""

    def __init__(self, mode: int, is_deleted: bool = False) -> None:
        self._mode = mode
        self._is_deleted = is_deleted
        self.before = drop_rights()

    def prepare(self, place: Place) -> Path:
        self._path = place.folder / "working"
        self._path.mkdir(exist_ok=True)
        self._path.chmod(self._mode)
        return self._path

    def options(self) -> dict[str, Any]:
        return {"preexec_fn": self._path.rmdir} if self._is_deleted else {}

    def close(self) -> None:
        if self._path.exists():
            self._path.chmod(0o700)
            shutil.rmtree(self._path)


def drop_rights() -> tuple[str, ...]:
    """Words before a command with which root, too, may read and write only what modes allow."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return ()
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


class Before(Condition):
    """Words before the command."""

    def __init__(self, *words: str) -> None:
        self.before = words


CONDITIONS: dict[str, Callable[[], Condition]] = {
    "plain": Condition,
    "input ends": Condition,
    "stdout full": lambda: Stream("stdout", is_pipe=False),
    "stdout closed": lambda: Closed(1),
    "stdout is a pipe without a reader": lambda: Stream("stdout", is_pipe=True),
    "stderr full": lambda: Stream("stderr", is_pipe=False),
    "stderr closed": lambda: Closed(2),
    "stderr is a pipe without a reader": lambda: Stream("stderr", is_pipe=True),
    "stdin closed": lambda: Closed(0),
    "all closed but output": lambda: Closed(0, 2),
    "no HOME": lambda: Environment(("PATH", "TERM", "LANG", "PYTHONPATH")),
    "no TERM": lambda: Environment(("PATH", "HOME", "LANG", "PYTHONPATH")),
    "LANG=C": lambda: Environment(LANG="C", LC_ALL="C"),
    "ASCII": lambda: Environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="POSIX"),
    "empty environment": lambda: Environment(("PYTHONPATH",)),
    "without rights": lambda: Before(*drop_rights()),
    "nohup": lambda: Before("nohup"),
    "folder deleted": lambda: Folder(0o755, is_deleted=True),
    "folder read-only": lambda: Folder(0o555),
    "folder not readable": lambda: Folder(0o000),
}

# A core of a process that crashes is of no use here, and large.
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
