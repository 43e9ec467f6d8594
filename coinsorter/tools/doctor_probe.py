"""How `doctor` looks at a machine: by its files, its programs and its settings. Nothing moves.

No servo gets a pulse and no pin is driven.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coinsorter.config.load import load_config
from coinsorter.config.schema import Config
from coinsorter.errors import ConfigError
from coinsorter.sorting.ports import Camera

OK, WARNING, FAULT = "ok", "warning", "fault"

#: The systemd unit that sorts.
SERVICE = "coinsorter.service"
#: Seconds for a program to answer: systemctl and vcgencmd take milliseconds on a sound Pi.
PROGRAM_TIMEOUT_S = 10


@dataclass(frozen=True)
class Observation:
    """The state of one part, and what to do about it; remedy "" where there is nothing to do."""

    state: str
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Finding:
    """An observation with the name of its part: one line that `doctor` prints."""

    part: str
    state: str
    what: str
    remedy: str = ""


def report_ok(what: str) -> Observation:
    """The observation of a sound part."""
    return Observation(OK, what)


def report_warning(what: str, remedy: str = "") -> Observation:
    """The observation of a part that works, but not as it should."""
    return Observation(WARNING, what, remedy)


def report_fault(what: str, remedy: str) -> Observation:
    """The observation of a part that does not work."""
    return Observation(FAULT, what, remedy)


def run_program(words: list[str]) -> str | None:
    """What a program prints; None where there is no such program or it does not end."""
    try:
        finished = subprocess.run(
            words, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return finished.stdout.strip()


@dataclass(frozen=True)
class Probe:
    """Access to the machine that is examined.

    config: the settings, None where they cannot be loaded. open_camera: opens the camera that they
    name. root: the folder of the machine's files, so that it can be another machine's. run: runs a
    program and returns what it prints, None where there is no such program.
    """

    config_path: Path
    config: Config | None
    open_camera: Callable[[], Camera]
    root: Path = Path("/")
    run: Callable[[list[str]], str | None] = run_program

    @property
    def settings(self) -> Config:
        """The settings. Raises ConfigError where they cannot be loaded."""
        if self.config is None:
            raise ConfigError(f"{self.config_path}: cannot be loaded; run `coinsorter check`")
        return self.config

    def read_file(self, path: str) -> str | None:
        """A file's text, None where it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text().strip("\0\n ")
        except (OSError, UnicodeDecodeError):
            return None

    def find_devices(self, *patterns: str) -> list[Path]:
        """The devices in /dev whose names match one of these patterns, sorted by path."""
        devices = self.root / "dev"
        return sorted(path for pattern in patterns for path in devices.glob(pattern))

    def is_service_active(self) -> bool:
        """Whether the service runs now, and holds the camera and the pins."""
        return self.run(["systemctl", "is-active", SERVICE]) == "active"


def load_probe(config_path: Path, open_camera: Callable[[Config], Camera]) -> Probe:
    """A probe of this computer, with its settings if they can be loaded."""

    def open_configured_camera() -> Camera:
        return open_camera(probe.settings)

    try:
        settings = load_config(config_path)
    except ConfigError:
        settings = None  # the first finding says why
    probe = Probe(config_path, settings, open_configured_camera)
    return probe
